"""The corrections of the house: previewed, applied, undone. Each is one transaction with everything that follows from it.

A preview is the same transaction, read and then taken back: it cannot differ from what applying does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event
from ohmstead.plugins.ledger.corrections import asked, refusals
from ohmstead.plugins.ledger.corrections.amend import touched
from ohmstead.plugins.ledger.corrections.book import Book
from ohmstead.plugins.ledger.corrections.changes import AnyChange, Confirm, IntervalScale, OfIntervals, OfReadings, Replace
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.corrections.effect import Effect, differs, reached
from ohmstead.plugins.ledger.corrections.places import Places, Touched, span
from ohmstead.plugins.ledger.corrections.stored import check_readings, suspect
from ohmstead.plugins.ledger.events import CorrectionApplied, CorrectionUndone
from ohmstead.plugins.ledger.marks import Marks
from ohmstead.plugins.ledger.moments import instant_ms
from ohmstead.plugins.ledger.points.points import MeterPoints
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import Grid
from ohmstead.plugins.ledger.valuer import Changed, Valuer
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.witness import Witness, nobody

if TYPE_CHECKING:
    from ohmstead.core.bus import Bus
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.ledger.archive.vault import Vault
    from ohmstead.plugins.storage.storage import Storage

MOST = 1 << 30  # no limit

Write = Callable[[AsyncConnection], Awaitable[Correction]]
Allow = Callable[[], Awaitable[None]]
Signed = tuple[str, str, int]  # reason, author, instant
UNSIGNED: Signed = ("preview", "preview", 0)


class Engine(Protocol):
    """What the ledger does for corrections inside a transaction of theirs."""

    @property
    def grid(self) -> Grid:
        """The slots of the house."""

    @property
    def vault(self) -> Vault:
        """What is archived of the readings."""

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever derives, from reading to commit; taken before the transaction."""

    async def derive(self, tx: AsyncConnection) -> Touched:
        """Derive all that is marked; the spans of meter points whose intervals may have changed."""

    async def sheets_in(self, tx: AsyncConnection, slugs: Sequence[str], start_ms: int, end_ms: int) -> dict[str, list[Sheet]]:
        """The resolved slots of meter points as the transaction sees them."""

    async def caught_up(self, within_s: float) -> None:
        """Wait until all that is stored is derived. Unavailable."""

    def tell(self, touched: Touched) -> None:
        """The transaction is committed: let everybody know."""


class Inbox(Protocol):
    """What findings say inside a transaction."""

    async def compare(self, tx: AsyncConnection, touched: Touched) -> tuple[list[int], list[str]]:
        """Numbers of the open findings there that have no cause any more, and texts of new ones."""


