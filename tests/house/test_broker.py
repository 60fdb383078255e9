"""What a correctly set-up broker holds for the hub survives kill -9, down-time and a restart of the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import aiomqtt
import pytest

from tests.fakes.mosquitto import DURABLE, Mosquitto, mosquitto
from tests.fakes.running import RunningHub

START = datetime(2026, 2, 7, tzinfo=UTC)
QUERY = {"quantity": "power", "start": "2026-02-06T00:00:00Z", "end": "2026-03-01T00:00:00Z", "limit": "5000"}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "broker", DURABLE) as running:
        yield running


async def publish(broker: Mosquitto, numbers: range, qos: int = 1) -> None:
    """One reading for each number, all acknowledged by the broker when this returns."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for number in numbers:
            stamp = (START + timedelta(seconds=number)).isoformat()
            await client.publish("devices/D1/telemetry", json.dumps({"device_id": "D1", "timestamp": stamp, "power": number}), qos=qos)


async def values(house: RunningHub) -> list[float]:
    found: list[float] = []
    async with house.client() as session:
        cursor: str | None = ""
        while cursor is not None:
            async with session.get("/api/v1/devices/D1/energy/readings", params=QUERY | ({"cursor": cursor} if cursor else {})) as answer:
                body = await answer.json()
            if answer.status == 404:
                return []
            assert answer.status == 200, body
            found += [reading["value"] for reading in body["data"]]
            cursor = body["meta"]["nextCursor"]
    return found


async def listening(house: RunningHub) -> None:
    """Start the hub and wait until it has subscribed: a broker keeps nothing for a session it has never seen."""
    await house.start()
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{house.url}/ready") as answer:
                if (await answer.json())["data"]["checks"]["mqtt"]["ok"]:
                    return
            await asyncio.sleep(0.05)


async def holds(house: RunningHub, count: int, within_s: float = 60.0) -> None:
    """Wait until exactly the first `count` numbers are stored."""
    found: list[float] = []
    async with asyncio.timeout(within_s):
        while len(found) < count:
            found = await values(house)
            await asyncio.sleep(0.1)
    assert found == [float(number) for number in range(count)]


def section(broker: Mosquitto, protocol: str) -> str:
    return f"mqtt: {{host: 127.0.0.1, port: {broker.port}, protocol: '{protocol}'}}\n"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_kill_9_under_mqtt_load_loses_nothing(hub: Callable[..., RunningHub], broker: Mosquitto, protocol: str) -> None:
    house = hub(section(broker, protocol))
    await listening(house)
    await publish(broker, range(10))
    await holds(house, 10)
    sending = asyncio.create_task(publish(broker, range(10, 1500)))
    await asyncio.sleep(0.4)
    house.kill()
    await house.start()
    await asyncio.sleep(0.2)
    house.kill()
    await sending
    await house.start()
    await holds(house, 1500)
    assert await house.get("/dead-letters") == []


async def test_down_time_and_a_restart_of_the_broker_lose_nothing(hub: Callable[..., RunningHub], broker: Mosquitto) -> None:
    house = hub(section(broker, "5"))
    await listening(house)
    await publish(broker, range(10), qos=2)
    await holds(house, 10)
    assert house.stop() == 0
    await publish(broker, range(10, 500))
    await broker.stop()
    await broker.start()
    await publish(broker, range(500, 600), qos=2)
    await house.start()
    await holds(house, 600)
    await broker.stop()
    await broker.start()
    await publish(broker, range(600, 700))
    await holds(house, 700)


async def test_what_is_refused_does_not_hold_up_the_rest(hub: Callable[..., RunningHub], broker: Mosquitto) -> None:
    house = hub(section(broker, "5"))
    await listening(house)
    for bad in ("{", '{"device_id": "D2", "timestamp": "2026-02-07T11:26:00Z", "power": 1}', '{"power": 1}', "NaN", "[" * 5000):
        await broker.publish("devices/D1/telemetry", bad)
    await publish(broker, range(20))
    await holds(house, 20)
    async with asyncio.timeout(10):
        while len(letters := await house.get("/dead-letters")) < 5:
            await asyncio.sleep(0.1)
    assert all(letter["reason"] and letter["source"] for letter in letters)
