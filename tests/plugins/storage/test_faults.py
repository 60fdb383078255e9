"""The database is locked, full, gone or killed: ingest waits, the hub recovers by itself, nothing settled is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.ingest import Batch
from ohmstead.plugins.storage.writer import BOUND
from tests.fakes.postgres import Postgres
from tests.fakes.stored_house import StoredHouse

T0 = 1_794_000_000_000
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def live(storage_url: str, tmp_path: Path) -> AsyncIterator[StoredHouse]:
    """A house on the real clock, for what really waits."""
    async with StoredHouse(storage_url, tmp_path / "data", Clock()) as house:
        yield house


@pytest.fixture
async def on_sqlite(sqlite_url: str, tmp_path: Path) -> AsyncIterator[StoredHouse]:
    async with StoredHouse(sqlite_url, tmp_path / "data", Clock()) as house:
        yield house


async def until(condition: object, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.01)


def send(house: StoredHouse, first: int, count: int = 10) -> tuple[Batch, list[Exception | None]]:
    batch = house.batch([("d", "power", float(i), T0 + i) for i in range(first, first + count)])
    settled: list[Exception | None] = []
    batch.on_settled(settled.append)
    house.ingest.send(batch)
    return batch, settled


async def down_and_up(house: StoredHouse, caplog: pytest.LogCaptureFixture, end: object) -> None:
    """Send into a storage that is down, end the fault, and account for everything."""
    sent = [send(house, 100 * (place + 1))[1] for place in range(5)]
    await until(lambda: not house.storage.healthy)
    assert not any(sent)
    with pytest.raises(Unavailable):
        await house.storage.write(lambda tx: tx.exec_driver_sql("SELECT 1"), within_s=0.2)
    end()  # type: ignore[operator]
    await until(lambda: all(sent))
    assert sent == [[None]] * 5
    assert house.storage.healthy
    assert len(await house.raw("d", "power")) == 60
    for words in ("storage failed", "storage is back"):
        assert sum(words in record.message for record in caplog.records) == 1


async def test_a_locked_database(on_sqlite: StoredHouse, caplog: pytest.LogCaptureFixture) -> None:
    await on_sqlite.ingest.store(send(on_sqlite, 0)[0])
    caplog.set_level("INFO")
    with contextlib.closing(sqlite3.connect(on_sqlite.storage.address.file or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await down_and_up(on_sqlite, caplog, lambda: other.execute("ROLLBACK"))


async def test_it_is_back_when_something_is_written_and_no_reading_comes(on_sqlite: StoredHouse) -> None:
    async def nothing(tx: object) -> None:
        """Have a transaction."""

    with contextlib.closing(sqlite3.connect(on_sqlite.storage.address.file or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await on_sqlite.storage.write(nothing)
        assert not on_sqlite.storage.healthy
        other.execute("ROLLBACK")
    await on_sqlite.storage.write(nothing)
    assert on_sqlite.storage.healthy


async def test_a_full_disk(on_sqlite: StoredHouse, caplog: pytest.LogCaptureFixture) -> None:
    await on_sqlite.ingest.store(send(on_sqlite, 0)[0])
    caplog.set_level("INFO")
    wal = Path(f"{on_sqlite.storage.address.file}-wal")
    with file_limit(wal.stat().st_size) as lift:
        await down_and_up(on_sqlite, caplog, lift)


@contextlib.contextmanager
def file_limit(size: int) -> Iterator[object]:
    """No file may grow beyond `size` bytes: to a database that is a full disk. Python ignores the signal that goes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_vanished_database(on_sqlite: StoredHouse, caplog: pytest.LogCaptureFixture) -> None:
    await on_sqlite.ingest.store(send(on_sqlite, 0)[0])
    caplog.set_level("INFO")
    file = on_sqlite.storage.address.file
    assert file is not None
    folder, away = file.parent, file.parent.with_name("away")
    folder.rename(away)
    await down_and_up(on_sqlite, caplog, lambda: away.rename(folder))


