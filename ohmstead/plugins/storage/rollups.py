"""Stored rollups of gauges: five minutes, hours, and days of the device's location.

Every group of readings marks the five-minute buckets it touched, in its own transaction. `derive` makes the marked
buckets, hours and days anew from what they consist of and takes the marks away, in one transaction. A bucket is only
replaced by one of at least as many readings: where retention has taken the raw ones, a late reading changes nothing.
Sums are made in order of time, so the same readings always give the same bytes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.plugins.storage.buckets import span_of, whole_hours
from ohmstead.plugins.storage.gathering import into_rollup
from ohmstead.plugins.storage.group import BUCKET_MS

CHUNK = 500  # marks a transaction takes, so that readings never wait long
HOUR_MS = 3_600_000

ZoneOf = Callable[[str], str]
Write = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]
Place = tuple[int, int, int]  # series, start, end


class Rollups:
    """Derives what is marked."""

    def __init__(self, write: Write, engine_name: str) -> None:
        self._write = write
        self._engine_name = engine_name
        self._sqlite = engine_name == "sqlite"

    async def derive(self, zone_of: ZoneOf, until_ms: int) -> int:
        """Derive every marked bucket that ended by `until_ms`; how many there were.

        `zone_of(device id)` names the IANA zone of the device's location, whose days are kept.
        """
        done, last = 0, (0, 0)
        while marks := await self._write(lambda tx: self._some(tx, zone_of, until_ms - BUCKET_MS, last)):  # noqa: B023
            done, last = done + len(marks), marks[-1]
        return done

    async def _some(self, tx: AsyncConnection, zone_of: ZoneOf, until_ms: int, last: tuple[int, int]) -> list[tuple[int, int]]:
        # Going on behind the last one saves PostgreSQL from walking over all that was just deleted.
        taken = await tx.execute(text(_TAKE), {"until_ms": until_ms, "count": CHUNK, "series": last[0], "start": last[1]})
        marks = sorted((series, start) for series, start in taken)
        if not marks:
            return marks
        found = await tx.execute(text(_DEVICES.format(keys=",".join({str(series) for series, _ in marks}))))
        zones = {series: ZoneInfo(zone_of(device)) for series, device in found}
        days = await asyncio.to_thread(lambda: {(series, *span_of("1d", zones[series], start)) for series, start in marks})
        hours = {(series, start - start % HOUR_MS, start - start % HOUR_MS + HOUR_MS) for series, start in marks}
        whole = {day for day in days if whole_hours([day[1:]])}
        await self._make(tx, "rollup_5m", "readings", [(series, start, start + BUCKET_MS) for series, start in marks])
        await self._make(tx, "rollup_1h", "rollup_5m", hours)
        await self._make(tx, "rollup_1d", "rollup_1h", whole)
        await self._make(tx, "rollup_1d", "rollup_5m", days - whole)
        return marks

    async def _make(self, tx: AsyncConnection, table: str, source: str, places: Iterable[Place]) -> None:
        """Gather the source into the places of the table."""
        rows = sorted(places)
        if not rows:
            return
        await tx.execute(text(_SPANS + (" WITHOUT ROWID" if self._sqlite else " ON COMMIT DELETE ROWS")))
        await tx.execute(text("DELETE FROM span"))
        await tx.execute(text(_FILL_SQLITE if self._sqlite else _FILL_POSTGRES), {"spans": json.dumps(rows)})
        await tx.execute(text(into_rollup(self._engine_name, source, table)))


_TAKE = """
    DELETE FROM rollup_marks WHERE (series_id, start_ms) IN (
        SELECT series_id, start_ms FROM rollup_marks
        WHERE (series_id, start_ms) > (:series, :start) AND start_ms <= :until_ms ORDER BY series_id, start_ms LIMIT :count)
    RETURNING series_id, start_ms
"""
_DEVICES = "SELECT id, device_id FROM series WHERE id IN ({keys})"
_SPANS = """
    CREATE TEMP TABLE IF NOT EXISTS span (
        series_id INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL, PRIMARY KEY (series_id, start_ms))
"""
_FILL_SQLITE = "INSERT INTO span SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:spans)"
_FILL_POSTGRES = """
    INSERT INTO span SELECT (value ->> 0)::integer, (value ->> 1)::bigint, (value ->> 2)::bigint
    FROM json_array_elements(CAST(:spans AS json))
"""
