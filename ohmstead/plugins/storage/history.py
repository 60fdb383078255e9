"""Reads history back: raw, or gathered into buckets from raw readings and stored rollups.

Rollups are derived a little later than readings are stored; what still waits to be derived is marked, and taken from
the raw readings here, so that an answer is complete at any time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.buckets import RESOLUTIONS, Bucket, Span, gather, span_of, spans, whole_hours
from ohmstead.plugins.storage.gathering import by_bucket
from ohmstead.plugins.storage.reader import Reader
from ohmstead.plugins.storage.tables import HOME

MOST_MARKS = 2000  # with more of them a long import runs: read everything raw until it is rolled up
TABLE = {Kind.GAUGE: "readings", Kind.COUNTER: "readings", Kind.DELTA: "deltas", Kind.TEXT: "texts"}
FUNCTIONS = ("mean", "min", "max", "sum", "last", "count")
FIVE_MS, HOUR_MS = 300_000, 3_600_000
MARGIN_MS = 26 * HOUR_MS  # longer than any day
MOST_HOURS = 26  # in a day
UTC_ZONE = ZoneInfo("UTC")


class SeriesInfo(msgspec.Struct, frozen=True):
    """A series as storage knows it."""

    key: int
    device: str
    quantity: str
    kind: Kind
    unit: str


class History:
    """Queries; every list comes in order of time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def find(self, device: str | None = None, quantity: str | None = None) -> list[SeriesInfo]:
        """The series of a device, of a quantity, or all, sorted by device and quantity."""
        wanted = {"device_id": device, "quantity": quantity}
        given = [(name, value) for name, value in wanted.items() if value is not None]
        where = "".join(f" AND {name} = ${place}" for place, (name, _) in enumerate(given, 2))
        rows = await self._reader.rows(
            f"SELECT id, device_id, quantity, kind, unit FROM series WHERE tenant_id = $1{where} ORDER BY device_id, quantity",  # noqa: S608
            HOME,
            *(value for _, value in given),
        )
        return [SeriesInfo(key, device_id, name, Kind(kind), unit) for key, device_id, name, kind, unit in rows]

    async def period_start(self, device: str, end_ms: int) -> int | None:
        """Where the period of a device's energy begins that ends at `end_ms`: as stored, else at the end of the one before."""
        rows = await self._reader.rows(
            "SELECT d.at_ms, d.from_ms FROM deltas d JOIN series s ON s.id = d.series_id WHERE s.tenant_id = $1"
            " AND s.device_id = $2 AND s.quantity = 'energy' AND d.at_ms <= $3 ORDER BY d.at_ms DESC, d.from_ms DESC LIMIT 1",
            HOME,
            device,
            end_ms,
        )
        return next((from_ms if at_ms == end_ms else at_ms for at_ms, from_ms in rows), None)

    async def raw(
        self, key: int, start_ms: int, end_ms: int, limit: int, after_ms: int | None = None, kind: Kind = Kind.GAUGE
    ) -> list[tuple[int, Any]]:
        """(instant, value) of the readings or texts in [start_ms, end_ms), at most `limit`, only behind `after_ms`."""
        low = start_ms if after_ms is None else max(start_ms, after_ms + 1)
        sql = f"SELECT at_ms, value FROM {TABLE[kind]} WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4"  # noqa: S608
        return await self._reader.rows(sql, key, low, end_ms, limit)

    async def deltas(
        self, key: int, start_ms: int, end_ms: int, limit: int, after_ms: int | None = None
    ) -> list[tuple[int, int, float]]:
        """(start, end, value) of the periods that end in (start_ms, end_ms], at most `limit`, only behind `after_ms`."""
        low = start_ms if after_ms is None else max(start_ms, after_ms)
        return await self._reader.rows(_DELTAS, key, low, end_ms, limit)

    async def buckets(
        self,
        key: int,
        kind: Kind,
        start_ms: int,
        end_ms: int,
        resolution: str,
        zone: ZoneInfo = UTC_ZONE,
        limit: int = 1000,
        after_ms: int | None = None,
    ) -> list[Bucket]:
        """The buckets that touch [start_ms, end_ms) and hold anything, whole, at most `limit`.

        `after_ms` is the start of the last bucket of the page before. Invalid for texts and unknown resolutions.
        """
        if kind is Kind.TEXT or resolution not in RESOLUTIONS:
            raise Invalid(f"resolution {resolution!r}: texts are read raw, numbers raw or by {', '.join(RESOLUTIONS)}")
        if after_ms is not None:
            start_ms = max(start_ms, span_of(resolution, zone, after_ms)[1])
        ask = _Ask(self._reader, key, kind, zone)
        if kind is Kind.GAUGE and resolution != "1m":
            return await ask.rolled(resolution, start_ms, end_ms, limit)
        return await ask.from_raw(resolution, start_ms, end_ms, limit)

    async def aggregate(
        self,
        key: int,
        kind: Kind,
        function: str,
        start_ms: int,
        end_ms: int,
        interval: str,
        zone: ZoneInfo = UTC_ZONE,
        limit: int = 1000,
        after_ms: int | None = None,
    ) -> list[tuple[int, float]]:
        """(start, mean | min | max | sum | last | count) of each bucket that holds anything, as `buckets` gives them."""
        if function not in FUNCTIONS:
            raise Invalid(f"function {function!r}: choose {', '.join(FUNCTIONS)}")
        found = await self.buckets(key, kind, start_ms, end_ms, interval, zone, limit, after_ms)
        return [(bucket.start_ms, getattr(bucket, function)) for bucket in found]


