"""A year of 1-minute data of one of ten series by the hour: from raw readings and from rollups, against the bare SQL."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import readings
from bench.private import folder
from bench.row import Row, rounds, side_by_side
from bench.writer import commit_all
from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.model import Series
from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.storage import Storage

ROUNDS = rounds(7)
SERIES = 10
MINUTES = 525_600
HOURS = MINUTES // 60
LOT = 200_000
HOUR_MS = 3_600_000
END_MS = readings.START_MS + MINUTES * 60_000
FROM_RAW = f"""
    SELECT at_ms - at_ms % {HOUR_MS} AS hour, min(value), max(value), sum(value), count(*) FROM readings
    WHERE series_id = ? AND at_ms >= ? AND at_ms < ? GROUP BY hour ORDER BY hour
"""
FROM_ROLLUPS = """
    SELECT start_ms, low, high, total, last, count FROM rollup_1h WHERE series_id = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms
"""


async def fill(storage: Storage, owners: list[Series]) -> None:
    """Every minute each series reports."""
    way_in = readings.ingest(storage, Bus(), Clock())
    for first in range(0, SERIES * MINUTES, LOT):
        count = min(LOT, SERIES * MINUTES - first)
        rows = await asyncio.to_thread(readings.rows, owners, count, first, 60_000)
        await commit_all(storage, readings.batches(way_in, rows, 20_000))


def bare(database: Path, sql: str, key: int) -> float:
    """Milliseconds of the SQL alone, on a new connection as a reader of the hub has it."""
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as con:
        con.execute("PRAGMA cache_size=-16384")
        start = time.perf_counter()
        rows = con.execute(sql, (key, readings.START_MS, END_MS)).fetchall()
        took = (time.perf_counter() - start) * 1000
    con.close()
    assert len(rows) == HOURS, len(rows)
    return took


async def timed(ask: Callable[[], Awaitable[list[object]]]) -> float:
    """Milliseconds of a query through the storage."""
    start = time.perf_counter()
    found = await ask()
    took = (time.perf_counter() - start) * 1000
    assert len(found) == HOURS, len(found)
    return took


async def compare(storage: Storage, database: Path, sql: str, key: int) -> tuple[list[float], list[float]]:
    """Ours and the bare SQL in turn."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(await timed(lambda: storage.history.buckets(key, Kind.GAUGE, readings.START_MS, END_MS, "1h", limit=HOURS)))  # type: ignore[arg-type, return-value]
        theirs.append(await asyncio.to_thread(bare, database, sql, key))
    return ours, theirs


async def both(place: Path) -> list[Row]:
    """Fill, ask, derive the rollups, ask again."""
    storage = Storage("sqlite:///year.db", place, Clock(), Bus())
    await storage.open()
    try:
        owners = readings.series(SERIES)
        await fill(storage, owners)
        key, database = owners[3].key, place / "year.db"
        assert key is not None
        raw = await compare(storage, database, FROM_RAW, key)
        start = time.perf_counter()
        await storage.rollups.derive(lambda device: "Europe/Berlin", END_MS)
        derived_s = time.perf_counter() - start
        rolled = await compare(storage, database, FROM_ROLLUPS, key)
    finally:
        await storage.close()
    note = f"deriving the rollups of {SERIES} series took {derived_s:.0f} s"
    return [_row("from raw", 250, raw, ""), _row("from rollups", 15, rolled, note)]


def _row(way: str, wanted: float, pair: tuple[list[float], list[float]], note: str) -> Row:
    limit, ratios = side_by_side("the bare SQL", *pair, 1.5)
    what = f"a year of 1-minute data by hour, {way}"
    return Row(what, "ms", statistics.median(pair[0]), wanted, (limit,), less=True, ratios=ratios, note=note)


def measure() -> list[Row]:
    """Two rows."""
    with folder() as place:
        return asyncio.run(both(place))


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
