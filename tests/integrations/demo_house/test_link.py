"""The demo house under a real hub, over a real broker: heard, commanded, restarted; and simulated against any broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Refused, Unsupported
from ohmstead.core.hub import Hub
from ohmstead.core.model import Command
from ohmstead.core.runner import Entry
from ohmstead.integrations.demo_house import DemoHouse
from ohmstead.integrations.demo_house.demo import MARK, free_port, greeting, prepare
from ohmstead.integrations.demo_house.devices import DEVICES
from ohmstead.integrations.demo_house.house import SOURCES
from ohmstead.integrations.demo_house.link import KEPT
from ohmstead.integrations.demo_house.simulate import Broker, players, simulate
from ohmstead.integrations.native import Native
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.protocols.mqtt import Message, Mqtt, Options
from tests.fakes.house import MemoryStore, OpenRegistry, until
from tests.fakes.mosquitto import Mosquitto, mosquitto


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "broker") as running:
        yield running


class Running:
    """A hub of real parts over a store that remembers, with Ohmstead's own topics and the demo house."""

    def __init__(self, folder: Path, mqtt: Mqtt) -> None:
        self.hub = Hub(folder)
        self.hub.data_dir.mkdir(parents=True, exist_ok=True)
        self.mqtt = mqtt
        self.store, self.registry = MemoryStore(1_000_000), OpenRegistry()
        self.protocols = Protocols(self.hub.clock, mqtt, self.hub.quantities)
        self.hub.connect(self.store, self.registry, self.protocols.context)
        self.hub.provide(mqtt)
        self.integration = DemoHouse(self.hub).ohmstead_integrations()
        Native(self.registry.report).ohmstead_started(self.hub)

    async def play(self, **options: object) -> None:
        entry = Entry("house", self.integration, validate.options(self.integration.schema, options))
        await self.hub.runners.apply({"house": entry})

    def state(self, address: str) -> object:
        return {state.series.address: state.value for state in self.hub.states}.get(address)


@contextlib.asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[Running]:
    mqtt = Mqtt(folder / "data", Clock())
    house = Running(folder, mqtt)
    await mqtt.apply(Options(port=port))
    try:
        yield house
    finally:
        await house.hub.runners.apply({})
        await house.hub.tasks.stop_all()
        await mqtt.stop()
        await house.protocols.close()


async def test_a_house_under_a_hub(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(tmp_path, broker.port) as house:
        await house.play(days=0.25, every="0.5s")
        await until(lambda: house.state("plug_washer.power") is not None and house.state("house.irradiance") is not None, 15)
        assert {str(info.id) for info, _ in house.registry.infos} >= {str(info.id) for info in DEVICES}
        past = [batch for batch in house.store.batches if not batch.live]
        assert sum(batch.size for batch in past) == 72 * 33
        assert not [letter for letter in house.store.letters if letter.device != "house"]
        await house.hub.runners.command(Command("D1", "switch", "off"))
        await until(lambda: house.state("D1.switch") == "off" and house.state("D1.power") == 0, 10)
        with pytest.raises(Unsupported, match="cannot be switched"):
            await house.hub.runners.command(Command("grid", "switch", "off"))
    kept = msgspec.json.decode((tmp_path / "data" / KEPT).read_bytes())
    assert kept["off"] == ["D1"]
    powers: dict[int, dict[str, float]] = {}
    for row in house.store.rows:
        if row.series.quantity == "power":
            powers.setdefault(row.at_ms, {})[row.series.device] = float(row.value)
    whole = [by for by in powers.values() if len(by) == len(DEVICES)]
    assert len(whole) > 72
    for by in whole:
        assert sum(by[s] for s in SOURCES) == pytest.approx(sum(power for device, power in by.items() if device not in SOURCES), abs=1e-9)

    async with running(tmp_path, broker.port) as again:
        await again.play(days=0.25, every="0.5s")
        await until(lambda: again.state("D1.switch") == "off", 15)
        assert all(batch.live for batch in again.store.batches), "the history is written once"
    assert msgspec.json.decode((tmp_path / "data" / KEPT).read_bytes())["registers"]["grid.import"] >= kept["registers"]["grid.import"]


async def test_a_house_that_cannot_be_remembered_begins_anew(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(tmp_path, broker.port) as house:
        (house.hub.data_dir / KEPT).write_text('{"seed": "half')
        await house.play(days=1, every="0.5s")
        await until(lambda: house.state("plug_washer.power") is not None, 15)
        assert all(batch.live for batch in house.store.batches)


async def test_simulated_devices_against_a_broker_that_comes_back(broker: Mosquitto, tmp_path: Path) -> None:
    mqtt, heard = Mqtt(tmp_path, Clock()), []

    def hear(message: Message) -> None:
        heard.append((message.topic, message.payload))
        message.ack()

    mqtt.subscribe("devices/#", hear)
    await mqtt.apply(Options(port=broker.port))
    await until(lambda: mqtt.connected, 10)
    clock = Clock()
    houses = players(12, 200, 0.0, 1, clock.now_ms())
    playing = asyncio.create_task(simulate(Broker("127.0.0.1", broker.port), houses, 200, clock))
    await until(lambda: {"devices/D1/telemetry", "devices/grid-2/telemetry", "devices/D1-2/status"} <= {topic for topic, _ in heard}, 10)
    assert not any(topic.startswith("devices/ev-2") for topic, _ in heard)
    await mqtt.publish("devices/D1-2/command", '{"switch": "off"}', qos=1)
    await until(lambda: any(topic == "devices/D1-2/telemetry" and b'"off"' in payload for topic, payload in heard), 10)
    await broker.stop()
    await broker.start()
    await until(lambda: mqtt.connected, 15)
    heard.clear()
    await until(lambda: any(topic == "devices/D1/telemetry" for topic, _ in heard), 15)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    await until(lambda: any(b"offline" in payload for _, payload in heard), 10)
    await mqtt.stop()


async def test_wrong_credentials_end_the_simulation(tmp_path: Path) -> None:
    access = f"allow_anonymous false\npassword_file {tmp_path}/users\n"
    (tmp_path / "users").write_text("")
    (tmp_path / "users").chmod(0o600)
    async with mosquitto(tmp_path / "broker", access=access) as broker:
        with pytest.raises(Refused, match="127.0.0.1"):
            await asyncio.wait_for(simulate(Broker("127.0.0.1", broker.port, "x", "y"), players(1, 200, 0, 1, 0), 200, Clock()), 10)


def test_the_demos_configuration_is_ours_until_somebody_makes_it_theirs(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "configuration.yaml"
    prepare(path.parent, 1884, seed=3, days=2, faults=0.05)
    text = path.read_text()
    assert text.startswith(MARK)
    assert "port: 1884" in text
    assert "faults: 0.05" in text
    prepare(path.parent, 1885)
    assert "port: 1885" in path.read_text()
    path.write_text(text.removeprefix(MARK))
    prepare(path.parent, 1886)
    assert "port: 1884" in path.read_text()


def test_the_greeting_says_where_to_look(tmp_path: Path) -> None:
    text = greeting(tmp_path, "localhost", 7230, 1883, "abc")
    assert "http://localhost:7230/" in text
    assert "mosquitto_pub -h 127.0.0.1 -p 1883" in text
    assert "TOKEN=abc" in text


async def test_a_port_that_is_taken_is_not_chosen(broker: Mosquitto) -> None:
    assert free_port(broker.port) != broker.port
    port = free_port(0)
    assert free_port(port) == port
