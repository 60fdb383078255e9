"""Changes meter points and their bindings: each change is written with the marks of what it dirties, then in force.

A binding whose beginning and terms stay keeps its number when its end moves, so what was derived before that end stays;
any other change is a new binding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ohmstead.core.clock import LATEST_MS, Clock
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.points.bindings import Binding, refuse_overlap
from ohmstead.plugins.ledger.points.book import PointBook
from ohmstead.plugins.ledger.points.points import SIGNS, MeterPoint, MeterPoints, Role, consumption_id
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage


class _Change(NamedTuple):
    """What becomes of the bindings of a meter point: those that go, those that keep their number, those that are new."""

    gone: list[Binding]
    moved: list[tuple[Binding, Binding]]  # before and after
    fresh: list[Binding]
    kept: list[Binding]


class Touched(NamedTuple):
    """A span of a meter point, by key, to derive anew: what lies over the tracks, or with `binding` from its readings on."""

    key: int
    start_ms: int
    end_ms: int | None
    binding: Binding | None = None


class Registrar:
    """The one way to change meter points, for those who hold `deciding`. `wake` is called when something was marked."""

    def __init__(self, storage: Storage, clock: Clock, points: MeterPoints, marks: Marks, wake: Callable[[], None]) -> None:
        self._storage, self._clock, self._points, self._marks, self.wake = storage, clock, points, marks, wake
        self.deciding = asyncio.Lock()  # held by whoever changes them, from looking at what there is until it is put
        self._turn = asyncio.Lock()
        self.book = PointBook(storage.tenant_id)
        self.guards: list[Callable[[str], None]] = []  # each may refuse, with Conflict, that a person removes a meter point
        self.refused: set[str] = set()  # ids that a person removed: they do not come back by themselves
        self._composed: dict[str, tuple[tuple[str, int], ...]] = {}  # of what the computed ones were when they were marked last
        self._gone: set[str] = set()  # these and others that were removed: their rows are still there

    async def open(self) -> None:
        """Read what the database holds. Storage must be open."""
        async with self._storage.read() as connection:
            found = await self.book.read(connection)
        self.refused, self._gone = found.refused, found.gone
        for point, bindings in found.points:
            self._points.put(point, bindings)
            self._marks.bind(address for binding in bindings for address in binding.series())

    async def put(self, point: MeterPoint, bindings: Sequence[Binding] | None = None) -> MeterPoint:
        """Make or change a meter point, and make these its bindings (None: those it has). Invalid when they overlap."""
        return (await self.put_all([(point, bindings)]))[0]

    async def put_all(self, wanted: Sequence[tuple[MeterPoint, Sequence[Binding] | None]]) -> list[MeterPoint]:
        """The same for several, each once, in one transaction."""
        async with self._turn:
            before = [old for point, _ in wanted if (old := self._points.find(point.id)) is not None]
            stored = await self._put(wanted)
            if any(point.role in SIGNS for point in [*before, *stored]):
                await self._complete()
        return stored

    async def remove(self, slug: str, refused: bool = False) -> None:
        """Take a meter point out; its imports stay and count again when it comes back. NotFound.

        `refused`: a person did, so the automatic choice does not make it again.
        """
        async with self._turn:
            point = self._points.get(slug)
            await self._remove(point, refused)
            if point.role in SIGNS:
                await self._complete()

    async def follow(self) -> None:
        """Have anew what follows from where meter points are: what is computed for which premises, rollups in which time zone."""
        async with self._turn:
            await self._complete()
            await self._rezone()

    async def mark_all(self, tx: AsyncConnection, start_ms: int) -> None:
        """Have everything derived anew from an instant on; in the transaction of what changes it."""
        touched = [Touched(point.key, start_ms, None) for point in self._points]
        touched += [
            Touched(point.key, max(start_ms, binding.from_ms), binding.to_ms, binding)
            for point in self._points for binding in self._points.bindings(point.id)
        ]  # fmt: skip
        await self._mark(tx, touched)

    async def _put(self, wanted: Sequence[tuple[MeterPoint, Sequence[Binding] | None]]) -> list[MeterPoint]:
        plans = [(point, self._plan(point, bindings)) for point, bindings in wanted]
        self._marks.bind(address for _, change in plans for binding in change.fresh for address in binding.series())

        async def write(tx: AsyncConnection) -> list[tuple[MeterPoint, list[Binding]]]:
            zones = [self._points.locations.zone_of(point.location) for point, _ in plans]
            keys = await self.book.put(tx, [point for point, _ in plans], zones, self._clock.now_ms())
            return await self._write(tx, [(msgspec.structs.replace(point, key=keys[point.id]), change) for point, change in plans])

        before = [binding for point, _ in plans for binding in self._points.bindings(point.id)]
        done: list[tuple[MeterPoint, list[Binding]]] = await self._storage.write(write)
        for stored, bound in done:
            self._points.put(stored, bound)
            self.refused.discard(stored.id)
            self._gone.discard(stored.id)
        self._free(before)
        self.wake()
        return [stored for stored, _ in done]

    def _plan(self, point: MeterPoint, bindings: Sequence[Binding] | None) -> _Change:
        before = self._points.bindings(point.id)
        change = _compare(before, before if bindings is None else bindings)
        refuse_overlap([*change.kept, *(after for _, after in change.moved), *change.fresh], point.id)
        return change

    async def _write(self, tx: AsyncConnection, plans: Sequence[tuple[MeterPoint, _Change]]) -> list[tuple[MeterPoint, list[Binding]]]:
        """Write the changes and mark what they touch; the bindings as they are then."""
        touched: list[Touched] = []
        for point, change in plans:
            touched += self._touched(point, change)
            if change.gone:
                await self.book.unbind(tx, [binding.number for binding in change.gone])
            for _, after in change.moved:
                await self.book.rebind(tx, after)
        fresh = [(point.key, binding) for point, change in plans for binding in change.fresh]
        numbers = await self.book.bind(tx, fresh) if fresh else {}
        await self._mark(tx, touched)
        return [(point, [
            *change.kept, *(after for _, after in change.moved),
            *(msgspec.structs.replace(binding, number=numbers[point.key, binding.from_ms]) for binding in change.fresh),
        ]) for point, change in plans]  # fmt: skip

    def _touched(self, point: MeterPoint, change: _Change) -> Iterator[Touched]:
        """What a change dirties."""
        old = self._points.find(point.id)
        if point.id in self._gone or (old is not None and old.location != point.location):
            yield Touched(point.key, 0, None)  # imports of before; rollups of another zone
        for binding in (*change.gone, *change.fresh):
            yield Touched(point.key, binding.from_ms, binding.to_ms, binding)
        for before, after in change.moved:
            if (before.to_ms, before.terms) != (after.to_ms, after.terms):
                ends = [LATEST_MS if each.to_ms is None else each.to_ms for each in (before, after)]
                yield Touched(point.key, min(ends) - 1, None if LATEST_MS in ends else max(ends), after)

    async def _mark(self, tx: AsyncConnection, touched: Iterable[Touched]) -> None:
        """Mark spans of bindings from the first reading of their series on; nothing without readings."""
        rows: list[tuple[int, int, int | None, str]] = []
        for key, start_ms, end_ms, binding in touched:
            if binding is None:
                rows.append((key, start_ms, end_ms, Reach.LAYERS.value))
                continue
            first_ms = start_ms if binding.automatic else await self.book.first_ms(tx, binding.series())  # automatic: begins with one
            if first_ms is not None and (end_ms is None or max(start_ms, first_ms) < end_ms):
                rows.append((key, max(start_ms, first_ms), end_ms, Reach.TRACKS.value))
        await self._storage.bulk(tx, "point_marks", ("point_id", "start_ms", "end_ms", "reach"), rows)

    async def _remove(self, point: MeterPoint, refused: bool) -> None:
        bindings = self._points.bindings(point.id)

        async def write(tx: AsyncConnection) -> None:
            await self.book.remove(tx, point, self._clock.now_ms(), refused)
            await self._mark(tx, [Touched(point.key, binding.from_ms, binding.to_ms, binding) for binding in bindings])

        await self._storage.write(write)
        self._points.remove(point.id)
        self._gone.add(point.id)
        if refused:
            self.refused.add(point.id)
        self._free(bindings)
        self.wake()

    def _free(self, before: Iterable[Binding]) -> None:
        """Series that no binding has any more leave no marks."""
        self._marks.unbind(address for binding in before for address in binding.series() if not self._points.measured_by(address))

    async def _complete(self) -> None:
        """Every premises with a source has its computed consumption, and no other; what was made otherwise is made anew."""
        premises = {self._points.premises(point.location) for point in self._points if point.role in SIGNS}
        for point in [point for point in self._points if point.role is Role.CONSUMPTION and point.location not in premises]:
            await self._remove(point, refused=False)
        for location in sorted(premises):
            if self._points.consumption(location) is None:
                slug = consumption_id(location)
                await self._put([(MeterPoint(0, slug, "Consumption", Role.CONSUMPTION, location, origin="computed"), ())])
        await self._recompose()

    async def _rezone(self) -> None:
        """Mark those whose location is in another time zone than their rollups are made in."""

        async def write(tx: AsyncConnection) -> bool:
            zones = await self.book.zones(tx)
            moved = [(point, zone) for point in self._points if (zone := self._points.zone_of(point.id)) != zones[point.key]]
            for point, zone in moved:
                await self.book.rezone(tx, point.key, zone)
            await self._mark(tx, [Touched(point.key, 0, None) for point, _ in moved])
            return bool(moved)

        if await self._storage.write(write):
            self.wake()

    async def _recompose(self) -> None:
        """Have those looked at that are computed of other parts than when they were looked at last."""
        wanted = {point.id: self._points.composition(point.id) for point in self._points if point.role is Role.CONSUMPTION}
        other = [Touched(self._points.get(slug).key, 0, 1) for slug, parts in wanted.items() if self._composed.get(slug) != parts]
        if other:
            await self._storage.write(lambda tx: self._mark(tx, other))
            self.wake()
        self._composed = wanted


def _compare(before: Sequence[Binding], after: Sequence[Binding]) -> _Change:
    """What has to be done so that `after` holds."""
    left = {_core(binding): binding for binding in before}
    change = _Change([], [], [], [])
    for binding in after:
        old = left.pop(_core(binding), None)
        fresh = binding if old is None else msgspec.structs.replace(binding, number=old.number)
        if old is None:
            change.fresh.append(fresh)
        elif old == fresh:
            change.kept.append(old)
        else:
            change.moved.append((old, fresh))
    change.gone.extend(left.values())
    return change


def _core(binding: Binding) -> Binding:
    """What of a binding may not change without it becoming another one: all but its end and whose it is."""
    open_terms = tuple(msgspec.structs.replace(term, closing=None) for term in binding.terms)
    return msgspec.structs.replace(binding, to_ms=None, terms=open_terms, automatic=False, number=0)
