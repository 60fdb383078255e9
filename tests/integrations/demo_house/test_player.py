"""What the simulated devices publish, what they make of commands, and what is wrong with them on purpose."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from ohmstead.core.clock import ManualClock, settle
from ohmstead.core.errors import ConfigError
from ohmstead.integrations.demo_house.devices import DEVICES, Senses, speak
from ohmstead.integrations.demo_house.faults import KINDS, Faults
from ohmstead.integrations.demo_house.house import House
from ohmstead.integrations.demo_house.player import Message, Player, rounds
from ohmstead.integrations.demo_house.simulate import Broker, broker, players

START_MS = 1_796_083_200_000


def player(share: float = 0, **more: Any) -> Player:
    return Player(House(1, START_MS), 5000, Faults(1, share), **more)


def by_topic(messages: list[Message]) -> dict[str, dict[str, Any]]:
    return {message.topic: json.loads(message.payload) for message in messages}


def test_devices_speak_on_their_native_topics() -> None:
    said = by_topic(player().play(START_MS + 60_000))
    ids = {str(info.id) for info in DEVICES}
    assert set(said) == {f"devices/{d}/{t}" for d in ids - {"pv"} for t in ("telemetry", "readings")} | {"green-energy/pv/generation"}
    assert said["devices/D1/telemetry"].keys() == {"device_id", "timestamp", "voltage", "current", "power", "temperature", "switch"}
    assert said["devices/D1/telemetry"]["timestamp"] == "2026-12-01T00:01:00Z"
    assert said["devices/grid/readings"].keys() == {"timestamp", "energy_import", "energy_export"}
    assert said["green-energy/pv/generation"].keys() == {"timestamp", "power", "energy_export"}


def test_registers_come_once_a_minute() -> None:
    one = player()
    counts = [sum(topic.endswith("readings") for topic in by_topic(one.play(START_MS + n * 5000))) for n in range(1, 25)]
    assert [n for n, count in enumerate(counts, 1) if count] == [12, 24]


def test_what_is_said_first_and_last() -> None:
    assert by_topic(player().hello("online"))["devices/D1/status"] == {"status": "online", "timestamp": "2026-12-01T00:00:00Z"}


def test_a_command_switches_and_all_powers_move() -> None:
    one = player()
    one.play(START_MS + 5000)
    said = by_topic(one.obey("devices/D1/command", b'{"switch": "off"}', START_MS + 7000))
    assert (said["devices/D1/telemetry"]["power"], said["devices/D1/telemetry"]["switch"]) == (0, "off")
    powers = {topic: body["power"] for topic, body in said.items()}
    sources = powers.pop("devices/grid/telemetry") + powers.pop("green-energy/pv/generation") + powers.pop("devices/battery/telemetry")
    assert sources == pytest.approx(sum(powers.values()))
    assert one.obey("devices/D1/command", b'{"switch": "on"}', START_MS + 8000)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("devices/grid/command", b'{"switch": "off"}'), ("devices/D1/command", b"off"), ("devices/D1/command", b'{"switch": "dim"}'),
     ("devices/D1/command", b'{"dim": "3"}'), ("devices/D2/command", b'{"switch": "off"}'), ("devices/D1", b"{}"), ("x/y/z/w", b"{}"),
     ("devices/D1/command", b"\xff")],
)  # fmt: skip
def test_nonsense_is_passed_over(topic: str, payload: bytes) -> None:
    assert player().obey(topic, payload, START_MS) == []


def test_more_houses_have_ids_of_their_own() -> None:
    houses = players(23, 5000, 0, 1, START_MS)
    assert [len(house) for house in houses] == [10, 10, 3]
    topics = {message.topic for house in houses for message in house.hello("online")}
    assert len(topics) == 23
    assert "devices/D1/status" in topics
    assert "devices/D1-3/status" in topics
    assert houses[1].obey("devices/D1/command", b'{"switch": "off"}', START_MS) == []
    assert houses[1].obey("devices/D1-2/command", b'{"switch": "off"}', START_MS)


def play(share: float, seed: int = 1, rounds_: int = 3000) -> tuple[Faults, dict[str, list[Any]]]:
    house, senses, faults = House(1, START_MS), Senses(1, 0), Faults(seed, share)
    heard: dict[str, list[Any]] = defaultdict(list)
    for _ in range(rounds_):
        house.advance(house.at_ms + 5000)
        for said in speak(house, senses):
            heard[said.device].append(faults.pass_on(said))
    return faults, heard


def test_every_kind_of_fault_happens_and_can_be_seen() -> None:
    faults, heard = play(0.02)
    assert all(faults.begun[kind] for kind in KINDS)
    bulb = heard["D1"]
    values = [said for said in bulb if said is not None]
    assert any(said is None for said in bulb), "dropout"
    assert max(said.telemetry["temperature"] for said in values) > 85
    assert max(said.telemetry["voltage"] for said in values) > 260
    assert max(said.telemetry["current"] for said in values) > 2
    assert any(said.telemetry["power"] == 0 and said.registers["energy_import"] == 0 for said in values), "zero blip"
    assert any(said.registers["energy_import"] < 1 for said in values), "meter reset"
    times = [said.at_ms for said in values]
    assert any(b - a > 3_600_000 for a, b in pairwise(times)), "clock jump"


def test_a_reset_register_counts_on_from_zero_also_after_a_restart() -> None:
    faults, heard = play(0.05)
    registers = [said.registers["energy_import"] for said in heard["D1"] if said is not None]
    after = registers[registers.index(next(v for v in registers if 0 < v < 1)) :]
    assert 0 < after[-1] < 5
    again = Faults(1, 0.0)
    again.began = faults.began
    house = House(1, START_MS)
    house.advance(START_MS + 3001 * 5000)
    said = again.pass_on(speak(house, Senses(1, 0))[0])
    assert said is not None
    assert 0 <= said.registers["energy_import"] < 5


def test_faults_are_the_same_for_the_same_seed_and_none_for_no_share() -> None:
    assert play(0.05, rounds_=200)[0].begun == play(0.05, rounds_=200)[0].begun
    assert play(0.05, rounds_=200)[0].begun != play(0.05, seed=2, rounds_=200)[0].begun
    faults, heard = play(0, rounds_=50)
    assert not any(faults.begun.values())
    assert all(said is not None for said in heard["D1"])


async def test_rounds_are_spread_and_missed_ones_left_out() -> None:
    import asyncio

    clock = ManualClock(START_MS + 100)
    two = [player(), player(suffix="-2")]
    heard: list[tuple[int, int]] = []

    async def listen() -> None:
        async for who, at_ms in rounds(two, 5000, clock):
            heard.append((two.index(who), at_ms - START_MS))

    task = asyncio.create_task(listen())
    await settle()
    await clock.advance(10)
    assert [at for _, at in heard] == [0, 2500, 5000, 7500, 10_000]
    assert [who for who, _ in heard] in ([0, 1, 0, 1, 0], [1, 0, 1, 0, 1])
    clock.set(clock.now_ms() + 3_600_000)
    await clock.advance(5)
    assert 3 <= len(heard) - 5 <= 5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_addresses_of_brokers() -> None:
    assert broker("mqtt://hub:p%40ss@broker.lan:1884") == Broker("broker.lan", 1884, "hub", "p@ss")
    assert broker("mqtts://broker.lan") == Broker("broker.lan", 8883, tls=True)
    assert broker("127.0.0.1") == Broker("127.0.0.1", 1883)
    for wrong in ("http://x", "mqtt://", "mqtt://x:port"):
        with pytest.raises(ConfigError, match="mqtt://127"):
            broker(wrong)
