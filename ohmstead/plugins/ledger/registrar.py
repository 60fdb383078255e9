"""Changes meter points and their bindings: each change is written with the marks of what it dirties, then in force.

A binding whose beginning and terms stay keeps its number when its end moves, so what was derived before that end stays;
any other change is a new binding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.clock import LATEST_MS, Clock
from ohmstead.plugins.ledger.bindings import Binding, refuse_overlap
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.point_book import PointBook
from ohmstead.plugins.ledger.points import SIGNS, MeterPoint, MeterPoints, Role, consumption_id

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage


class _Change(NamedTuple):
    """What becomes of the bindings of a meter point: those that go, those that keep their number, those that are new."""

    gone: list[Binding]
    moved: list[tuple[Binding, Binding]]  # before and after
    fresh: list[Binding]
    kept: list[Binding]


class Registrar:
    """The one way to change meter points. `wake` is called when something was marked."""

    def __init__(self, storage: Storage, clock: Clock, points: MeterPoints, marks: Marks, wake: Callable[[], None]) -> None:
        self._storage, self._clock, self._points, self._marks, self.wake = storage, clock, points, marks, wake
        self._turn = asyncio.Lock()
        self.book = PointBook(storage.tenant_id)
        self.refused: set[str] = set()  # ids that a person removed: they do not come back by themselves

    async def open(self) -> None:
        """Read what the database holds. Storage must be open."""
        async with self._storage.read() as connection:
            found = await self.book.read(connection)
        self.refused = found.refused
        for point, bindings in found.points:
            self._points.put(point, bindings)
            self._marks.bind(address for binding in bindings for address in binding.series())

    async def put(self, point: MeterPoint, bindings: Sequence[Binding] | None = None) -> MeterPoint:
        """Make or change a meter point, and make these its bindings (None: those it has). Invalid when they overlap."""
        async with self._turn:
            stored = await self._put(point, bindings)
            await self._complete()
        return stored

    async def remove(self, slug: str, refused: bool = False) -> None:
        """Take a meter point out; its imports stay and count again when it comes back. NotFound.

        `refused`: a person did, so the automatic choice does not make it again.
        """
        async with self._turn:
            await self._remove(self._points.get(slug), refused)
            await self._complete()

    async def mark_all(self, tx: AsyncConnection, start_ms: int) -> None:
        """Have everything derived anew from an instant on; in the transaction of what changes it."""
        for point in self._points:
            for binding in self._points.bindings(point.id):
                await self._mark(tx, point, binding, max(start_ms, binding.from_ms), binding.to_ms)
            await self._marks.point(tx, point.key, start_ms, None, Reach.LAYERS)

    async def _put(self, point: MeterPoint, bindings: Sequence[Binding] | None) -> MeterPoint:
        before = self._points.bindings(point.id)
        change = _compare(before, before if bindings is None else bindings)
        refuse_overlap([*change.kept, *(after for _, after in change.moved), *change.fresh], point.id)
        self._marks.bind(address for binding in change.fresh for address in binding.series())
        old = self._points.find(point.id)

        async def write(tx: AsyncConnection) -> tuple[MeterPoint, list[Binding]]:
            stored = msgspec.structs.replace(point, key=await self.book.put(tx, point, self._clock.now_ms()))
            if old is None or old.location != point.location:
                await self._marks.point(tx, stored.key, 0, None, Reach.LAYERS)  # imports of before; rollups of another zone
            return stored, await self._bind(tx, stored, change)

        stored: MeterPoint
        stored, bound = await self._storage.write(write)
        self._points.put(stored, bound)
        self.refused.discard(stored.id)
        self._free(before)
        self.wake()
        return stored

    async def _bind(self, tx: AsyncConnection, point: MeterPoint, change: _Change) -> list[Binding]:
        """Write the change and mark what it touches; the bindings as they are then."""
        await self.book.unbind(tx, [binding.number for binding in change.gone])
        for binding in change.gone:
            await self._mark(tx, point, binding, binding.from_ms, binding.to_ms)
        for before, after in change.moved:
            await self.book.rebind(tx, after)
            if (before.to_ms, before.terms) != (after.to_ms, after.terms):
                ends = [LATEST_MS if each.to_ms is None else each.to_ms for each in (before, after)]
                await self._mark(tx, point, after, min(ends) - 1, None if LATEST_MS in ends else max(ends))
        fresh: list[Binding] = []
        for binding in change.fresh:
            number = await self.book.bind(tx, point.key, binding)
            fresh.append(msgspec.structs.replace(binding, number=number))
            await self._mark(tx, point, binding, binding.from_ms, binding.to_ms)
        return [*change.kept, *(after for _, after in change.moved), *fresh]

    async def _mark(self, tx: AsyncConnection, point: MeterPoint, binding: Binding, start_ms: int, end_ms: int | None) -> None:
        """Mark a span of a binding from the first reading of its series on; nothing without readings."""
        first_ms = await self.book.first_ms(tx, binding.series())
        if first_ms is not None and (end_ms is None or max(start_ms, first_ms) < end_ms):
            await self._marks.point(tx, point.key, max(start_ms, first_ms), end_ms, Reach.TRACKS)

    async def _remove(self, point: MeterPoint, refused: bool) -> None:
        bindings = self._points.bindings(point.id)

        async def write(tx: AsyncConnection) -> None:
            await self.book.remove(tx, point, self._clock.now_ms(), refused)
            for binding in bindings:
                await self._mark(tx, point, binding, binding.from_ms, binding.to_ms)

        await self._storage.write(write)
        self._points.remove(point.id)
        if refused:
            self.refused.add(point.id)
        self._free(bindings)
        self.wake()

    def _free(self, before: Iterable[Binding]) -> None:
        """Series that no binding has any more leave no marks."""
        used = {address for point in self._points for binding in self._points.bindings(point.id) for address in binding.series()}
        self._marks.unbind({address for binding in before for address in binding.series()} - used)

    async def _complete(self) -> None:
        """Every premises with a source has its computed consumption, and no other."""
        premises = {self._points.premises(point.location) for point in self._points if point.role in SIGNS}
        for point in [point for point in self._points if point.role is Role.CONSUMPTION and point.location not in premises]:
            await self._remove(point, refused=False)
        for location in sorted(premises):
            if self._points.consumption(location) is None:
                slug = consumption_id(location)
                await self._put(MeterPoint(0, slug, "Consumption", Role.CONSUMPTION, location, origin="computed"), ())


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
