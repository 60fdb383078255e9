"""Stored rollups of gauges: five minutes, hours, and days of the device's location.

Every group of readings marks the five-minute buckets it touched, in its own transaction. `derive` makes the marked
buckets, hours and days anew from what they consist of and takes the marks away, in one transaction. Where raw readings
have left, all of the local day are read back for it; without that a bucket is only replaced by one of more readings.
Sums are made in order of time, so the same readings always give the same bytes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import text

from ohmstead.core.errors import Unavailable
from ohmstead.plugins.storage.buckets import span_of, spans, whole_hours
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.gathering import into_rollup
from ohmstead.plugins.storage.group import BUCKET_MS
from ohmstead.plugins.storage.reader import Reader

log = logging.getLogger(__name__)

CHUNK = 500  # marks a transaction takes, so that readings never wait long
BACK = 8  # local days whose readings are read back in one
HOUR_MS = 3_600_000
LONGEST_MS = 26 * HOUR_MS  # no local day is longer
NEVER = -(1 << 62)

ZoneOf = Callable[[str], str]
Write = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]
Bulk = Callable[[AsyncConnection, str, Sequence[str], Sequence[tuple[Any, ...]]], Awaitable[None]]
Mark = tuple[int, int]  # series, start
Place = tuple[int, int, int]  # series, start, end


class Past(Protocol):
    """Whoever has the raw readings that left the database."""

    async def left(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> bool:
        """Whether readings of a series in [start, end) have left."""

    async def readings(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> Sequence[tuple[int, Any]]:
        """All of its readings in [start, end) in order of time, those in the database too. Unavailable."""


class Rollups:
    """Derives what is marked."""

    def __init__(self, reader: Reader, write: Write, bulk: Bulk) -> None:
        self._reader, self._write, self._bulk = reader, write, bulk
        self._engine_name = reader.engine_name
        self._sqlite = reader.engine_name == "sqlite"
        self.past: Past | None = None

    async def derive(self, zone_of: ZoneOf, until_ms: int) -> int:
        """Derive every marked bucket that ended by `until_ms`; how many there were.

        `zone_of(device id)` names the IANA zone of the device's location, whose days are kept: those of a device that is
        in another zone than before are cut anew, as far back as there are five minutes.
        """
        await self._rezone(zone_of)
        done, last = 0, (0, 0)
        while marks := await self._write(lambda tx: self._some(tx, zone_of, until_ms - BUCKET_MS, last)):  # noqa: B023
            done, last = done + len(marks), marks[-1]
        return done

    async def _some(self, tx: AsyncConnection, zone_of: ZoneOf, until_ms: int, last: Mark) -> list[Mark]:
        # Going on behind the last one saves PostgreSQL from walking over all that was just deleted.
        taken = await tx.execute(text(_TAKE), {"until_ms": until_ms, "count": CHUNK, "series": last[0], "start": last[1]})
        marks = sorted((series, start) for series, start in taken)
        if not marks:
            return marks
        found = await tx.execute(text(_DEVICES.format(keys=",".join({str(series) for series, _ in marks}))))
        zones = {series: ZoneInfo(zone_of(device)) for series, device in found}
        days = await asyncio.to_thread(lambda: {(series, start): (series, *span_of("1d", zones[series], start)) for series, start in marks})
        days = await self._between(tx, days)
        back = await self._read_back(tx, days)
        if beyond := [mark for mark in marks if days[mark] not in back]:
            await self._bulk(tx, "rollup_marks", ("series_id", "start_ms"), beyond)
            marks = marks[: marks.index(beyond[0])]
        here = [mark for mark in marks if back[days[mark]] is None]
        left = [day for day, span in back.items() if span is not None and span[0] < span[1]]
        await self._make(tx, "rollup_5m", "readings", [(series, start, start + BUCKET_MS) for series, start in here])
        await self._make(tx, "rollup_5m", "past", [(day[0], *five) for day in left for five in _even(back[day], BUCKET_MS)])
        hours = {(series, start - start % HOUR_MS, start - start % HOUR_MS + HOUR_MS) for series, start in here}
        await self._make(tx, "rollup_1h", "rollup_5m", hours.union((day[0], *hour) for day in left for hour in _even(back[day], HOUR_MS)))
        await self._make_days(tx, {*left, *(days[mark] for mark in here)})
        return marks

    async def _between(self, tx: AsyncConnection, days: Mapping[Mark, Place]) -> dict[Mark, Place]:
        """The days, each as it is cut already, or between those that are: not all of another zone's could be cut anew."""
        await self._fill(tx, sorted(set(days.values())))
        others: dict[int, list[tuple[int, int]]] = {}
        for series, start_ms, end_ms in await tx.execute(text(_OTHERS), {"longest_ms": LONGEST_MS}):
            others.setdefault(series, []).append((start_ms, end_ms))
        return {mark: (mark[0], *_cut(day[1:], mark[1], others.get(mark[0], ()))) for mark, day in days.items()}

    async def _read_back(self, tx: AsyncConnection, days: Mapping[Mark, Place]) -> dict[Place, tuple[int, int] | None]:
        """Of the local days, as many as there is time for: None, or over which whole hours their readings are in `past` now.

        That span is empty where they cannot be read back: what is known of them stays as it is.
        """
        found: dict[Place, tuple[int, int] | None] = {}
        rows: list[tuple[int, int, Any]] = []
        for day in dict.fromkeys(days.values()):
            series, start_ms, end_ms = day[0], day[1] - day[1] % HOUR_MS, day[2] + -day[2] % HOUR_MS
            if self.past is None or not await self.past.left(tx, series, start_ms, end_ms):
                found[day] = None
                continue
            if sum(span is not None for span in found.values()) == BACK:
                break
            try:
                rows += [(series, *row) for row in await self.past.readings(tx, series, start_ms, end_ms)]
                found[day] = start_ms, end_ms
            except Unavailable as error:
                log.warning("late readings leave the rollups as they are: %s", error)
                found[day] = start_ms, start_ms
        if rows:
            await tx.execute(text(_PAST + self._passing()))
            await tx.execute(text("DELETE FROM past"))
            await self._bulk(tx, "past", ("series_id", "at_ms", "value"), list({row[:2]: row for row in rows}.values()))
        return found

    async def _rezone(self, zone_of: ZoneOf) -> None:
        """Cut days anew where devices are in another time zone than when they were cut."""
        fresh: dict[str, list[str]] = {}
        for key, device, zone in await self._reader.rows("SELECT id, device_id, time_zone FROM series WHERE kind = 'gauge' ORDER BY id"):
            now = zone_of(device)
            if zone is None:
                fresh.setdefault(now, []).append(str(key))
            elif zone != now:
                await self._write(lambda tx: self._recut(tx, key, now))  # noqa: B023
        for zone, keys in fresh.items():
            sql = text(_ZONE.format(keys=",".join(keys)))
            await self._write(lambda tx: tx.execute(sql, {"zone": zone}))  # noqa: B023

    async def _recut(self, tx: AsyncConnection, series: int, zone: str) -> None:
        """The days of a series of which all five minutes are there yet; those before stay as they were cut."""
        kept_ms = (await tx.execute(text(_KEPT), {"series": series})).scalar_one() or NEVER
        behind = {"series": series, "kept_ms": kept_ms}
        first, last = (await tx.execute(text(_FIVES), behind)).one()
        await tx.execute(text("DELETE FROM rollup_1d WHERE series_id = :series AND end_ms > :kept_ms"), behind)
        if first is not None:
            days = await asyncio.to_thread(lambda: list(spans("1d", ZoneInfo(zone), first, last + 1)))
            await self._make_days(tx, {(series, max(start, kept_ms), end) for start, end in days})
        await tx.execute(text(_ZONE.format(keys=series)), {"zone": zone})

    async def _make_days(self, tx: AsyncConnection, days: set[Place]) -> None:
        whole = {day for day in days if whole_hours([day[1:]])}
        await self._make(tx, "rollup_1d", "rollup_1h", whole)
        await self._make(tx, "rollup_1d", "rollup_5m", days - whole)

    async def _make(self, tx: AsyncConnection, table: str, source: str, places: Iterable[Place]) -> None:
        """Gather the source into the places of the table."""
        if rows := sorted(places):
            await self._fill(tx, rows)
            await tx.execute(text(into_rollup(self._engine_name, source, table)))

    async def _fill(self, tx: AsyncConnection, rows: Sequence[Place]) -> None:
        """Make the table `span` hold these."""
        await tx.execute(text(_SPANS + self._passing()))
        await tx.execute(text("DELETE FROM span"))
        await tx.execute(text(_FILL_SQLITE if self._sqlite else _FILL_POSTGRES), {"spans": json.dumps(rows)})

    def _passing(self) -> str:
        return " WITHOUT ROWID" if self._sqlite else " ON COMMIT DELETE ROWS"


