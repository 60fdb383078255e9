"""The layers of meter points as they are stored, read back and resolved.

A day is only looked at slot by slot where several say something about it: most days are one stored row.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from operator import add as plus
from operator import neg
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ohmstead.plugins.ledger import layers
from ohmstead.plugins.ledger.engine.days import Day, Said, array_of, unpack
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.reader import Reader

MOST = 1 << 30  # no limit
UPPER = (Layer.LIVE, Layer.MANUAL, Layer.SETTLED, Layer.CORRECTION)  # live: imported history


class Bound(NamedTuple):
    """A binding as its tracks are found: its number, how many terms it has, and its span."""

    number: int
    terms: int
    from_ms: int
    to_ms: int | None


class Stored(msgspec.Struct):
    """The rows of one meter point: by binding and term, and by layer above, each by day."""

    tracks: dict[tuple[int, int], dict[int, Day]] = msgspec.field(default_factory=dict)
    upper: dict[int, dict[int, Day]] = msgspec.field(default_factory=dict)
    origins: dict[tuple[int, int], array[int]] = msgspec.field(default_factory=dict)  # (layer, day) -> import or correction of each slot

    def live(self) -> dict[int, Said]:
        """The live layer by day."""
        history = self.upper.get(Layer.LIVE, {})
        if len(self.tracks) == 1 and not history:
            [(_, terms)] = self.tracks.items()
            if next(iter(self.tracks))[1] == 0:
                return {day: (row, Layer.LIVE) for day, row in terms.items()}
        days = {day for rows in self.tracks.values() for day in rows}
        return {day: said for day in days | set(history) if (said := self._live(day)) is not None}

    def _live(self, day: int) -> Said | None:
        by_binding: dict[int, list[Day | None]] = {}
        for (number, _), rows in sorted(self.tracks.items()):
            by_binding.setdefault(number, []).append(rows.get(day))
        parts = [_add(terms) for terms in by_binding.values() if any(row is not None and row.energy for row in terms)]
        if (past := self.upper.get(Layer.LIVE, {}).get(day)) is not None:
            parts.append((past, Layer.LIVE))
        if len(parts) == 1:
            return parts[0]
        return layers.join([_sheet(part) for part in parts]) if parts else None

    def layer(self, layer: int) -> dict[int, Said]:
        """One layer by day."""
        if layer == Layer.LIVE:
            return self.live()
        return {day: (row, layer) for day, row in self.upper.get(layer, {}).items()}

    def resolved(self, below: int = Layer.CORRECTION + 1) -> dict[int, Said]:
        """The highest layer that speaks, by day; only of layers lower than `below`."""
        found = self.live()
        for layer in UPPER[1:]:
            if layer < below:
                for day, row in self.upper.get(layer, {}).items():
                    found[day] = _over(found.get(day), row, layer)
        return found


class Stack:
    """Reads rows of slots."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def stored(
        self, conn: AsyncConnection, points: Mapping[int, Sequence[Bound]], start_ms: int, end_ms: int
    ) -> dict[int, Stored]:
        """The rows of the UTC days that touch [start, end), of meter points with these bindings."""
        first, last = start_ms // DAY_MS, -(-end_ms // DAY_MS)
        return await self.stored_each(conn, points, dict.fromkeys(points, (first, last)))

    async def stored_each(
        self, conn: AsyncConnection, points: Mapping[int, Sequence[Bound]], days: Mapping[int, tuple[int, int]]
    ) -> dict[int, Stored]:
        """The same for UTC days [first, last) of each meter point."""
        found = {point: Stored() for point in points}
        wanted = [
            (point, bound.number, term, *days[point])
            for point, bindings in points.items()
            for bound in bindings
            if bound.from_ms < days[point][1] * DAY_MS and (bound.to_ms is None or bound.to_ms > days[point][0] * DAY_MS)
            for term in range(bound.terms)
        ]
        rows = await self._reader.fetch_each(conn, _TRACK, [each[1:] for each in wanted], MOST)
        for (point, number, term, *_), some in zip(wanted, rows, strict=True):
            found[point].tracks[number, term] = {row[0]: Day(*row) for row in some}
        rows = await self._reader.fetch_each(conn, _UPPER, [(point, *days[point]) for point in points], MOST)
        for point, some in zip(points, rows, strict=True):
            for layer, *row in some:
                found[point].upper.setdefault(layer, {})[row[0]] = Day(*row)
        return found

    async def tracks(
        self, conn: AsyncConnection, keys: Sequence[tuple[int, int]], first: int, last: int
    ) -> list[dict[int, Day]]:
        """The days of single tracks (binding, term) in the UTC days [first, last)."""
        rows = await self._reader.fetch_each(conn, _TRACK, [(*key, first, last) for key in keys], MOST)
        return [{row[0]: Day(*row) for row in some} for some in rows]

    async def origins(self, conn: AsyncConnection, points: Mapping[int, Stored], days: Mapping[int, tuple[int, int]]) -> None:
        """Read which import or correction the slots of UTC days [first, last) are of."""
        rows = await self._reader.fetch_each(conn, _ORIGINS, [(point, *days[point]) for point in points], MOST)
        for stored, some in zip(points.values(), rows, strict=True):
            stored.origins = {(layer, day): array_of("q", [origin]) for layer, day, origin in some}

    async def first_days(self, conn: AsyncConnection, points: Mapping[int, Sequence[Bound]]) -> dict[int, int]:
        """The first UTC day of which each meter point has a row; of those that have any."""
        wanted = [(point, bound.number) for point, bindings in points.items() for bound in bindings]
        rows = await self._reader.fetch_each(conn, _FIRST, [(number,) for _, number in wanted], MOST)
        rows += await self._reader.fetch_each(conn, _FIRST_UPPER, [(point,) for point in points], MOST)
        found: dict[int, int] = {}
        for point, some in zip([*(point for point, _ in wanted), *points], rows, strict=True):
            for (day,) in some:
                found[point] = min(day, found.get(point, day))
        return found


