"""The embedded broker, spoken to by mosquitto's clients and by the hub's own adapter."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.protocols.broker import WARNING, Broker, is_loopback
from ohmstead.plugins.protocols.mqtt import Message, Mqtt, Options
from tests.fakes.house import until
from tests.fakes.services import require

pytest.importorskip("amqtt")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def verify(device: str, secret: str) -> bool:
    return secret == f"secret of {device}"


@asynccontextmanager
async def running(host: str = "127.0.0.1") -> AsyncIterator[Broker]:
    broker = Broker(verify, host, 0)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@asynccontextmanager
async def hub(broker: Broker, folder: Path) -> AsyncIterator[tuple[Mqtt, list[Message]]]:
    mqtt, got = Mqtt(folder, Clock()), []
    mqtt.subscribe("#", lambda m: (got.append(m), m.ack()))
    await mqtt.apply(broker.options)
    await until(lambda: mqtt.connected)
    try:
        yield mqtt, got
    finally:
        await mqtt.stop()


async def client(program: str, broker: Broker, *more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        require(program), "-V", "mqttv311", "-p", str(broker.port), *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def pub(broker: Broker, topic: str, payload: str, who: Sequence[str] = ()) -> int:
    process = await client("mosquitto_pub", broker, "-t", topic, "-m", payload, "-q", "1", *who)
    await process.communicate()
    return process.returncode or 0


def signed(device: str, secret: str | None = None) -> list[str]:
    return ["-u", device, "-P", secret or f"secret of {device}"]


async def test_on_loopback_anyone_may_publish_and_the_hub_hears_it(tmp_path: Path) -> None:
    async with running() as broker, hub(broker, tmp_path) as (mqtt, got):
        assert await pub(broker, "devices/D1/telemetry", '{"power": 1}') == 0
        await until(lambda: any(m.topic == "devices/D1/telemetry" for m in got))
        await mqtt.publish("devices/D1/set", "on", 1)


async def test_elsewhere_nobody_is_anonymous_and_a_device_keeps_to_its_own_topics(tmp_path: Path) -> None:
    async with running("0.0.0.0") as broker, hub(broker, tmp_path) as (_, got):
        assert await pub(broker, "devices/D1/telemetry", "anonymous") != 0
        assert await pub(broker, "devices/D1/telemetry", "wrong", signed("D1", "no")) != 0
        assert await pub(broker, "devices/D1/telemetry", "hub?", signed("ohmstead")) != 0  # a device of that name is not the hub
        await pub(broker, "devices/D2/telemetry", "foreign", signed("D1"))
        await pub(broker, "ohmstead/status", "offline", signed("D1"))
        await pub(broker, "devices/D1/telemetry", "own", signed("D1"))
        await until(lambda: any(m.payload == b"own" for m in got))
        assert {m.payload for m in got} <= {b"own", b"online"}


async def test_a_device_hears_only_what_is_for_it(tmp_path: Path) -> None:
    async with running("0.0.0.0") as broker, hub(broker, tmp_path) as (mqtt, _):
        listening = await client("mosquitto_sub", broker, "-t", "#", "-t", "devices/+/set", "-t", "devices/D1/set", "-v", *signed("D1"))
        await asyncio.sleep(0.3)
        await mqtt.publish("devices/D2/set", "off", 1)
        await mqtt.publish("devices/D1/set", "on", 1)
        assert listening.stdout is not None
        assert (await asyncio.wait_for(listening.stdout.readline(), 5)).strip() == b"devices/D1/set on"
        listening.terminate()
        await listening.communicate()
        await asyncio.sleep(0.05)  # the thread that waited for it


async def test_a_subscription_that_is_refused_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running("0.0.0.0") as broker:
        mqtt = Mqtt(tmp_path, Clock())
        mqtt.subscribe("devices/D2/#", lambda m: m.ack())
        await mqtt.apply(Options("127.0.0.1", broker.port, "D1", "secret of D1", protocol=4))
        await until(lambda: mqtt.connected)
        await mqtt.stop()
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and r.name.startswith("ohmstead")] == [
        "the MQTT broker does not let the hub subscribe to devices/D2/#; nothing comes from there"
    ]


async def test_a_taken_port_is_a_sentence() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on: Address already in use"):
            await Broker(verify, port=port).start()


async def test_logs_are_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with running("0.0.0.0") as broker:
            _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.1)
            writer.close()
            await pub(broker, "devices/D1/telemetry", "x", signed("D1", "no"))
    assert [r.getMessage() for r in caplog.records if not r.name.startswith("asyncio")] == [
        f"embedded MQTT broker on 0.0.0.0:{broker.port}",
        "embedded MQTT broker: 'D1' may not sign in",
    ]


async def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ohmstead.plugins.protocols.broker.door", None)
    with pytest.raises(ConfigError, match=r"pip install 'ohmstead\[demo\]'"):
        await Broker(verify).start()


def test_what_is_loopback() -> None:
    assert [h for h in ("127.0.0.1", "127.1.2.3", "localhost", "::1", "0.0.0.0", "192.168.1.5", "::", "hub.local") if is_loopback(h)] == [
        "127.0.0.1", "127.1.2.3", "localhost", "::1",
    ]  # fmt: skip


def test_the_warning_says_what_it_does_not_keep() -> None:
    assert all(words in WARNING for words in ("crash", "5 s", "shared subscriptions"))