def _cut(day: tuple[int, int], at_ms: int, others: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The span of a day that an instant in it belongs to: that of the other day it lies in, else what others leave around it."""
    start_ms, end_ms = day
    for low_ms, high_ms in others:
        if low_ms <= at_ms < high_ms:
            return low_ms, high_ms
        if high_ms <= at_ms:
            start_ms = max(start_ms, high_ms)
        else:
            end_ms = min(end_ms, low_ms)
    return start_ms, end_ms


def _even(span: tuple[int, int] | None, size_ms: int) -> Iterable[tuple[int, int]]:
    return [] if span is None else [(start, start + size_ms) for start in range(*span, size_ms)]


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
_OTHERS = """
    SELECT d.series_id, d.start_ms, d.end_ms FROM span s CROSS JOIN rollup_1d d
    WHERE d.series_id = s.series_id AND d.start_ms > s.start_ms - :longest_ms AND d.start_ms < s.end_ms
        AND d.end_ms > s.start_ms AND (d.start_ms <> s.start_ms OR d.end_ms <> s.end_ms)
"""
_PAST = """
    CREATE TEMP TABLE IF NOT EXISTS past (
        series_id INTEGER NOT NULL, at_ms BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, PRIMARY KEY (series_id, at_ms))
"""
_ZONE = "UPDATE series SET time_zone = :zone WHERE id IN ({keys})"
_KEPT = """
    SELECT max(end_ms) FROM rollup_1d d WHERE series_id = :series AND count > (
        SELECT coalesce(sum(f.count), 0) FROM rollup_5m f
        WHERE f.series_id = d.series_id AND f.start_ms >= d.start_ms AND f.start_ms < d.end_ms)
"""
_FIVES = "SELECT min(start_ms), max(start_ms) FROM rollup_5m WHERE series_id = :series AND start_ms >= :kept_ms"
_FILL_SQLITE = "INSERT INTO span SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:spans)"
_FILL_POSTGRES = """
    INSERT INTO span SELECT (value ->> 0)::integer, (value ->> 1)::bigint, (value ->> 2)::bigint
    FROM json_array_elements(CAST(:spans AS json))
"""