class Part(NamedTuple):
    """A meter point in a sum: its sign, its resolved days, and the UTC days [first, last) in which it is there at all."""

    sign: int
    days: Mapping[int, Said]
    first: int
    last: int


def compute(parts: Sequence[Part], grid: Grid) -> dict[int, Said]:
    """The signed sum of meter points by day; never below 0. Covered is what all cover that are there, with the worst quality."""
    found: dict[int, Said] = {}
    for day in sorted({day for part in parts for day in part.days}):
        there = [(part.sign, part.days.get(day)) for part in parts if part.first <= day < part.last]
        if there and all(said is not None for _, said in there):
            found[day] = _compute(day, [(sign, _sheet(said)) for sign, said in there if said is not None], grid)
    return found


def _compute(day: int, terms: Sequence[tuple[int, Sheet]], grid: Grid) -> Said:
    slot_ms = grid.slot_ms(day * DAY_MS)
    if any(sheet.slot_ms != slot_ms for _, sheet in terms):
        return Sheet.empty(day * DAY_MS, slot_ms, DAY_MS // slot_ms)
    signed = [sheet if sign > 0 else msgspec.structs.replace(sheet, mwh=array("q", map(neg, sheet.mwh))) for sign, sheet in terms]
    total = layers.add(signed)
    total.mwh = array("q", (max(mwh, 0) for mwh in total.mwh))
    sources = map(max, *(sheet.source for _, sheet in terms)) if len(terms) > 1 else terms[0][1].source
    total.source = bytearray(high if low else 0 for high, low in zip(sources, total.source, strict=True))
    return total


def _add(terms: Sequence[Day | None]) -> Said:
    """The terms of a binding on one day."""
    some = [row for row in terms if row is not None and row.energy]
    if len(terms) == 1:
        return some[0], Layer.LIVE
    if len(some) < len(terms):
        return Day(some[0].day, some[0].slot_ms, b"", b""), Layer.NONE
    if all(row.cover is None for row in some) and len({row.slot_ms for row in some}) == 1:
        total = unpack(some[0], Layer.LIVE)
        for row in some[1:]:
            total.mwh = array("q", map(plus, total.mwh, unpack(row).mwh))
        return total
    return layers.add([unpack(row) for row in some])


def _over(said: Said | None, row: Day, layer: Layer) -> Said:
    """A layer laid over what is below it on one day."""
    if said is None or row.cover is None:
        return row, layer
    below = _sheet(said)
    if not row.energy or below.slot_ms != row.slot_ms:
        return said
    return _lay(below, unpack(row, layer))


def _lay(below: Sheet, over: Sheet) -> Sheet:
    for at, source in enumerate(over.source):
        if source:
            below.source[at], below.mwh[at] = source, over.mwh[at]
            below.measured_ms[at], below.estimated_ms[at] = over.measured_ms[at], over.estimated_ms[at]
            below.reset_ms[at] = over.reset_ms[at]
    return below


def _sheet(said: Said) -> Sheet:
    """The sheet of one day, which may be changed."""
    if isinstance(said, Sheet):
        return said
    row, layer = said
    return unpack(row, Layer(layer)) if row.energy else Sheet.empty(row.day * DAY_MS, row.slot_ms, DAY_MS // row.slot_ms)


_TRACK = """
    SELECT day, slot_ms, energy, cover FROM track_days WHERE binding_id = $1 AND term = $2 AND day >= $3 AND day < $4
    ORDER BY day LIMIT $5
"""
_ORIGINS = "SELECT layer, day, origin FROM layer_days WHERE point_id = $1 AND day >= $2 AND day < $3 ORDER BY layer, day LIMIT $4"
_FIRST = "SELECT day FROM track_days WHERE binding_id = $1 AND term = 0 ORDER BY day LIMIT CASE WHEN $2 < 1 THEN $2 ELSE 1 END"
_FIRST_UPPER = "SELECT day FROM layer_days WHERE point_id = $1 ORDER BY day LIMIT CASE WHEN $2 < 1 THEN $2 ELSE 1 END"
_UPPER = """
    SELECT layer, day, slot_ms, energy, cover FROM layer_days WHERE point_id = $1 AND day >= $2 AND day < $3 ORDER BY layer, day LIMIT $4
"""
