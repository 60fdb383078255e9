"""The MQTT adapter against a real Mosquitto."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.plugins.protocols.mqtt import Message, Mqtt, Options
from tests.fakes.house import until
from tests.fakes.mosquitto import Mosquitto, mosquitto

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
