"""Reads history back: raw, or gathered into buckets from raw readings and stored rollups.

Rollups are derived a little later than readings are stored; what still waits to be derived is marked, and taken from
the raw readings here, so that an answer is complete at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.buckets import RESOLUTIONS, Bucket, Span, gather, span_of, spans, whole_hours
from ohmstead.plugins.storage.reader import Reader
from ohmstead.plugins.storage.tables import HOME

MOST_MARKS = 2000  # with more of them a long import runs: read everything raw until it is rolled up
TABLE = {Kind.GAUGE: "readings", Kind.COUNTER: "readings", Kind.DELTA: "deltas", Kind.TEXT: "texts"}
FUNCTIONS = ("mean", "min", "max", "sum", "last", "count")
BEGINNING_MS = -62_135_596_800_000  # the year 1
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

    async def raw(
        self, key: int, start_ms: int, end_ms: int, limit: int, after_ms: int | None = None, kind: Kind = Kind.GAUGE
    ) -> list[tuple[int, Any]]:
        """(instant, value) of the readings or texts in [start_ms, end_ms), at most `limit`, only behind `after_ms`."""
        low = start_ms if after_ms is None else max(start_ms, after_ms + 1)
        sql = f"SELECT at_ms, value FROM {TABLE[kind]} WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4"  # noqa: S608
        return await self._reader.rows(sql, key, low, end_ms, limit)  # type: ignore[return-value]

    async def deltas(
        self, key: int, start_ms: int, end_ms: int, limit: int, after_ms: int | None = None
    ) -> list[tuple[int, int, float]]:
        """(start, end, value) of the periods that end in (start_ms, end_ms], at most `limit`, only behind `after_ms`."""
        low = start_ms if after_ms is None else max(start_ms, after_ms)
        sql = "SELECT from_ms, at_ms, value FROM deltas WHERE series_id = $1 AND at_ms > $2 AND at_ms <= $3 ORDER BY at_ms, from_ms LIMIT $4"
        return await self._reader.rows(sql, key, low, end_ms, limit)  # type: ignore[return-value]

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
        self._zone = zone
        self._table = table = TABLE[kind]
        sql = _BY_BUCKET_SQLITE if reader.engine_name == "sqlite" else _BY_BUCKET_POSTGRES
        first = "NULL" if kind is Kind.GAUGE else _FIRST[reader.engine_name]  # rollups of gauges do not keep it
        self._by_bucket = sql.format(table=table, first=first.format(table=table))

    async def from_raw(self, resolution: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        """Buckets made of raw readings, as many at a time as may be asked for; holes are leapt over."""
        found: list[Bucket] = []
        while len(found) < limit and (next_ms := await self._next(self._table, "at_ms", start_ms, end_ms)) is not None:
            some = _first(spans(resolution, self._zone, next_ms, end_ms), limit - len(found))
            found += await self._of_spans(some)
            start_ms = some[-1][1]
        return found

    async def rolled(self, resolution: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        """Buckets of a gauge from its rollups, from raw readings where those are marked."""
        marks = await self._reader.rows(_MARKS, self._key, start_ms - 100_000_000, end_ms + 100_000_000, MOST_MARKS)
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
            found += await (self._days(dirty, some) if resolution == "1d" else self._uneven(dirty, some))
            start_ms = some[-1][1]
        return found

    async def _fives(self, dirty: Sequence[int], start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        start_ms -= start_ms % 300_000
        stored = await self._stored("rollup_5m", start_ms, end_ms, limit)
        fresh = await self._of_spans([(start, start + 300_000) for start in dirty if start_ms <= start < end_ms])
        return _merge(stored, fresh)[:limit]

    async def _hours(self, dirty: Sequence[int], start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        start_ms -= start_ms % 3_600_000
        stored = await self._stored("rollup_1h", start_ms, end_ms, limit)
        hours = sorted({start - start % 3_600_000 for start in dirty})
        return _merge(stored, await self._uneven(dirty, [(h, h + 3_600_000) for h in hours if start_ms <= h < end_ms]))[:limit]

    async def _uneven(self, dirty: Sequence[int], into: Sequence[Span]) -> list[Bucket]:
        """Spans of whole five minutes, gathered from those."""
        found: list[Bucket] = []
        for start, end in _joined(into):
            found += await self._fives(dirty, start, end, (end - start) // 300_000)
        return gather(found, into)

    async def _days(self, dirty: Sequence[int], days: Sequence[Span]) -> list[Bucket]:
        rows = await self._reader.rows(_DAYS, self._key, days[0][0], days[-1][1])
        ends = {row[0]: row[1] for row in rows}
        stored = [_bucket(row[0], *row[2:]) for row in rows if (row[0], row[1]) in set(days)]
        # A day is made anew where it was changed since, or stored for another zone or not at all.
        open_days = [day for day in days if ends.get(day[0]) != day[1] or any(day[0] <= start < day[1] for start in dirty)]
        finer: list[Bucket] = []
        for start, end in _joined(open_days):
            if whole_hours(open_days):
                finer += await self._hours(dirty, start, end, (end - start) // 3_600_000)
            else:
                finer += await self._fives(dirty, start, end, (end - start) // 300_000)
        return _merge(stored, gather(finer, open_days))

    async def _stored(self, table: str, start_ms: int, end_ms: int, limit: int) -> list[Bucket]:
        rows = await self._reader.rows(_ROLLUP.format(table=table), self._key, start_ms, end_ms, limit)
        return [_bucket(*row) for row in rows]

    async def _of_spans(self, some: Sequence[Span]) -> list[Bucket]:
        if not some:
            return []
        rows = await self._reader.by_bucket(self._by_bucket, some, self._key, some[0][0], some[-1][1])
        return [Bucket(*row) for row in rows]

    async def _next(self, table: str, instant: str, start_ms: int, end_ms: int) -> int | None:
        rows = await self._reader.rows(_NEXT.format(table=table, instant=instant), self._key, start_ms, end_ms)
        return rows[0][0] if rows else None

    async def _next_rolled(self, start_ms: int, end_ms: int) -> int | None:
        """The next instant from which anything is known: a day's or an hour's rollup may have outlived the finer ones."""
        day_ms = span_of("1d", self._zone, start_ms)[0] if start_ms > BEGINNING_MS + 200_000_000 else start_ms
        places = [("rollup_1d", day_ms), ("rollup_1h", start_ms - 3_600_000), ("rollup_5m", start_ms - 300_000), ("rollup_marks", start_ms - 300_000)]
        found = [await self._next(table, "start_ms", low_ms, end_ms) for table, low_ms in places]
        return max(start_ms, min(known)) if (known := [at_ms for at_ms in found if at_ms is not None]) else None


def _bucket(start: int, low: float, high: float, total: float, last: float, count: int) -> Bucket:
    return Bucket(start, low, high, total, None, last, count)


def _first(found: Iterable[Span], count: int) -> list[Span]:
    return [span for span, _ in zip(found, range(count), strict=False)]


def _joined(found: Iterable[Span]) -> list[Span]:
    """Spans that touch, made one."""
    joined: list[Span] = []
    for start, end in found:
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _merge(stored: Sequence[Bucket], fresh: Sequence[Bucket]) -> list[Bucket]:
    """Stored buckets with the fresh ones in their place, unless raw readings have left since the stored one was made."""
    if not fresh:
        return list(stored)
    merged = {bucket.start_ms: bucket for bucket in stored}
    for bucket in fresh:
        old = merged.get(bucket.start_ms)
        if old is None or bucket.count >= old.count:
            merged[bucket.start_ms] = bucket
    return [merged[start] for start in sorted(merged)]


_MARKS = "SELECT start_ms FROM rollup_marks WHERE series_id = $1 AND start_ms > $2 AND start_ms < $3 ORDER BY start_ms LIMIT $4"
_NEXT = "SELECT {instant} FROM {table} WHERE series_id = $1 AND {instant} >= $2 AND {instant} < $3 ORDER BY {instant} LIMIT 1"
_ROLLUP = (
    "SELECT start_ms, low, high, total, last, count FROM {table} WHERE series_id = $1 AND start_ms >= $2 AND start_ms < $3"
    " ORDER BY start_ms LIMIT $4"
)
_DAYS = "SELECT start_ms, end_ms, low, high, total, last, count FROM rollup_1d WHERE series_id = $1 AND start_ms >= $2 AND start_ms < $3 ORDER BY start_ms"
_FIRST = {
    "sqlite": "(SELECT value FROM {table} WHERE series_id = $1 AND at_ms >= b.start_ms AND at_ms < b.end_ms ORDER BY at_ms LIMIT 1)",
    "postgresql": "(array_agg(value ORDER BY at_ms))[1]",
}
_BY_BUCKET_SQLITE = """
    SELECT b.start_ms, min(r.value), max(r.value), sum(r.value), {first},
        (SELECT value FROM {table} WHERE series_id = $1 AND at_ms >= b.start_ms AND at_ms < b.end_ms ORDER BY at_ms DESC LIMIT 1),
        count(*)
    FROM temp.bucket b CROSS JOIN {table} r ON r.series_id = $1 AND r.at_ms >= b.start_ms AND r.at_ms < b.end_ms
    WHERE b.start_ms >= $2 AND b.end_ms <= $3 GROUP BY b.start_ms
"""
_BY_BUCKET_POSTGRES = """
    SELECT b.start_ms, a.* FROM bucket b CROSS JOIN LATERAL (
        SELECT min(value) AS low, max(value), sum(value ORDER BY at_ms), {first},
            (array_agg(value ORDER BY at_ms DESC))[1], count(*)
        FROM {table} WHERE series_id = $1 AND at_ms >= b.start_ms AND at_ms < b.end_ms AND at_ms >= $2 AND at_ms < $3) a
    WHERE a.low IS NOT NULL ORDER BY b.start_ms
"""
