"""The inbox: what was found is kept, told once, closed when its cause is mended, and decided by people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.ledger.corrections.corrections import Corrections, Engine
from ohmstead.plugins.ledger.corrections.effect import Effect
from ohmstead.plugins.ledger.corrections.places import Touched
from ohmstead.plugins.ledger.events import FindingClosed, FindingOpened, LedgerChanged
from ohmstead.plugins.ledger.findings.book import FindingBook
from ohmstead.plugins.ledger.findings.facts import Facts, spans
from ohmstead.plugins.ledger.findings.finding import Correct, Finding, Found, Looked, Swap, Undo, merged
from ohmstead.plugins.ledger.findings.inspector import Inspector
from ohmstead.plugins.ledger.findings.worth import worth
from ohmstead.plugins.ledger.points.swap import swapped
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.core.bus import Bus
    from ohmstead.core.clock import Clock
    from ohmstead.core.supervise import Task
    from ohmstead.plugins.ledger.points.points import MeterPoints
    from ohmstead.plugins.ledger.points.registrar import Registrar
    from ohmstead.plugins.storage.storage import Storage

QUIET_S = 300.0  # changes are looked at together, so often
AT_ONCE_DAYS = 28
SWAP_S = 30.0  # how long a swap may take to be derived
HEARD_MS = 60_000  # after which all who heard of a finding have written down what follows from it
NIGHTLY_DAYS = 35  # how far back the nightly look goes

Sorted = tuple[str, list[Looked]]  # a meter point, and what was looked at there


class Difference(msgspec.Struct, frozen=True):
    """What is new or there again, what is not as it is kept, and what is open without a cause any more."""

    fresh: list[Finding]
    changed: list[Finding]
    gone: list[Finding]


class Findings:
    """Keeps the inbox in step with the ledger. Belongs to the event loop's thread."""

    def __init__(
        self, storage: Storage, points: MeterPoints, registrar: Registrar, engine: Engine, corrections: Corrections, bus: Bus, clock: Clock
    ) -> None:
        self._storage, self._points, self._registrar, self._engine = storage, points, registrar, engine
        self._corrections, self._bus, self._clock = corrections, bus, clock
        facts = Facts(storage.tenant_id, corrections.book, engine.vault)
        self._inspector = Inspector(points, engine, corrections.book, facts)
        self._book = FindingBook(storage.tenant_id)
        self._dirty: dict[str, set[int]] = {}  # meter point -> UTC days to look at
        self._unfinished: dict[str, set[int]] = {}  # days that had not ended when they were looked at
        self._news = False  # whether something was said that somebody may not have heard
        self._turn = asyncio.Lock()
        corrections.inbox = self

    def listen(self) -> None:
        """Hear from now on what the ledger derives."""
        self._bus.subscribe(LedgerChanged, lambda event: self.note(event.changes))

    def note(self, touched: Touched) -> None:
        """Have spans of meter points looked at."""
        for slug, start_ms, end_ms in touched:
            self._dirty.setdefault(slug, set()).update(range(start_ms // DAY_MS, -(-end_ms // DAY_MS)))

    async def work(self, task: Task) -> None:
        """Look at what changed, for ever; first at the last two days, which may have changed while nobody looked."""
        await self.say_again()
        await self._note_since(2)
        task.up()
        while True:
            await self._clock.sleep(QUIET_S)
            await self.catch_up()

    async def say_again(self) -> None:
        """Say what was said right before the hub stopped: whoever heard may have forgotten."""
        async with self._storage.read() as conn:
            found = await self._book.news(conn)
        for each in found:
            self._say(each)

    def _say(self, finding: Finding) -> None:
        self._news = True
        number, cause, point, found = finding.number, finding.found.cause.value, finding.meter_point, finding.found
        if finding.status == "open":
            self._bus.publish(FindingOpened(number, cause, point, found.start_ms, found.end_ms, found.text))
        elif finding.status == "dismissed":
            self._bus.publish(FindingClosed(number, cause, point, "dismissed", finding.closed_by))
        else:
            self._bus.publish(FindingClosed(number, cause, point, "mended", None))

    async def nightly(self) -> int:
        """Look at the last weeks of every meter point, and at what was said in them; how many findings are open."""
        await self._note_since(NIGHTLY_DAYS)
        await self.catch_up()
        return len(await self.listing({"status": "open"}, None, 1000))

    async def _note_since(self, days: int) -> None:
        """Have so many days looked at, and what was corrected or imported in them, however old that is."""
        now_ms = self._clock.now_ms()
        self.note([(point.id, now_ms - days * DAY_MS, now_ms) for point in self._points])
        async with self._storage.read() as conn:
            self.note(await self._inspector.said_since(conn, now_ms - days * DAY_MS))

    async def catch_up(self) -> None:
        """Look at all that changed by now, and tell what has become due."""
        async with self._turn:
            for slug, days in sorted(self._take().items()):
                await self._look(slug, days)
            async with self._storage.read() as conn:
                due = await self._book.due(conn, self._clock.now_ms())
            await self._tell(due)
            if self._news:
                await self._heard()

    def _take(self) -> dict[str, set[int]]:
        """What is to be looked at now. What only whole days show is looked at again once today has ended."""
        today = self._clock.now_ms() // DAY_MS
        dirty, self._dirty = self._dirty, {}
        unfinished, self._unfinished = self._unfinished, {}
        for slug, days in unfinished.items():
            dirty.setdefault(slug, set()).update(day for day in days if day < today)
        for slug in dirty.keys() | unfinished.keys():
            if later := {day for day in dirty.get(slug, set()) | unfinished.get(slug, set()) if day >= today}:
                self._unfinished[slug] = later
        return dirty

    async def _look(self, slug: str, days: Iterable[int]) -> None:
        for start_ms, end_ms in spans(sorted(days), AT_ONCE_DAYS):
            async with self._storage.read() as conn:
                looked = await self._looked(conn, slug, start_ms, end_ms) if slug in self._points else []
            for owner, some in looked:
                await self._keep(owner, some)

    async def _looked(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> list[Sorted]:
        now_ms = self._clock.now_ms()
        found = [(slug, await self._inspector.own(conn, slug, start_ms, end_ms, now_ms))]
        for owner in sorted(self._inspector.trees(slug)):
            found.append((owner, await self._inspector.tree(conn, owner, start_ms, end_ms, now_ms)))
        return found

    async def _keep(self, slug: str, looked: Sequence[Looked]) -> None:
        """Bring the rows of a meter point in step with what was found, then tell what closed."""
        key, now_ms = self._points.get(slug).key, self._clock.now_ms()
        async with self._storage.read() as conn:
            difference = await self._compare(conn, slug, key, looked)
        fresh, changed = [await self._valued(each) for each in difference.fresh], [await self._valued(each) for each in difference.changed]
        told = [each for each in difference.gone if each.notified_ms is not None]
        mended = [replace(each, status="closed", closed_ms=now_ms, closed_by="mended", news_ms=now_ms) for each in told]

        async def work(tx: AsyncConnection) -> None:
            for each in (*fresh, *changed, *mended):
                await (self._book.put(tx, each) if each.number else self._book.add(tx, key, each))
            await self._book.drop(tx, [each.number for each in difference.gone if each.notified_ms is None])

        if fresh or changed or difference.gone:
            await self._storage.write(work)
        for each in mended:
            self._say(each)

    async def _compare(self, conn: AsyncConnection, slug: str, key: int, looked: Sequence[Looked]) -> Difference:
        kept = {_identity(each.found): each for each in await self._book.there(conn, key, looked)}
        groups: dict[tuple[str, str], list[Found]] = {}
        for each in looked:
            for found in each.found:
                named = replace(found, place=f"{each.detector}:{found.place}")
                groups.setdefault(_identity(named), []).append(named)
        wanted: dict[tuple[str, str], Finding] = {}
        fresh: set[tuple[str, str]] = set()
        for identity, some in groups.items():
            old = kept.get(identity) or await self._book.same(conn, key, some[0])
            if old is None or old.status == "closed":
                fresh.add(identity)
            wanted[identity] = _now(old, some, slug, _left(old, looked), self._clock.now_ms())
        for identity, old in kept.items():
            if identity not in wanted and (left := _left(old, looked)):
                wanted[identity] = replace(old, found=merged(old.found, left), days=left)
        return Difference(
            [wanted[identity] for identity in wanted if identity in fresh],
            [each for identity, each in wanted.items() if identity not in fresh and each != kept.get(identity)],
            [old for identity, old in kept.items() if identity not in wanted and old.status == "open"],
        )

    async def _valued(self, finding: Finding) -> Finding:
        valuer, found = self._corrections.valuer, finding.found
        if valuer is None or finding.status != "open":
            return finding
        async with self._storage.read() as conn:
            sheets = await self._engine.sheets_in(conn, [finding.meter_point], found.start_ms, found.end_ms)
        return replace(finding, worth=await worth(valuer, finding.meter_point, found, sheets[finding.meter_point]))

    async def compare(self, tx: AsyncConnection, touched: Touched) -> tuple[list[int], list[str]]:
        """What a transaction would do to the inbox: numbers of the findings that would close, texts of new ones."""
        closes: dict[int, None] = {}
        opens: dict[str, None] = {}
        for slug, start_ms, end_ms in touched:
            for owner, looked in await self._looked(tx, slug, start_ms, end_ms):
                difference = await self._compare(tx, owner, self._points.get(owner).key, looked)
                closes |= dict.fromkeys(each.number for each in difference.gone)
                opens |= dict.fromkeys(each.found.text for each in difference.fresh)
        return list(closes), list(opens)

    async def _tell(self, due: Sequence[Finding]) -> None:
        now_ms = self._clock.now_ms()
        told = [replace(each, notified_ms=now_ms, news_ms=now_ms) for each in due]

        async def work(tx: AsyncConnection) -> None:
            for each in told:
                await self._book.put(tx, each)

        if told:
            await self._storage.write(work)
        for each in told:
            self._say(each)

    async def _heard(self) -> None:
        async def work(tx: AsyncConnection) -> bool:
            await self._book.heard(tx, self._clock.now_ms() - HEARD_MS)
            return bool(await self._book.news(tx))

        self._news = await self._storage.write(work)

    async def get(self, number: int) -> Finding:
        """The finding of that number. NotFound."""
        async with self._storage.read() as conn:
            found = await self._book.one(conn, number)
        if found is None:
            raise NotFound(f"there is no finding {number}")
        return found

    async def listing(self, wanted: Mapping[str, str], before: int | None, limit: int) -> list[Finding]:
        """Findings of a `meter_point`, a `cause`, a `status`, newest first, of numbers below `before`. NotFound."""
        where: dict[str, Any] = {name: wanted[name] for name in ("cause", "status") if name in wanted}
        if "meter_point" in wanted:
            where["point_id"] = self._points.get(wanted["meter_point"]).key
        async with self._storage.read() as conn:
            return await self._book.page(conn, where, before, limit)

    async def accept(self, number: int, who: str, reason: str | None = None, adjust: bool = False) -> tuple[Finding, int | None]:
        """Do what is proposed; the finding as it is then, and the number of the correction it made or undid.

        NotFound; Conflict when it is not open; Invalid when nothing is proposed; and all that corrections refuse.
        """
        finding = await self._open(number)
        remedy, why = finding.found.remedy, reason or f"finding {number}: {finding.found.text}"[:1000]
        made: int | None = None
        if isinstance(remedy, Correct):
            made = (await self._corrections.apply(remedy.change, why, who, adjust)).number
        elif isinstance(remedy, Undo):
            made = (await self._corrections.undo(remedy.number, why, who, adjust)).number
        elif isinstance(remedy, Swap):
            await self._swap(finding.meter_point, remedy)
        else:
            raise Invalid(f"finding {number} has no proposal; correct what is wrong, or dismiss it with a reason")
        self.note([(finding.meter_point, finding.found.start_ms, finding.found.end_ms)])
        await self.catch_up()
        return await self._after(finding, who), made

    async def preview(self, number: int) -> Effect | None:
        """What accepting it would do; None for a swap. NotFound, Conflict, Invalid."""
        remedy = (await self._open(number)).found.remedy
        if isinstance(remedy, Correct):
            return await self._corrections.preview(remedy.change)
        return await self._corrections.preview_undo(remedy.number) if isinstance(remedy, Undo) else None

    async def _swap(self, slug: str, remedy: Swap) -> None:
        registers = Decimal(remedy.closing), Decimal(remedy.opening)
        async with self._registrar.deciding:
            point = self._points.get(slug)
            if point.origin == "yaml":
                raise Conflict(f"meter point {slug!r} is defined in the configuration file; state the swap there")
            await self._registrar.put(point, swapped(self._points.bindings(slug), None, remedy.at_ms, *registers))
        await self._engine.caught_up(SWAP_S)

    async def _after(self, finding: Finding, who: str) -> Finding:
        """The finding behind what was accepted: closed by whoever did, if that mended it."""
        async with self._storage.read() as conn:
            found = await self._book.one(conn, finding.number)
        if found is None:  # nobody had been told of it
            return replace(finding, status="closed", closed_ms=self._clock.now_ms(), closed_by=who)
        return await self._put(replace(found, closed_by=who)) if found.status == "closed" else found

    async def dismiss(self, number: int, reason: str, who: str) -> Finding:
        """It is no mistake, and stays dismissed whenever it is found again. NotFound; Conflict when it is not open."""
        if not reason.strip():
            raise Invalid("reason: expected why this is no mistake", [{"path": "reason", "message": "expected why this is no mistake"}])
        async with self._turn:
            finding = await self._open(number)
            now_ms = self._clock.now_ms()
            closed = {"closed_ms": now_ms, "closed_by": who, "reason": reason.strip(), "news_ms": now_ms}
            done = await self._put(replace(finding, status="dismissed", **closed))
        self._say(done)
        return done

    async def reopen(self, number: int) -> Finding:
        """Take a dismissal back. NotFound; Conflict when it is not dismissed."""
        async with self._turn:
            finding = await self.get(number)
            if finding.status != "dismissed":
                raise Conflict(f"finding {number} is {finding.status}; only a dismissed one can be reopened")
            return await self._put(replace(finding, status="open", closed_ms=None, closed_by=None, reason=None))

    async def _open(self, number: int) -> Finding:
        finding = await self.get(number)
        if finding.status != "open":
            raise Conflict(f"finding {number} is {finding.status} already")
        return finding

    async def _put(self, finding: Finding) -> Finding:
        async def work(tx: AsyncConnection) -> None:
            await self._book.put(tx, finding)

        await self._storage.write(work)
        return finding


def _identity(found: Found) -> tuple[str, str]:
    return found.cause.value, found.place


def _now(old: Finding | None, some: Sequence[Found], slug: str, left: Mapping[int, int], now_ms: int) -> Finding:
    """What is kept, with what was found now; a closed one is open again, a dismissed one stays so. `left` are days not looked at."""
    found = min(some, key=lambda each: each.start_ms)
    days = {**left, **{each.day: each.mwh or 0 for each in some if each.day is not None}}
    if days:
        first = found if old is None or not left or min(left) > (found.day or 0) else old.found
        found = merged(first, days)
    if old is None or old.status == "closed":
        return Finding(0 if old is None else old.number, slug, found, "open", now_ms, days)
    return replace(old, found=found, days=days)


def _left(old: Finding | None, looked: Sequence[Looked]) -> dict[int, int]:
    """The days of a finding that nobody looked at now."""
    if old is None:
        return {}
    here = [each for each in looked if old.found.place.startswith(f"{each.detector}:")]
    return {day: mwh for day, mwh in old.days.items() if not any(each.start_ms <= day * DAY_MS < each.end_ms for each in here)}
