"""Numbered imports of a meter point: begun, filled in portions, and visible only once committed whole.

For the same period the later import wins, inside one import the last row; the same file again changes nothing. An
import nobody finished is cleared away a day after something last came in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, Clock, iso
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.plugin import PeriodRow, RegisterRow
from ohmstead.plugins.ledger.imports.book import BEGUN, COMMITTED, DISCARDED, Import, ImportBook
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

KINDS = {"live": Layer.LIVE, "manual": Layer.MANUAL, "settled": Layer.SETTLED}
UNITS = {"kWh": "mWh", "m³": "mL"}
LARGEST = 1 << 53  # of an amount; 9 TWh
LONGEST_MS = 5 * 366 * DAY_MS  # of a period
FIRST_MS, LAST_MS = 0, 4_102_444_800_000  # 1970 to 2100: a slip in a year would have the ledger fill thousands of them
STALE_MS = DAY_MS
NEWEST = 2**31 - 1  # beyond all numbers
BREATH = 2000  # rows that are looked at before other tasks have their turn


class Begun(NamedTuple):
    """An import to fill; `known`: the same file is there already and nothing is to be done."""

    made: Import
    known: bool


class Imports:
    """The imports of the ledger. `wake` is called when something was marked."""

    def __init__(self, storage: Storage, clock: Clock, points: MeterPoints, marks: Marks, wake: Callable[[], None]) -> None:
        self._storage, self._clock, self._points, self._marks, self._wake = storage, clock, points, marks, wake
        self.book = ImportBook(storage.tenant_id)

    async def begin(
        self, kind: str, meter_point: str, source: str, author: str, fingerprint: str | None = None, note: str | None = None
    ) -> Begun:
        """A new import of the layer `kind` (live, manual, settled), or the one that brought the same file already.

        One of the same file that nobody finished is discarded. NotFound, Invalid.
        """
        point, layer = self._points.get(meter_point), KINDS.get(kind)
        if layer is None:
            raise Invalid(f"kind: expected {', '.join(KINDS)}, not {kind[:64]!r}")
        if point.role is Role.CONSUMPTION:
            raise Invalid(f"meter point {point.id!r} is computed; import into those it is made of")
        now_ms = self._clock.now_ms()
        draft = Import(0, 0, point.key, layer, source, fingerprint, author, now_ms, BEGUN, None, None, 0, note)

        async def write(tx: AsyncConnection) -> Begun:
            alike = [] if fingerprint is None else await self.book.alike(tx, point.key, layer, fingerprint)
            for old in alike:
                if old.status == COMMITTED:
                    return Begun(old, known=True)
                await self.book.close(tx, old.id, DISCARDED, now_ms)
            return Begun(await self.book.begin(tx, draft), known=False)

        begun: Begun = await self._storage.write(write)
        return begun

    async def add(self, number: int, rows: Sequence[PeriodRow | RegisterRow]) -> None:
        """Take rows in; all or none of them. Invalid with the place of the first that cannot be, Conflict when it is committed."""
        made = await self.one(number)
        unit = UNITS[self._point(made).unit]
        periods: list[tuple[int, int, int, int]] = []
        registers: list[tuple[int, int]] = []
        for count, row in enumerate(rows, 1):
            _check(row, unit, count)
            if isinstance(row, PeriodRow):
                periods.append((row.from_ms, row.to_ms, row.amount, int(row.estimated)))
            else:
                registers.append((row.at_ms, row.amount))
            if count % BREATH == 0:
                await asyncio.sleep(0)

        async def write(tx: AsyncConnection) -> None:
            _open(await self._one(tx, number))
            await self.book.add_periods(tx, made.id, periods)
            await self.book.add_registers(tx, made.id, registers)
            await self.book.touch(tx, made.id, self._clock.now_ms())

        await self._storage.write(write)

    async def commit(self, number: int) -> Import:
        """Let it count, whole, from now on. Conflict when it was committed or discarded before, Invalid when it is empty."""

        async def write(tx: AsyncConnection) -> Import:
            _open(await self._one(tx, number))
            return await self._close(tx, number, COMMITTED)

        done: Import = await self._storage.write(write)
        log.info("import %d of %s into %s counts: %d rows", done.number, done.source, self._point(done).id, done.rows)
        self._wake()
        return done

    async def discard(self, number: int) -> Import:
        """Let it count no more, and delete its rows; its number stays taken. Conflict when it was discarded before."""

        async def write(tx: AsyncConnection) -> Import:
            made = await self._one(tx, number)
            if made.status == DISCARDED:
                raise Conflict(f"import {number} was discarded already")
            return await self._close(tx, number, DISCARDED)

        done: Import = await self._storage.write(write)
        self._wake()
        return done

    async def one(self, number: int) -> Import:
        """The import of that number; NotFound."""
        async with self._storage.read() as connection:
            return await self._one(connection, number)

    async def listing(self, meter_point: str | None = None, before: int = NEWEST, limit: int = 100) -> list[Import]:
        """Imports with a number below `before`, the newest first. NotFound."""
        key = None if meter_point is None else self._points.get(meter_point).key
        async with self._storage.read() as connection:
            return await self.book.listing(connection, key, before, limit)

    async def reads(self, meter_point: str, before_ms: int, limit: int) -> list[tuple[int, int, int]]:
        """(instant, amount, number of the import) of registers that somebody read before an instant, newest first. NotFound."""
        key = self._points.get(meter_point).key
        async with self._storage.read() as connection:
            return await self.book.reads(connection, key, before_ms, limit)

    async def tidy(self) -> int:
        """Discard imports that nobody finished within a day; how many."""
        before_ms = self._clock.now_ms() - STALE_MS

        async def write(tx: AsyncConnection) -> int:
            stale = await self.book.stale(tx, before_ms)
            for made in stale:
                await self.book.close(tx, made.id, DISCARDED, self._clock.now_ms())
            return len(stale)

        return int(await self._storage.write(write))

    async def _one(self, tx: AsyncConnection, number: int) -> Import:
        made = await self.book.one(tx, number)
        if made is None:
            raise NotFound(f"there is no import {number}")
        return made

    async def _close(self, tx: AsyncConnection, number: int, status: str) -> Import:
        """Close it and mark what it says, when that counts or counted."""
        made = await self._one(tx, number)
        extent = await self.book.extent(tx, made.id)
        if extent is None and status == COMMITTED:
            raise Invalid(f"import {number} has no rows; add some, or discard it")
        done = await self.book.close(tx, made.id, status, self._clock.now_ms())
        if extent is not None and COMMITTED in (made.status, status):
            low, high = await self.book.reach(tx, made, *extent)
            await self._marks.point(tx, made.point_id, low, high, Reach.LAYERS)
        return done

    def _point(self, made: Import) -> MeterPoint:
        point = self._points.by_key(made.point_id)
        if point is None:
            raise NotFound(f"the meter point of import {made.number} was removed")
        return point


def _open(made: Import) -> None:
    if made.status != BEGUN:
        raise Conflict(f"import {made.number} was {made.status} already")


def _check(row: PeriodRow | RegisterRow, unit: str, count: int) -> None:
    """Invalid with its place for a row that cannot be."""
    wrong = _wrong(row, unit)
    if wrong:
        raise Invalid(f"{row.place or f'row {count}'}: {wrong}")


def _wrong(row: PeriodRow | RegisterRow, unit: str) -> str | None:
    if row.unit != unit:
        said, wanted = (next(name for name, counted in UNITS.items() if counted == each) for each in (row.unit, unit))
        return f"is in {said}, and the meter point counts {wanted}; state the unit of the file, or choose another meter point"
    if not 0 <= row.amount <= LARGEST:
        return f"amount {row.amount} {row.unit}: expected 0 to {LARGEST}"
    start_ms, end_ms = (row.at_ms, row.at_ms) if isinstance(row, RegisterRow) else (row.from_ms, row.to_ms)
    out = next((at_ms for at_ms in (start_ms, end_ms) if not FIRST_MS <= at_ms <= LAST_MS), None)
    if out is not None:
        return f"{iso(out) if EARLIEST_MS <= out < LATEST_MS else f'{out} ms since 1970'} is no time of an import: expected 1970 to 2099"
    if isinstance(row, RegisterRow):
        return None
    if start_ms >= end_ms:
        return "expected a period that ends behind its beginning"
    if row.to_ms - row.from_ms > LONGEST_MS:
        return f"a period from {iso(row.from_ms)} to {iso(row.to_ms)} is longer than five years"
    return None

