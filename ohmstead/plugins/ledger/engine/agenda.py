"""What is to be derived next: the marks that are there, and the tracks and spans they are about."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.clock import LATEST_MS
from ohmstead.core.errors import Unsupported
from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.engine.stack import Bound
from ohmstead.plugins.ledger.engine.tracks import Job, Span, Track, merged
from ohmstead.plugins.ledger.marks import Reach
from ohmstead.plugins.ledger.points.bindings import Binding
from ohmstead.plugins.ledger.points.book import BINDING, bound
from ohmstead.plugins.ledger.points.registers import parts
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.reader import Reader

log = logging.getLogger(__name__)

TRACKS, FEWEST = 300, 10  # tracks of a portion
NO_SERIES = 0  # before all keys of series
MARKS = 40_000  # marks of readings that are looked at for it: a series has one for each day
REASONS = 100  # marks of meter points

BindingRow = tuple[Any, ...]
Rows = list[BindingRow]


class Due(msgspec.Struct):
    """One portion of the work. All of the marks it names are done with it."""

    jobs: list[Job]
    laid: dict[int, list[Span]]  # meter point -> spans whose layers and rollups are made anew
    series_marks: list[tuple[int, int, int, int]]  # series, day, round, generation
    point_marks: list[int]
    bindings: Mapping[int, BindingRow]  # the rows that all of this is about
    tracks: Sequence[Track] = ()  # all there are
    bounds: Mapping[int, Sequence[Bound]] = msgspec.field(default_factory=dict)  # the bindings of every meter point

    def __bool__(self) -> bool:
        return bool(self.series_marks or self.point_marks)

    def __len__(self) -> int:
        return max(len(self.jobs), len(self.laid))


class Series(msgspec.Struct):
    """A stored series."""

    key: int
    kind: Kind
    unit: str


class Known(msgspec.Struct):
    """A binding that was read, and those of its tracks whose series are there."""

    binding: Binding
    tracks: tuple[Track, ...] = ()


class Found(msgspec.Struct):
    """What the bindings come to: all tracks, those of each series and of each meter point, and where bindings begin and end."""

    tracks: list[Track] = msgspec.field(default_factory=list)
    by_series: dict[int, list[Track]] = msgspec.field(default_factory=dict)
    by_point: dict[int, list[Track]] = msgspec.field(default_factory=dict)
    bounds: dict[int, list[Bound]] = msgspec.field(default_factory=dict)


class _Draft(msgspec.Struct):
    """What is dirty of each track, until there are enough of them."""

    dirty: dict[tuple[int, int], tuple[Track, list[Span]]] = msgspec.field(default_factory=dict)
    laid: dict[int, list[Span]] = msgspec.field(default_factory=dict)

    def __len__(self) -> int:
        return max(len(self.dirty), len(self.laid))

    def add(self, track: Track, start_ms: int, end_ms: int) -> None:
        start_ms, end_ms = max(start_ms, track.rules.start_ms), min(end_ms, track.end_ms)
        if start_ms < end_ms:
            self.dirty.setdefault(track.key, (track, []))[1].append((start_ms, end_ms))

    def lay(self, point: int, start_ms: int, end_ms: int) -> None:
        self.laid.setdefault(point, []).append((start_ms, end_ms))


class Agenda:
    """Reads marks. Remembers what it read of series and bindings, to read it only once."""

    def __init__(self, reader: Reader, tenant_id: int) -> None:
        self._reader, self._tenant_id = reader, tenant_id
        self._series: dict[str, Series] = {}
        self._newest = 0
        self._rows: Rows = []
        self._known: dict[BindingRow, Known] = {}
        self._found = Found()
        self._width = TRACKS

    def fit(self, tracks: int) -> None:
        """Take so many tracks next time: each has about as much to do as those before it."""
        self._width = max(FEWEST, min(TRACKS, tracks))

    def narrow(self, tracks: int) -> None:
        """Take no more tracks next time than these, however little each has to do."""
        self.fit(min(self._width, tracks))

    async def due(self, conn: AsyncConnection, after: int = NO_SERIES) -> Due:
        """The next portion, as one view of the database shows it; of marked series those behind `after`."""
        readings = await self._reader.fetch(conn, _SERIES_MARKS, after, MARKS)
        if len(readings) == MARKS and readings[0][0] != readings[-1][0]:  # all marks of a series go together
            readings = [mark for mark in readings if mark[0] != readings[-1][0]]
        reasons = await self._reader.fetch(conn, _POINT_MARKS, REASONS)
        if not readings and not reasons:
            return Due([], {}, [], [], {})
        await self.tracks(conn)
        found, draft, series_marks, point_marks = self._found, _Draft(), [], []
        for number, point, start_ms, end_ms, reach, binding, term in reasons:
            if len(draft) >= self._width:
                break
            point_marks.append(number)
            end_ms = LATEST_MS if end_ms is None else end_ms
            if binding is None:
                draft.lay(point, start_ms, end_ms)
            for track in found.by_point.get(point, ()) if reach == Reach.TRACKS else ():
                if binding is None or track.key == (binding, term):
                    draft.add(track, start_ms, end_ms)
        for series, day, marked, from_ms, generation in readings:
            if len(draft) >= self._width and not any(track.key in draft.dirty for track in found.by_series.get(series, ())):
                break
            series_marks.append((series, day, marked, generation))
            for track in found.by_series.get(series, ()):
                draft.add(track, from_ms, (day + 1) * DAY_MS)
        jobs = [Job(track, merged(spans)) for track, spans in draft.dirty.values()]
        wanted = {job.track.key[0] for job in jobs}
        bindings = {row[0]: row for row in self._rows if row[0] in wanted}
        return Due(jobs, draft.laid, series_marks, point_marks, bindings, found.tracks, found.bounds)

    async def tracks(self, conn: AsyncConnection) -> list[Track]:
        """All tracks there are."""
        rows = await self._reader.fetch(conn, _BINDINGS, self._tenant_id)
        learnt = await self._learn(conn)
        if learnt or rows != self._rows:
            self._rows, self._known = rows, {row: self._look(row, learnt) for row in rows}
            tracks = [track for known in self._known.values() for track in known.tracks]
            self._found = Found(tracks, _grouped(tracks, "series"), _grouped(tracks, "point"), self._bounds())
        return self._found.tracks

    async def rows(self, conn: AsyncConnection, numbers: Collection[int]) -> dict[int, BindingRow]:
        """The rows of bindings, by number, and maybe of others between them."""
        rows = await self._reader.fetch(conn, _BETWEEN, self._tenant_id, min(numbers), max(numbers)) if numbers else []
        return {row[0]: row for row in rows}

    def bounds(self) -> dict[int, list[Bound]]:
        """The bindings of every meter point, as `tracks` found them."""
        return self._found.bounds

    def _look(self, row: BindingRow, learnt: bool) -> Known:
        known = self._known.get(row) or Known(bound(row))
        if len(known.tracks) < len(known.binding.terms) or learnt:  # a series that was not there may be now
            known.tracks = tuple(self._of(row[1], known.binding))
        return known

    def _bounds(self) -> dict[int, list[Bound]]:
        found: dict[int, list[Bound]] = {}
        for row, known in self._known.items():
            binding = known.binding
            found.setdefault(row[1], []).append(Bound(binding.number, len(binding.terms), binding.from_ms, binding.to_ms))
        return found

    def _of(self, point: int, binding: Binding) -> Iterator[Track]:
        for place, term in [*enumerate(binding.terms), *parts(binding)]:
            series = self._series.get(term.series)
            if series is None:
                continue
            try:
                rules = Rules.of(binding, term, series.kind, series.unit)
            except Unsupported as error:
                log.debug("%s", error)  # the one who bound it was told
                continue
            yield Track(point, binding, place, series.key, series.kind, rules, term.series)

    async def _learn(self, conn: AsyncConnection) -> bool:
        """Whether there are new series."""
        before = self._newest
        for key, device, quantity, kind, unit in await self._reader.fetch(conn, _SERIES, self._tenant_id, self._newest):
            self._series[f"{device}.{quantity}"] = Series(key, Kind(kind), unit)
            self._newest = max(self._newest, key)
        return self._newest > before


def _grouped(tracks: Sequence[Track], by: str) -> dict[int, list[Track]]:
    found: dict[int, list[Track]] = {}
    for key, track in zip(map(attrgetter(by), tracks), tracks, strict=True):
        found.setdefault(key, []).append(track)
    return found


_SERIES_MARKS = """
    SELECT series_id, day, round, from_ms, generation FROM ledger_marks WHERE series_id > $1 ORDER BY series_id, day LIMIT $2
"""
_POINT_MARKS = "SELECT id, point_id, start_ms, end_ms, reach, binding_id, term FROM point_marks ORDER BY id LIMIT $1"
_BINDINGS = f"SELECT {', '.join(BINDING)} FROM bindings WHERE tenant_id = $1 ORDER BY id"  # noqa: S608
_BETWEEN = _BINDINGS.replace("ORDER", "AND id >= $2 AND id <= $3 ORDER")
_SERIES = "SELECT id, device_id, quantity, kind, unit FROM series WHERE tenant_id = $1 AND id > $2 ORDER BY id"
