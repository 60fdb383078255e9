"""Bytes of the database file for each stored reading: as it lives, and after VACUUM."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from bench import readings
from bench.private import folder
from bench.row import Beside, Row
from bench.writer import commit_all
from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.plugins.storage.storage import Storage

COUNT = 2_000_000
LOT = 200_000
HOME_ASSISTANT = 161.0  # bytes a state row of 2024.3.3's recorder, measured once beside raw sqlite3


async def fill(place: Path) -> None:
    """Store readings of 1,000 series in order of time, and the rollups of what they mark."""
    storage = Storage("sqlite:///size.db", place, Clock(), Bus())
    await storage.open()
    try:
        way_in = readings.ingest(storage, Bus(), Clock())
        owners = readings.series()
        for first in range(0, COUNT, LOT):
            rows = await asyncio.to_thread(readings.rows, owners, LOT, first)
            await commit_all(storage, readings.batches(way_in, rows, 1000))
    finally:
        await storage.close()


def file_bytes(database: Path, statement: str) -> int:
    """The size of the file once the log is in it, after one more statement."""
    con = sqlite3.connect(database, isolation_level=None)
    con.execute(statement)
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    con.close()
    return database.stat().st_size


def measure() -> list[Row]:
    """Two rows. The file also holds the marks of what is to be rolled up."""
    with folder() as place:
        asyncio.run(fill(place))
        live = file_bytes(place / "size.db", "SELECT 1") / COUNT
        vacuumed = file_bytes(place / "size.db", "VACUUM") / COUNT
    peer = (Beside("Home Assistant 2024.3.3, measured before", HOME_ASSISTANT, 1.0),)
    return [
        Row("stored reading on SQLite, 1,000 series", "bytes", live, 28, peer, less=True),
        Row("stored reading on SQLite after VACUUM", "bytes", vacuumed, 24, less=True),
    ]


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
