"""The MQTT adapter against a real Mosquitto."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock, ManualClock
from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.core.isolation import SecondLoop
from ohmstead.plugins.protocols.mqtt import Message, Mqtt, Options
from ohmstead.plugins.protocols.mqtt.message import Acks
from ohmstead.plugins.protocols.mqtt.session import Session
from tests.fakes.house import until
from tests.fakes.mosquitto import QUICK, Mosquitto, mosquitto

BOTH = pytest.mark.parametrize("protocol", [5, 4], ids=["v5", "v3.1.1"])


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "broker") as running:
        yield running


@asynccontextmanager
async def connected(folder: Path, broker: Mosquitto, protocol: int = 5, **more: object) -> AsyncIterator[Mqtt]:
    mqtt = Mqtt(folder, Clock(), **more)  # type: ignore[arg-type]
    await mqtt.apply(Options("127.0.0.1", broker.port, protocol=protocol))
    try:
        await until(lambda: mqtt.connected)
        yield mqtt
    finally:
        await mqtt.stop()


async def settled(mqtt: Mqtt) -> None:
    """Wait until the broker knows of every subscription."""
    await until(lambda: not mqtt._changed.is_set())
    await asyncio.sleep(0.1)


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_message_of_every_qos_arrives_once(tmp_path: Path, broker: Mosquitto, protocol: int, qos: int) -> None:
    got: list[Message] = []
    async with connected(tmp_path, broker, protocol) as mqtt:
        mqtt.subscribe("devices/+/telemetry", lambda m: (got.append(m), m.ack()), qos=2)
        await asyncio.sleep(0.1)
        await broker.publish("devices/D1/telemetry", b'{"power": 1}', qos)
        await until(lambda: got)
        assert (got[0].topic, got[0].payload, got[0].qos, got[0].retain) == ("devices/D1/telemetry", b'{"power": 1}', qos, False)
        await asyncio.sleep(0.05)
        assert len(got) == 1
        assert mqtt.unacknowledged == 0


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
async def test_what_is_not_acknowledged_comes_again_over_the_next_connection_in_order(
    tmp_path: Path, broker: Mosquitto, protocol: int, qos: int
) -> None:
    first: list[Message] = []
    async with connected(tmp_path, broker, protocol) as mqtt:
        mqtt.subscribe("t/#", first.append, qos=2)
        await asyncio.sleep(0.1)
        await broker.publish_lines("t/a", map(str, range(50)), qos)
        await until(lambda: len(first) == 50)
        for message in first[:20]:
            message.ack()
        await asyncio.sleep(0.05)
    again: list[Message] = []
    async with connected(tmp_path, broker, protocol) as mqtt:
        mqtt.subscribe("t/#", lambda m: (again.append(m), m.ack()), qos=2)
        await until(lambda: len(again) == 30)
        first[25].ack()  # came over the old connection: nothing happens
        assert [int(m.payload) for m in again] == list(range(20, 50))
        assert mqtt.unacknowledged == 0
        await broker.publish("t/a", "last", qos)
        await until(lambda: again[-1].payload == b"last")


async def test_several_receivers_of_one_message_all_acknowledge_it(tmp_path: Path, broker: Mosquitto) -> None:
    one: list[Message] = []
    other: list[Message] = []
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("a/#", one.append)
        mqtt.subscribe("a/b", other.append)
        await settled(mqtt)
        await broker.publish("a/b", "x")
        await until(lambda: one and other)
        one[0].ack()
        await asyncio.sleep(0.05)
        assert mqtt.unacknowledged == 1
        other[0].ack()
        assert mqtt.unacknowledged == 0


async def test_acknowledgements_keep_the_order_of_arrival(tmp_path: Path, broker: Mosquitto) -> None:
    got: list[Message] = []
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("t", got.append)
        await settled(mqtt)
        await broker.publish_lines("t", "abc")
        await until(lambda: len(got) == 3)
        got[2].ack()
        got[1].ack()
        assert mqtt.unacknowledged == 3
        got[0].ack()
        assert mqtt.unacknowledged == 0


async def test_nobody_waits_for_a_straggler_for_ever() -> None:
    sent: list[bytes] = []
    clock = ManualClock()
    acks = Acks(sent.append, clock.monotonic)
    first, second, third = (Message("t", b"", 1, False, mid, acks) for mid in (1, 2, 3))
    for message in (first, second, third):
        acks.expect(message)
    second.ack()
    assert sent == []
    await clock.advance(6)
    third.ack()
    assert sent == [b"\x40\x02\x00\x02\x40\x02\x00\x03"]
    assert len(acks) == 1
    first.ack()
    assert sent[1:] == [b"\x40\x02\x00\x01"]
    assert len(acks) == 0


async def test_what_came_while_the_hub_was_away_waits_for_its_subscriber(tmp_path: Path, broker: Mosquitto) -> None:
    """After a restart the broker sends at once, before anybody has subscribed: nothing of it may be let go."""
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("late/#", lambda m: m.ack())
        await settled(mqtt)
    await broker.publish_lines("late/t", map(str, range(20)))
    got: list[bytes] = []
    async with connected(tmp_path, broker) as mqtt:
        await until(lambda: mqtt.unacknowledged == 20)
        mqtt.subscribe("late/#", lambda m: (got.append(m.payload), m.ack()))
        assert got == [str(n).encode() for n in range(20)]
        await until(lambda: mqtt.unacknowledged == 0)


async def test_a_filter_nobody_comes_back_for_is_unsubscribed_even_over_a_restart(tmp_path: Path, broker: Mosquitto) -> None:
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("old/#", lambda m: m.ack())
        mqtt.subscribe("kept/#", lambda m: m.ack())
        await settled(mqtt)
    got: list[str] = []
    async with connected(tmp_path, broker, orphan_s=0.3) as mqtt:
        mqtt.subscribe("kept/#", lambda m: (got.append(m.topic), m.ack()))
        await broker.publish("old/t", "parked, then let go")
        await until(lambda: "old/#" not in (tmp_path / "mqtt_filters.json").read_text())
        await until(lambda: mqtt.unacknowledged == 0)
        await broker.publish("old/t", "not sent any more")
        await broker.publish("kept/t", "x")
        await until(lambda: got == ["kept/t"])
        assert mqtt.unclaimed == 0
    assert "kept/#" in (tmp_path / "mqtt_filters.json").read_text()


async def test_ending_a_subscription_ends_it_at_the_broker(tmp_path: Path, broker: Mosquitto) -> None:
    async with connected(tmp_path, broker, orphan_s=0.1) as mqtt:
        end = mqtt.subscribe("a", lambda m: m.ack())
        await settled(mqtt)
        end()
        end()  # twice is once
        await until(lambda: '"a"' not in (tmp_path / "mqtt_filters.json").read_text())
        await broker.publish("a", "x")
        assert mqtt.received == 0


async def test_a_message_nobody_asked_for_is_acknowledged_at_once(tmp_path: Path, broker: Mosquitto) -> None:
    async with connected(tmp_path, broker, orphan_s=0.0) as mqtt:
        end = mqtt.subscribe("a", lambda m: m.ack())
        await settled(mqtt)
        mqtt._subscriptions._by_filter.clear()  # as between an unsubscription here and the broker hearing of it
        mqtt._subscriptions._topics.clear()
        await broker.publish("a", "x")
        await until(lambda: mqtt.unclaimed == 1)
        assert mqtt.unacknowledged == 0
        end()


async def test_it_comes_back_after_the_broker_and_logs_each_once(
    tmp_path: Path, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[bytes] = []
    with caplog.at_level(logging.INFO):
        async with connected(tmp_path, broker) as mqtt:
            mqtt.subscribe("t", lambda m: (got.append(m.payload), m.ack()))
            await settled(mqtt)
            await broker.stop(signal.SIGKILL)
            await until(lambda: not mqtt.connected)
            assert mqtt.reason is not None
            with pytest.raises(Unavailable, match="MQTT"):
                await mqtt.publish("x", "y", 1)
            await asyncio.sleep(1.5)  # fails at least once more
            await broker.start()
            await until(lambda: mqtt.connected, 15)
            assert mqtt.reason is None
            await broker.publish("t", "again")
            await until(lambda: got == [b"again"])
            await until(lambda: "is back" in caplog.messages[-1])
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.INFO and r.name.startswith("ohmstead")]
    assert [text.split(":")[0] for text in told] == ["MQTT", "MQTT", "MQTT is back"]
    assert "connected to" in told[0]
    assert "it closed the connection" in told[1]


async def test_a_broker_that_does_not_answer_is_unavailable_and_stopping_is_quick(tmp_path: Path, broker: Mosquitto) -> None:
    await broker.freeze()
    mqtt = Mqtt(tmp_path, Clock())
    await mqtt.apply(Options("127.0.0.1", broker.port))
    await asyncio.sleep(0.3)
    assert mqtt.reason == "connecting"
    async with asyncio.timeout(5):
        await mqtt.stop()
    await broker.thaw()


async def test_the_house_says_whether_it_is_there(tmp_path: Path, broker: Mosquitto) -> None:
    words: list[bytes] = []
    watcher = Mqtt(tmp_path / "watcher", Clock())
    watcher.subscribe("ohmstead/status", lambda m: (words.append(m.payload), m.ack()))
    await watcher.apply(Options("127.0.0.1", broker.port))
    async with connected(tmp_path / "hub", broker):
        await until(lambda: b"online" in words)
    await until(lambda: words[-1] == b"offline")
    await watcher.stop()


async def test_messages_as_a_stream(tmp_path: Path, broker: Mosquitto) -> None:
    async with connected(tmp_path, broker) as mqtt:
        stream = mqtt.messages("s/+", "other")
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await settled(mqtt)
        await broker.publish_lines("s/1", ["a", "b", "c"])
        message = await first
        assert (message.topic, message.payload) == ("s/1", b"a")
        message.ack()
        await until(lambda: mqtt.unacknowledged == 2)
        await stream.aclose()  # it failed, say: what it did not take waits for the next
        again = mqtt.messages("s/+", "other")
        assert [(await anext(again)).payload for _ in range(2)] == [b"b", b"c"]
        await again.aclose()


async def test_a_stream_on_another_loop(tmp_path: Path, broker: Mosquitto) -> None:
    second = SecondLoop()
    async with connected(tmp_path, broker) as mqtt:

        async def take() -> list[bytes]:
            got = []
            async for message in mqtt.messages("s"):
                got.append(message.payload)
                message.ack()
                if len(got) == 2:
                    await mqtt.publish("answer", "from abroad", 1)
                    return got
            return got

        taking = asyncio.ensure_future(second.call(take, 5))
        await until(lambda: "s" in mqtt._subscriptions.wanted)
        await settled(mqtt)
        await broker.publish_lines("s", ["1", "2"])
        assert await taking == [b"1", b"2"]
        await until(lambda: mqtt.unacknowledged == 0)
    await second.stop()


async def test_while_storage_is_full_qos_0_is_dropped_and_counted(tmp_path: Path, broker: Mosquitto) -> None:
    room = False
    got: list[Message] = []
    async with connected(tmp_path, broker, has_room=lambda: room) as mqtt:
        mqtt.subscribe("t", lambda m: (got.append(m), m.ack()))
        await settled(mqtt)
        await broker.publish_lines("t", ["a", "b"], 0)
        await broker.publish("t", "c", 1)
        await until(lambda: got)
        assert [m.payload for m in got] == [b"c"]
        assert mqtt.dropped == 2


async def test_holding_leaves_everything_with_the_broker(tmp_path: Path, broker: Mosquitto) -> None:
    got: list[Message] = []
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("t", got.append)
        await settled(mqtt)
        await broker.publish("t", "before")
        await until(lambda: got)
        mqtt.hold()
        await broker.publish("t", "after")
        await asyncio.sleep(0.1)
        got[0].ack()  # its commit came during the stop
    assert [m.payload for m in got] == [b"before"]
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("t", got.append)
        await until(lambda: len(got) == 2)
        assert got[1].payload == b"after"


@BOTH
async def test_thousands_of_unacknowledged_messages_stay_with_the_broker(tmp_path: Path, protocol: int) -> None:
    """Neither we nor the broker hold more than the window, whatever the broker is told."""
    async with mosquitto(tmp_path / "unbounded", QUICK.replace("max_inflight_messages 1000", "max_inflight_messages 0")) as broker:
        got: list[Message] = []
        async with connected(tmp_path, broker, protocol) as mqtt:
            mqtt.subscribe("t", got.append)
            await settled(mqtt)
            await broker.publish_lines("t", map(str, range(5000)))
            await asyncio.sleep(0.5)
            assert len(got) <= (1000 if protocol == 5 else 2000 + 1500)
            done = 0
            while done < 5000:
                await until(lambda: len(got) > done)  # noqa: B023
                for message in got[done:]:
                    message.ack()
                    done += 1
            assert [int(m.payload) for m in got] == list(range(5000))


async def test_a_payload_of_ten_megabytes_of_3_1_1_is_taken_whole(tmp_path: Path, broker: Mosquitto) -> None:
    got: list[Message] = []
    async with connected(tmp_path, broker, 4) as mqtt:
        mqtt.subscribe("t", lambda m: (got.append(m), m.ack()))
        await settled(mqtt)
        await broker.publish("t", b"x" * 10_000_000)
        await broker.publish("t", b"small")
        await until(lambda: len(got) == 2)
        assert len(got[0].payload) == 10_000_000


async def test_retained_messages_say_so(tmp_path: Path, broker: Mosquitto) -> None:
    await broker.publish("r", "kept", 1, retain=True)
    got: list[Message] = []
    async with connected(tmp_path, broker) as mqtt:
        mqtt.subscribe("r", lambda m: (got.append(m), m.ack()))
        await until(lambda: got)
        await broker.publish("r", "live", 1, retain=True)
        await until(lambda: len(got) == 2)
    assert [(m.payload, m.retain) for m in got] == [(b"kept", True), (b"live", False)]


@BOTH
async def test_two_hubs_share_the_messages(tmp_path: Path, broker: Mosquitto, protocol: int) -> None:
    got: dict[str, list[bytes]] = {"one": [], "two": []}
    hubs = []
    for name, mine in got.items():
        mqtt = Mqtt(tmp_path / name, Clock())
        mqtt.subscribe("t/#", lambda m, mine=mine: (mine.append(m.payload), m.ack()))
        await mqtt.apply(Options("127.0.0.1", broker.port, protocol=protocol, shared="house"))
        await until(lambda mqtt=mqtt: mqtt.connected)
        hubs.append(mqtt)
    await broker.publish_lines("t/x", map(str, range(40)))
    await until(lambda: sum(map(len, got.values())) == 40)
    assert all(got.values())
    for mqtt in hubs:
        await mqtt.stop()


async def test_another_broker_and_none(tmp_path: Path, broker: Mosquitto) -> None:
    async with mosquitto(tmp_path / "other") as other:
        async with connected(tmp_path, broker) as mqtt:
            mqtt.subscribe("t", lambda m: m.ack())
            await mqtt.apply(Options("127.0.0.1", other.port))
            await until(lambda: mqtt.connected)
            await settled(mqtt)
            assert await other.publish("t", "x") == 0
            await until(lambda: mqtt.received == 1)
            assert mqtt.options == Options("127.0.0.1", other.port)
            await mqtt.apply(None)
            assert (mqtt.connected, mqtt.reason, mqtt.options) == (False, None, None)
            with pytest.raises(Unavailable, match="no MQTT broker is configured"):
                await mqtt.publish("t", "x")


async def test_the_client_id_stays(tmp_path: Path) -> None:
    first = Session(tmp_path).client_id()
    assert Session(tmp_path).client_id() == first
    assert first.startswith("ohmstead-")
    assert Session(tmp_path).filters("a:1") == set()
    Session(tmp_path).keep("a:1", ["x/#"])
    assert Session(tmp_path).filters("a:1") == {"x/#"}
    assert Session(tmp_path).filters("b:1") == set()
    (tmp_path / "mqtt_filters.json").write_text("half a fi")
    assert Session(tmp_path).filters("a:1") == set()


def test_a_filter_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    mqtt = Mqtt(tmp_path, Clock())
    with pytest.raises(ConfigError, match="# stands alone and last"):
        mqtt.subscribe("a/#/b", lambda m: None)
