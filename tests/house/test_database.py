"""The database goes away under load: senders are slowed, nothing acknowledged is lost, and the hub recovers by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from tests.fakes.postgres import Postgres
from tests.fakes.running import RunningHub
from tests.house.test_kill import batch, stored


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


async def keep_sending(house: RunningHub, acknowledged: list[int], refused: list[int], until: asyncio.Event) -> None:
    async with house.client() as session:
        for number in range(100_000):
            while not until.is_set():
                async with session.post("/api/v1/telemetry/batch", json=batch(0, number, 50)) as answer:
                    if answer.status == 202:
                        acknowledged.append(number)
                        break
                    assert answer.status == 503, await answer.text()
                    assert int(answer.headers["Retry-After"]) > 0
                    refused.append(number)
                await asyncio.sleep(0.05)


async def accounted(house: RunningHub, acknowledged: list[int]) -> None:
    values = set((await stored(house, 0)).values())
    assert {float(i) for number in acknowledged for i in range(number * 50, number * 50 + 50)} <= values


async def test_postgresql_is_stopped_and_comes_back(hub: Callable[..., RunningHub], postgres: Postgres) -> None:
    url = postgres.create()
    house = hub(f"storage: {{url: '{url}'}}\n")
    await house.start()
    acknowledged: list[int] = []
    refused: list[int] = []
    stop = asyncio.Event()
    sending = asyncio.create_task(keep_sending(house, acknowledged, refused, stop))
    await asyncio.sleep(1)
    before = len(acknowledged)
    await asyncio.to_thread(postgres.stop)
    await asyncio.sleep(1)
    async with aiohttp.ClientSession() as session, session.get(f"{house.url}/ready") as answer:
        assert answer.status == 503
    await asyncio.to_thread(postgres.start)
    async with asyncio.timeout(30):
        while len(acknowledged) < before + 20:
            await asyncio.sleep(0.05)
    stop.set()
    await sending
    await accounted(house, acknowledged)
    assert house.stop() == 0


async def test_a_locked_sqlite_file_only_slows_the_senders(hub: Callable[..., RunningHub]) -> None:
    house = hub()
    await house.start()
    acknowledged: list[int] = []
    refused: list[int] = []
    stop = asyncio.Event()
    sending = asyncio.create_task(keep_sending(house, acknowledged, refused, stop))
    await asyncio.sleep(0.5)
    [file] = (house.folder / "data").glob("*.db")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    await asyncio.sleep(0.2)
    before = len(acknowledged)
    await asyncio.sleep(1.0)
    assert len(acknowledged) == before, "nothing is acknowledged while nothing can be stored"
    other.execute("ROLLBACK")
    other.close()
    async with asyncio.timeout(30):
        while len(acknowledged) < before + 20:
            await asyncio.sleep(0.05)
    stop.set()
    await sending
    await accounted(house, acknowledged)
