"""Ohmstead's own topics over a real Mosquitto into ingest, acknowledged after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.model import DeviceStatus
from ohmstead.integrations.native import Native
from ohmstead.plugins.protocols.mqtt import Mqtt, Options
from tests.fakes.house import small_house, until
from tests.fakes.mosquitto import Mosquitto, mosquitto

AT = "2026-11-20T11:26:00Z"


@asynccontextmanager
async def house(folder: Path, broker: Mosquitto, protocol: int = 5) -> AsyncIterator[SimpleNamespace]:
    hub, store, registry = small_house(folder)
    mqtt = Mqtt(folder, Clock(), store.has_room)
    hub.provide(mqtt)
    native = Native(registry.report)
    native.ohmstead_routes(hub)
    native.ohmstead_started(hub)
    await mqtt.apply(Options("127.0.0.1", broker.port, protocol=protocol))
    await until(lambda: mqtt.connected)
    await asyncio.sleep(0.1)
    try:
        yield SimpleNamespace(hub=hub, store=store, registry=registry, mqtt=mqtt)
    finally:
        await mqtt.stop()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "broker") as running:
        yield running


async def test_every_topic_is_taken_in(tmp_path: Path, broker: Mosquitto) -> None:
    async with house(tmp_path, broker) as here:
        await broker.publish("devices/D1/telemetry", f'{{"device_id": "D1", "timestamp": "{AT}", "power": 195.9}}', 2)
        await broker.publish("devices/M1/readings", f'[{{"timestamp": "{AT}", "energy_import": 1234.567}}]', 1)
        await broker.publish("green-energy/roof/generation", f'{{"timestamp": "{AT}", "power": 2140, "energy_export": 889.4}}', 0)
        await broker.publish("devices/D1/status", '{"status": "error", "code": "E7", "message": "hot"}')
        await broker.publish("devices/D2/status", "offline")
        await until(lambda: len(here.store.rows) == 4 and len(here.registry.statuses) == 2)
        assert {row.series.address: row.value for row in here.store.rows} == {
            "D1.power": 195.9, "M1.energy_import": 1234.567, "roof.power": 2140.0, "roof.energy_export": 889.4,
        }  # fmt: skip
        assert [(s.status, s.code, device) for s, device in here.registry.statuses] == [
            (DeviceStatus.ERROR, "E7", "D1"),
            (DeviceStatus.OFFLINE, None, "D2"),
        ]
        assert "D2" not in here.registry.heard_of  # its last will is not its own word
        await until(lambda: here.mqtt.unacknowledged == 0)


@pytest.mark.parametrize("qos", [1, 2])
async def test_acknowledgement_waits_for_the_commit(tmp_path: Path, broker: Mosquitto, qos: int) -> None:
    async with house(tmp_path, broker) as here:
        here.store.held = []
        await broker.publish_lines("devices/D1/telemetry", [f'{{"timestamp": "{AT[:-2]}{n}Z", "power": {n}}}' for n in range(5)], qos)
        await until(lambda: sum(len(batch.rows) for batch in here.store.held) == 5)
        assert here.mqtt.unacknowledged == 5
        here.store.release()
        assert here.mqtt.unacknowledged == 0


async def test_what_was_not_committed_when_the_hub_dies_comes_again(tmp_path: Path, broker: Mosquitto) -> None:
    async with house(tmp_path, broker) as here:
        here.store.held = []
        await broker.publish("devices/D1/telemetry", f'{{"timestamp": "{AT}", "power": 5}}')
        await until(lambda: here.store.held)
    async with house(tmp_path, broker) as here:
        await until(lambda: [row.value for row in here.store.rows] == [5.0])


async def test_a_refused_message_is_acknowledged_once_its_dead_letter_is_committed(tmp_path: Path, broker: Mosquitto) -> None:
    async with house(tmp_path, broker) as here:
        here.store.held = []
        await broker.publish("devices/D1/telemetry", "not json")
        await broker.publish("devices/D1/status", "perhaps")
        await broker.publish("devices/D2/telemetry", f'{{"device_id": "D1", "timestamp": "{AT}", "power": 5}}')
        await until(lambda: sum(len(batch.letters) for batch in here.store.held) == 3)
        assert here.mqtt.unacknowledged == 3
        here.store.release()
        assert here.mqtt.unacknowledged == 0
        assert [(x.format, x.address, x.raw[:8]) for x in here.store.letters] == [
            ("telemetry", "D1", b"not json"),
            ("status", "D1", b"perhaps"),
            ("telemetry", "D2", b'{"device'),
        ]


async def test_a_batch_given_up_for_good_is_not_acknowledged(tmp_path: Path, broker: Mosquitto) -> None:
    async with house(tmp_path, broker) as here:
        here.store.held = []
        await broker.publish("devices/D1/telemetry", f'{{"timestamp": "{AT}", "power": 5}}')
        await until(lambda: here.store.held)
        here.store.held[0].settle(OSError("the disk is gone"))
        assert here.mqtt.unacknowledged == 1


async def test_a_burst_is_one_batch(tmp_path: Path, broker: Mosquitto) -> None:
    async with house(tmp_path, broker) as here:
        lines = [f'{{"timestamp": "2026-11-20T11:{n // 60:02}:{n % 60:02}Z", "power": {n}}}' for n in range(2000)]
        await broker.publish_lines("devices/D1/telemetry", lines)
        await until(lambda: len(here.store.rows) == 2000)
        assert [row.value for row in here.store.rows] == list(map(float, range(2000)))
        assert len(here.store.batches) < 1000


async def test_a_retained_message_without_time_fills_an_empty_state_only(tmp_path: Path, broker: Mosquitto) -> None:
    await broker.publish("devices/D1/telemetry", '{"power": 5}', 1, retain=True)
    async with house(tmp_path, broker) as here:
        await until(lambda: [s.value for s in here.hub.states] == [5.0])
        assert here.store.rows == here.store.letters == []
        await broker.publish("devices/D1/telemetry", '{"power": 6}', 1)
        await until(lambda: here.store.letters)
        assert here.store.letters[0].reason == "timestamp is missing"


async def test_a_house_without_mqtt_starts(tmp_path: Path) -> None:
    hub, _, registry = small_house(tmp_path)
    Native(registry.report).ohmstead_started(hub)