async def test_a_stopped_server(postgres: Postgres, postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not postgres.ours:
        pytest.skip("the PostgreSQL of OHMSTEAD_TEST_POSTGRES is not ours to stop")
    async with StoredHouse(postgres_url, tmp_path, Clock()) as house:
        await house.ingest.store(send(house, 0)[0])
        caplog.set_level("INFO")
        await asyncio.to_thread(postgres.stop)
        try:
            with pytest.raises(Unavailable):
                async with house.storage.read():
                    pass
            await down_and_up(house, caplog, postgres.start)
        finally:
            with contextlib.suppress(RuntimeError):
                postgres.start()


async def test_a_full_queue_says_so_and_opens_again(live: StoredHouse) -> None:
    hold = asyncio.Event()

    async def wait(tx: object) -> None:
        await hold.wait()

    blocked = asyncio.create_task(live.storage.write(wait))
    await asyncio.sleep(0.05)
    feed = live.ingest.feed("d", "test")
    batches = []
    for place in range(BOUND // 10_000):
        batch = live.ingest.batch("test", "test", live=False)
        for i in range(10_000):
            batch.add(feed, "power", 1.0, T0 + place * 10_000 + i)
        batches.append(batch)
        live.ingest.send(batch)
    assert not live.storage.has_room()
    with pytest.raises(Unavailable):
        await live.ingest.room(within_s=0.05)
    hold.set()
    await blocked
    await live.ingest.room(within_s=20)
    await until(lambda: live.storage.waiting == 0)
    [info] = await live.storage.history.find("d")
    found = await live.storage.history.buckets(info.key, info.kind, T0, T0 + BOUND, "1d")
    assert sum(bucket.count for bucket in found) == BOUND


WRITER = """
import asyncio, sys
from pathlib import Path
from ohmstead.core.clock import Clock
from tests.fakes.stored_house import StoredHouse

async def main():
    async with StoredHouse(sys.argv[1], Path(sys.argv[2]), Clock()) as house:
        print("open", flush=True)
        for first in range(0, 10**9, 50):
            batch = house.batch([(f"d{i % 7}", "power", float(first), 1_794_000_000_000 + first + i) for i in range(50)])
            batch.on_settled(lambda error, first=first: print(first, flush=True) if error is None else None)
            house.ingest.send(batch)
            await house.ingest.room()
            await asyncio.sleep(0)

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_settled(storage_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, storage_url, str(tmp_path / "data")],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        settled = -1
        for line in process.stdout:
            settled = int(line) if line.strip() != "open" else settled
            if settled >= 5000:
                process.send_signal(signal.SIGKILL)
                break
        settled = max([settled, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.stdout.close()
        process.wait()
        async with StoredHouse(storage_url, tmp_path / "data") as house:
            stored = {at_ms - T0 for i in range(7) for at_ms, _ in await house.raw(f"d{i}", "power")}
        assert stored.issuperset(range(settled + 50))


class Odd(Batch):
    """A batch that trips the writer up once, as a mistake of ours would."""

    __slots__ = ("asked",)

    @property
    def size(self) -> int:
        self.asked = getattr(self, "asked", 0) + 1
        if self.asked == 2:
            raise RuntimeError("a mistake of ours")
        return Batch.size.fget(self)


async def test_a_writer_that_crashes_is_named_and_started_again(house: StoredHouse, caplog: pytest.LogCaptureFixture) -> None:
    odd = Odd(house.ingest, "test", "test")
    odd.add(odd.feed("d"), "power", 1.0, T0)
    storing = asyncio.create_task(house.ingest.store(odd, within_s=30))
    await house.store([("d", "power", 2.0, T0 + 1)])
    await storing
    assert await house.raw("d", "power") == [(T0, 1.0), (T0 + 1, 2.0)]
    assert "the storage writer crashed" in caplog.text
    assert house.storage.healthy