class Corrections:
    """The one way to make them. `valuer` knows money and issued bills, `inbox` findings; both may be missing."""

    def __init__(self, storage: Storage, points: MeterPoints, marks: Marks, engine: Engine, bus: Bus, clock: Clock) -> None:
        self._storage, self._points, self._engine, self._bus, self._clock = storage, points, engine, bus, clock
        self._places = Places(points, marks)
        self.book = Book(storage.tenant_id)
        self.valuer: Valuer | None = None
        self.inbox: Inbox | None = None
        self.witness: Witness = nobody

    async def read(self, given: Mapping[str, Any]) -> AnyChange:
        """The change that validated fields of `asked.BODY` describe. Invalid, NotFound."""
        zone = self._places.zone_of(given.get("meter_point") or given.get("series", "."))
        step = None
        if given["kind"] == Confirm.kind and "meter_point" in given and "at" in given:
            async with self._storage.read() as conn:
                step = await suspect(conn, self._points.bindings(given["meter_point"]), instant_ms(given["at"], zone))
        change = asked.read(given, lambda at: instant_ms(at, zone), step)
        if isinstance(change, Confirm):
            grid = self._engine.grid
            return msgspec.structs.replace(change, start_ms=grid.start(change.from_ms), end_ms=grid.end(change.to_ms))
        return change

    async def preview(self, change: AnyChange) -> Effect:
        """What applying it now would do. Refused as `apply` is, but for issued bills."""
        await self._check(change)
        return await self._preview(lambda tx: self._write(tx, change, UNSIGNED))

    async def apply(self, change: AnyChange, reason: str, author: str, adjust: bool = False) -> Correction:
        """Record and carry out a change, with all that follows from it.

        Refused (Invalid, NotFound, Conflict) when it cannot be; over an issued bill unless `adjust`.
        """
        signed = (refusals.reason(reason), author, self._clock.now_ms())

        async def allow() -> None:
            await self._check(change)
            await self._not_issued(change, adjust)

        return await self._keep(allow, lambda tx: self._write(tx, change, signed), CorrectionApplied, signed)

    async def undo(self, number: int, reason: str, author: str, adjust: bool = False) -> Correction:
        """Take a correction back and replay the rest. NotFound; Conflict when it was undone already or lies over an issued bill."""
        signed = (refusals.reason(reason), author, self._clock.now_ms())

        async def allow() -> None:
            await self._not_issued((await self._in_force(number)).change, adjust)

        return await self._keep(allow, lambda tx: self._take_back(tx, number, signed), CorrectionUndone, signed)

    async def preview_undo(self, number: int) -> Effect:
        """What taking it back now would do. NotFound, Conflict."""
        await self._in_force(number)
        return await self._preview(lambda tx: self._take_back(tx, number, UNSIGNED))

    async def get(self, number: int) -> Correction:
        """The correction of that number. NotFound."""
        async with self._storage.read() as conn:
            found = await self.book.one(conn, number)
        if found is None:
            raise NotFound(f"there is no correction {number}")
        return found

    async def listing(self, wanted: Mapping[str, str], before: int | None, limit: int) -> list[Correction]:
        """Those of a `meter_point`, a `series`, a `status` (active or undone), the newest first, of numbers below `before`. NotFound."""
        point = self._points.get(wanted["meter_point"]).key if "meter_point" in wanted else None
        async with self._storage.read() as conn:
            return await self.book.page(conn, self.book.conditions(point, wanted.get("series"), wanted.get("status")), before, limit)

    async def touching(self, slug: str, start_ms: int, end_ms: int) -> list[Correction]:
        """Those in force on a span of a meter point, or on the readings of it, in order of their numbers. NotFound."""
        point = self._points.get(slug)
        series = {address for binding in self._points.bindings(slug) for address in binding.series()}
        async with self._storage.read() as conn:
            found = list((await self.book.of_points(conn, [point.key])).get(point.key, ()))
            for address in series:
                found += await self.book.page(conn, self.book.conditions(None, address, "active"), None, MOST)
        spans = [(each, touched(each.change) if isinstance(each.change, OfReadings) else span(each.change)) for each in found]
        return sorted((each for each, (low, high) in spans if low < end_ms and start_ms < high), key=lambda each: each.number)

    async def _in_force(self, number: int) -> Correction:
        found = await self.get(number)
        if not found.active:
            raise Conflict(f"correction {number} was undone by {found.undone_by} already: {found.undone_reason}")
        return found

    async def _check(self, change: AnyChange) -> None:
        refusals.length(change.start_ms, change.end_ms)
        async with self._storage.read() as conn:
            if isinstance(change, OfReadings):
                if not self._places.bound(change.series, *span(change)):
                    raise Invalid(f"series: {change.series} measures no meter point from {iso(change.start_ms)} to {iso(change.end_ms)}")
                made = (await self.book.of_series(conn, [change.series])).get(change.series, ())
                await check_readings(conn, self._engine.vault, self._storage.tenant_id, made, change)
                recorded = await self.book.page(conn, self.book.conditions(None, change.series, "active"), None, MOST)
                refusals.again(change, reversed(recorded))
            else:
                await self._check_intervals(conn, change)

    async def _check_intervals(self, conn: AsyncConnection, change: OfIntervals) -> None:
        point = self._points.get(change.meter_point)
        if parts := self._points.composition(point.id):
            raise Invalid(f"meter_point: {point.id} is computed; correct one of {', '.join(slug for slug, _ in parts)}")
        refusals.borders(change, self._engine.grid, self._clock.now_ms())
        if isinstance(change, Replace):
            self._points.get(change.by)
            replacing = [made for _, made in await self.book.replacing(conn)]
            refusals.circle(change, replacing, {p.id: [slug for slug, _ in self._points.composition(p.id)] for p in self._points})
        if isinstance(change, Replace | IntervalScale):
            source = change.by if isinstance(change, Replace) else change.meter_point
            sheets = await self._engine.sheets_in(conn, [source], change.start_ms, change.end_ms)
            refusals.empty(source, change, sheets[source])
        made = (await self.book.of_points(conn, [point.key])).get(point.key, ())
        refusals.again(change, made)
        if isinstance(change, Confirm):
            refusals.twice(change, made)

    async def _not_issued(self, change: AnyChange, adjust: bool) -> None:
        if self.valuer is None or adjust:
            return
        async with self._storage.read() as conn:
            replacing = [made for _, made in await self.book.replacing(conn)]
        bills = await self.valuer.issued(self._places.reached(change, replacing), *span(change))
        if bills:
            raise Conflict(f"issued bills count energy of this span: {', '.join(bills[:5])}; "
                           "with adjust the ledger changes and the difference shows as an adjustment to them")  # fmt: skip

    async def _keep(self, allow: Allow, write: Write, kind: type[CorrectionApplied | CorrectionUndone], signed: Signed) -> Correction:
        """Carry it out, if nothing that somebody did meanwhile forbids it, with all that follows from it, then tell everybody."""

        async def work(tx: AsyncConnection) -> tuple[Correction, Touched, Event]:
            done = await write(tx)
            change, (reason, author, _) = done.change, signed
            event = kind(done.number, change.kind, asked.place_of(change), *span(change), author, reason)
            touched = await self._engine.derive(tx)
            await self.witness(tx, [event])
            return done, touched, event

        async with self._engine.turn:
            await allow()
            done, touched, event = await self._storage.write(work)
        self._bus.publish(event)
        self._engine.tell(touched)
        return done  # type: ignore[no-any-return]

    async def _preview(self, write: Write) -> Effect:
        async def work(tx: AsyncConnection) -> tuple[list[Changed], tuple[list[int], list[str]]]:
            await self._engine.derive(tx)  # what waits anyway is no effect of this
            trial = await tx.begin_nested()
            await write(tx)
            touched = await self._engine.derive(tx)
            days = self._places.days(touched)
            after = [await self._sheets(tx, *each) for each in days]
            findings = ([], []) if self.inbox is None else await self.inbox.compare(tx, touched)
            await trial.rollback()
            before = [await self._sheets(tx, *each) for each in days]
            return [Changed(slug, *pair) for (slug, _, _), *pair in zip(days, before, after, strict=True)], findings

        async with self._engine.turn:
            found, findings = await self._storage.write(work)
        changes = [changed for changed in found if differs(changed)]
        worth = () if self.valuer is None else tuple(await self.valuer.value(changes))
        shown = tuple(reached(changed, ZoneInfo(self._points.zone_of(changed.meter_point))) for changed in changes)
        return Effect(shown, worth, tuple(findings[0]), tuple(findings[1]))

    async def _sheets(self, tx: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> list[Sheet]:
        return (await self._engine.sheets_in(tx, [slug], start_ms, end_ms))[slug]

    async def _write(self, tx: AsyncConnection, change: AnyChange, signed: Signed) -> Correction:
        key = None if isinstance(change, OfReadings) else self._points.get(change.meter_point).key
        made = await self.book.add(tx, change, key, signed)
        await self._places.mark(tx, change)
        return made

    async def _take_back(self, tx: AsyncConnection, number: int, signed: Signed) -> Correction:
        made = await self.book.one(tx, number)
        if made is None or not made.active:
            raise Conflict(f"correction {number} was undone meanwhile")
        undone = await self.book.undo(tx, made, signed)
        await self._places.mark(tx, made.change)
        return undone