class _Ask:
    """One question about one series."""

    def __init__(self, reader: Reader, key: int, kind: Kind, zone: ZoneInfo) -> None:
        self._reader = reader
        self._key = key
        self._kind = kind
        self._zone = zone

    async def from_raw(self, resolution: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        """Buckets made of raw readings, as many at a time as may be asked for; holes are leapt over."""
        found: list[Bucket] = []
        table = TABLE[self._kind]
        while len(found) < limit and (next_ms := await self._next(table, "at_ms", start_ms, end_ms)) is not None:
            some = _first(spans(resolution, self._zone, next_ms, end_ms), limit - len(found))
            found += await self._of_spans(table, some)
            start_ms = some[-1][1]
        return found

    async def rolled(self, resolution: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        """Buckets of a gauge from its rollups, from raw readings where those are marked."""
        marks = await self._reader.rows(_MARKS, self._key, start_ms - MARGIN_MS, end_ms + MARGIN_MS, MOST_MARKS)
        if len(marks) == MOST_MARKS:
            return await self.from_raw(resolution, start_ms, end_ms, limit)
        dirty = [start for (start,) in marks]
        if resolution == "5m":
            return await self._fives(dirty, start_ms, end_ms, limit)
        if resolution == "1h" and whole_hours(span_of("1h", self._zone, at_ms) for at_ms in (start_ms, end_ms)):
            return await self._hours(dirty, start_ms, end_ms, limit)
        found: list[Bucket] = []
        while len(found) < limit and (next_ms := await self._next_rolled(start_ms, end_ms)) is not None:
            some = _first(spans(resolution, self._zone, next_ms, end_ms), limit - len(found))
            found += await (self._days(dirty, some) if resolution == "1d" else self._of_fives(dirty, some))
            start_ms = some[-1][1]
        return found

    async def _fives(self, dirty: Sequence[int], start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        start_ms -= start_ms % FIVE_MS
        stored = await self._stored("rollup_5m", start_ms, end_ms, limit)
        fresh = await self._of_spans("readings", [(start, start + FIVE_MS) for start in dirty if start_ms <= start < end_ms])
        return _merge(stored, fresh)[:limit]

    async def _hours(self, dirty: Sequence[int], start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        start_ms -= start_ms % HOUR_MS
        stored = await self._stored("rollup_1h", start_ms, end_ms, limit)
        hours = sorted({start - start % HOUR_MS for start in dirty})
        fresh = await self._of_fives(dirty, [(hour, hour + HOUR_MS) for hour in hours if start_ms <= hour < end_ms])
        return _merge(stored, fresh)[:limit]

    async def _days(self, dirty: Sequence[int], days: Sequence[Span]) -> list[Bucket]:
        rows = await self._reader.rows(_DAYS, self._key, days[0][0], days[-1][1])
        wanted = set(days)
        stored = [Bucket(*row[2:]) for row in rows if (row[2], row[1]) in wanted]
        odd = [row for row in rows if (row[2], row[1]) not in wanted]
        others = [Bucket(*row[2:]) for row in odd]
        # A day is made anew where it changed since, or is stored for another zone or not at all.
        there = {(start, end) for _, end, start, *_ in rows}
        touched = _touched(days, dirty)
        remake = [day for day in days if day not in there or day in touched]
        if odd and odd[0][0] == self._zone.key:  # cut anew as far as could be: there was nothing to make others of
            remake = [day for day in remake if not any(start < day[1] and end > day[0] for _, end, start, *_ in odd)]
        else:
            others = await self._left(others, [(row[2], row[1]) for row in odd], remake)
        if not whole_hours(remake):
            return _beside(_merge(stored, await self._of_fives(dirty, remake)), days, others)
        fresh = await self._of_spans("rollup_1h", [day for day in remake if day not in touched])
        for day in touched:
            fresh += gather(await self._hours(dirty, *day, MOST_HOURS), [day])
        return _beside(_merge(stored, fresh), days, others)

    async def _left(self, others: Sequence[Bucket], theirs: Sequence[Span], remake: Sequence[Span]) -> list[Bucket]:
        """Of another zone's days those that hold more than what is left of the finer rollups that days are made of."""
        source = "rollup_1h" if whole_hours([*theirs, *remake]) else "rollup_5m"
        finer = {bucket.start_ms: bucket.count for bucket in await self._of_spans(source, theirs)}
        return [day for day in others if day.count > finer.get(day.start_ms, 0)]

    async def _of_fives(self, dirty: Sequence[int], into: Sequence[Span]) -> list[Bucket]:
        """Spans gathered from five minutes."""
        touched = _touched(into, dirty)
        found = await self._of_spans("rollup_5m", [span for span in into if span not in touched])
        for span in touched:
            found += gather(await self._fives(dirty, *span, MOST_HOURS * 12), [span])
        return sorted(found, key=_start)

    async def _stored(self, table: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        rows = await self._reader.rows(_ROLLUP.format(table=table), self._key, start_ms, end_ms, limit)
        return list(starmap(Bucket, rows))

    async def _of_spans(self, source: str, some: Sequence[Span]) -> list[Bucket]:
        if not some:
            return []
        sql = by_bucket(self._reader.engine_name, source, with_first=self._kind is not Kind.GAUGE)
        return list(starmap(Bucket, await self._reader.by_bucket(sql, some, self._key, some[0][0], some[-1][1])))

    async def _next(self, table: str, instant: str, start_ms: int, end_ms: int) -> int | None:
        rows = await self._reader.rows(_NEXT.format(table=table, instant=instant), self._key, start_ms, end_ms)
        return rows[0][0] if rows else None

    async def _next_rolled(self, start_ms: int, end_ms: int) -> int | None:
        """The next instant of which anything may be known; None at the end."""
        if start_ms >= end_ms:
            return None
        # Coarser rollups outlive the finer ones, and the one that holds `start_ms` began up to a day before.
        sources = {"rollup_1d": MARGIN_MS, "rollup_1h": HOUR_MS, "rollup_5m": FIVE_MS, "rollup_marks": FIVE_MS}
        found = [await self._next(table, "start_ms", start_ms - size_ms, end_ms) for table, size_ms in sources.items()]
        known = [at_ms for at_ms in found if at_ms is not None]
        return max(start_ms, min(known)) if known else None


def _touched(some: Iterable[Span], dirty: Sequence[int]) -> dict[Span, None]:
    """The spans in which a marked bucket begins, in their order."""
    places = ((span, bisect_left(dirty, span[0])) for span in some) if dirty else ()
    return {span: None for span, place in places if place < len(dirty) and dirty[place] < span[1]}


def _start(bucket: Bucket) -> int:
    return bucket.start_ms


def _first(found: Iterable[Span], count: int) -> list[Span]:
    return [span for span, _ in zip(found, range(count), strict=False)]


def _merge(stored: Sequence[Bucket], fresh: Sequence[Bucket]) -> list[Bucket]:
    """Stored buckets with the fresh ones in their place, unless raw readings have left since the stored one was made."""
    if not fresh:
        return list(stored)
    merged = {bucket.start_ms: bucket for bucket in stored}
    for bucket in fresh:
        old = merged.get(bucket.start_ms)
        if old is None or bucket.count > old.count:
            merged[bucket.start_ms] = bucket
    return [merged[start] for start in sorted(merged)]


def _beside(found: Sequence[Bucket], days: Sequence[Span], others: Iterable[Bucket]) -> list[Bucket]:
    """Days, and where none could be made those of another zone that begin there: finer rollups have left, they have not."""
    starts, made = [start for start, _ in days], {bucket.start_ms for bucket in found}
    return sorted([*found, *(each for each in others if starts[bisect_right(starts, each.start_ms) - 1] not in made)], key=_start)


_MARKS = "SELECT start_ms FROM rollup_marks WHERE series_id = $1 AND start_ms > $2 AND start_ms < $3 ORDER BY start_ms LIMIT $4"
_NEXT = "SELECT {instant} FROM {table} WHERE series_id = $1 AND {instant} >= $2 AND {instant} < $3 ORDER BY {instant} LIMIT 1"
_ROLLUP = (
    "SELECT start_ms, low, high, total, NULL, last, count FROM {table} WHERE series_id = $1 AND start_ms >= $2 AND start_ms < $3"
    " ORDER BY start_ms LIMIT $4"
)
_DAYS = (
    "SELECT s.time_zone, end_ms, start_ms, low, high, total, NULL, last, count FROM rollup_1d JOIN series s ON s.id = series_id"
    " WHERE series_id = $1 AND start_ms >= $2 AND start_ms < $3 ORDER BY start_ms"
)
_DELTAS = """
    SELECT from_ms, at_ms, value FROM deltas WHERE series_id = $1 AND at_ms > $2 AND at_ms <= $3 ORDER BY at_ms, from_ms LIMIT $4
"""
