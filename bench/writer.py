"""Rows a second through the writer, against a raw loop over sqlite3 with the same table, settings and groups, and
against COPY into the same keyed table of PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import statistics
import time
from pathlib import Path

from bench import readings
from bench.machine import lateness, quantile
from bench.private import Missing, folder, postgresql
from bench.row import Row, rounds, side_by_side
from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.ingest import Batch
from ohmstead.core.model import Row as Reading
from ohmstead.plugins.storage.storage import Storage

ROUNDS = rounds(3)
COUNT = 600_000
BATCH = 1000  # rows a source sends at once
GROUP = 20_000  # rows the writer commits at once while more wait
PRAGMAS = (
    "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL", "PRAGMA cache_size=-32768", "PRAGMA wal_autocheckpoint=20000",
    "PRAGMA synchronous=NORMAL",
)  # fmt: skip
TABLE = """
    CREATE TABLE readings (series_id INTEGER NOT NULL, at_ms BIGINT NOT NULL, value DOUBLE NOT NULL,
    PRIMARY KEY (series_id, at_ms)) WITHOUT ROWID
"""


def raw_sqlite(place: Path, rows: list[tuple[int, int, float]], group: int) -> float:
    """The limit: rows a second of sorted groups by executemany, in a thread with nothing beside it."""
    database = place / f"raw-{time.monotonic_ns()}.db"
    con = sqlite3.connect(database, isolation_level=None)
    for statement in (*PRAGMAS, TABLE):
        con.execute(statement)
    gc.collect()
    start = time.perf_counter()
    for first in range(0, len(rows), group):
        con.execute("BEGIN IMMEDIATE")
        con.executemany("INSERT INTO readings VALUES (?, ?, ?)", sorted(rows[first : first + group]))
        con.execute("COMMIT")
    rate = len(rows) / (time.perf_counter() - start)
    con.close()
    return rate


async def commit_all(storage: Storage, made: list[Batch]) -> float:
    """Put all batches as fast as there is room; seconds until the last is committed."""
    done = asyncio.Event()
    made[-1].on_settled(lambda error: done.set())
    start = time.perf_counter()
    for batch in made:
        if not storage.has_room():
            await storage.room()
        storage.put(batch)
        await asyncio.sleep(0)
    await done.wait()
    return time.perf_counter() - start


async def keep_busy() -> None:
    """An event loop that never rests: it runs Python all the time and gives every other task its turn."""
    while True:
        for _ in range(2000):
            pass
        await asyncio.sleep(0)


async def through_storage(url: str, place: Path, count: int, busy: bool) -> tuple[float, list[float], list[Reading]]:
    """Rows a second through Storage, how late the loop's timer was, and the rows (their series have keys now)."""
    clock, bus = Clock(), Bus()
    storage = Storage(url, place, clock, bus)
    await storage.open()
    try:
        rows = readings.rows(readings.series(), count)
        made = readings.batches(readings.ingest(storage, bus, clock), rows, BATCH)
        late: list[float] = []
        beside = [asyncio.create_task(keep_busy() if busy else lateness(late))]
        gc.collect()
        took = await commit_all(storage, made)
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        return count / took, late, rows
    finally:
        await storage.close()


def sqlite() -> list[Row]:
    """The writer alone, and beside a busy loop."""
    ours, theirs, busy, late = [], [], [], []
    for _ in range(ROUNDS):
        with folder() as place:
            rate, lateness_s, rows = asyncio.run(through_storage("sqlite:///alone.db", place, COUNT, busy=False))
            ours.append(rate)
            late.append(quantile(lateness_s, 0.99) * 1000)
            theirs.append(raw_sqlite(place, readings.plain(rows), GROUP))
            busy.append(asyncio.run(through_storage("sqlite:///busy.db", place, COUNT // 3, busy=True))[0])
    limit, ratios = side_by_side("raw sqlite3", ours, theirs, 0.8)
    return [
        Row("SQLite writer alone", "rows/s", statistics.median(ours), 200_000, (limit,), ratios=ratios,
            note=f"a 1 ms timer of the loop was late by {statistics.median(late):.1f} ms at p99"),
        Row("SQLite writer beside a busy loop", "rows/s", statistics.median(busy), 100_000),
    ]  # fmt: skip


# ---- PostgreSQL -----------------------------------------------------------------------------------------------------


async def copy(url: str, rows: list[tuple[int, int, float]]) -> float:
    """The limit: rows a second by COPY of sorted groups into the same keyed table, without partitions."""
    import asyncpg

    con = await asyncpg.connect(url)
    await con.execute("DROP TABLE IF EXISTS bare")
    await con.execute("CREATE TABLE bare (series_id integer, at_ms bigint, value double precision, PRIMARY KEY (series_id, at_ms))")
    gc.collect()
    start = time.perf_counter()
    for first in range(0, len(rows), GROUP):
        await con.copy_records_to_table("bare", records=sorted(rows[first : first + GROUP]), columns=("series_id", "at_ms", "value"))
    rate = len(rows) / (time.perf_counter() - start)
    await con.close()
    return rate


async def emptied(url: str) -> None:
    """Make the database as new."""
    import asyncpg

    con = await asyncpg.connect(url)
    await con.execute("DROP SCHEMA public CASCADE")
    await con.execute("CREATE SCHEMA public")
    await con.execute("CHECKPOINT")
    await con.close()


def postgres() -> list[Row]:
    """The writer on PostgreSQL."""
    ours, theirs = [], []
    with postgresql() as url, folder() as place:
        for _ in range(ROUNDS):
            asyncio.run(emptied(url))
            rate, _, rows = asyncio.run(through_storage(url, place, COUNT, busy=False))
            ours.append(rate)
            theirs.append(asyncio.run(copy(url, readings.plain(rows))))
    limit, ratios = side_by_side("COPY into the same table", ours, theirs, 0.45)
    return [Row("PostgreSQL writer", "rows/s", statistics.median(ours), 150_000, (limit,), ratios=ratios)]


def measure() -> list[Row]:
    """All three."""
    try:
        return [*sqlite(), *postgres()]
    except Missing as missing:
        print(f"PostgreSQL writer: {missing}")
        return sqlite()


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
