"""Derives what is marked: a portion at a time, read as one view of the database, written in one transaction.

Whatever happens in between, the marks are there until what they stand for is committed, and a mark that was set again
meanwhile stays. So derivation may be stopped at any point, and done twice, with the same bytes in the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.events import ReadingsStored
from ohmstead.core.quantity import Kind
from ohmstead.core.supervise import Task
from ohmstead.plugins.ledger.archive.files import Files
from ohmstead.plugins.ledger.archive.vault import FOLDER, NEVER, Lost, Vault
from ohmstead.plugins.ledger.corrections.amend import target
from ohmstead.plugins.ledger.corrections.book import Book
from ohmstead.plugins.ledger.corrections.changes import ReadingChange
from ohmstead.plugins.ledger.engine.agenda import NO_SERIES, Agenda, BindingRow, Due
from ohmstead.plugins.ledger.engine.echo import FOR_EVER, Echo
from ohmstead.plugins.ledger.engine.readings import PORTION, Readings, Rows
from ohmstead.plugins.ledger.engine.stack import Bound
from ohmstead.plugins.ledger.engine.track_book import TrackBook
from ohmstead.plugins.ledger.engine.tracks import Derived, Job, Span, Track, deltas, derive, finish, merged
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.lists import delete
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import Grid
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.reader import Reader
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

REST_S = 1.0  # between two rounds, at least: readings that come meanwhile share the next
BEHIND_S = 6.0  # from a reading to its derivation, more or less
LONG_S = 3.0  # a round that takes longer is behind; the longest rest while so many readings come that some wait to be stored
TURN_S = 0.2  # of the writer's time that a portion takes, more or less: what people wait for waits meanwhile
SHARE = 6  # so many times as long as a round took it rests, as long as that is not too long
CROWD = 20_000  # readings that wait to be stored: as many as a transaction takes
ARCHIVED = 10  # tracks of a portion whose readings are archived

Touched = Sequence[tuple[str, int, int]]


class Portion(msgspec.Struct):
    """What was derived, and what is to be done with it."""

    due: Due
    done: list[Derived]
    stale: list[tuple[int, int, int, int]]

    def reached(self, after: int) -> int:
        """The last series of which all is done."""
        return max([after, *(series for series, *_ in self.due.series_marks)])


class Moved(Exception):
    """A binding changed while its tracks were derived: what came of it is not written."""


class Deriver:
    """The one who writes what is derived. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, bus: Bus, clock: Clock, points: MeterPoints, marks: Marks) -> None:
        self._storage, self._bus, self._clock, self._points, self._marks = storage, bus, clock, points, marks
        self._agenda = Agenda(storage.reader, storage.tenant_id)
        self._tracks = TrackBook(storage)
        self.vault = Vault(storage, Files(storage.data_dir / FOLDER))
        self.readings = Readings(storage.reader, self.vault)
        self._corrections = Book(storage.tenant_id)
        self.echo = Echo(storage, points, marks, self.readings)
        self.grid = Grid()
        self.turn = asyncio.Lock()  # held from reading to commit, taken before the writer's transaction
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._awaited: list[asyncio.Future[None]] = []  # who waits for the next round
        self._behind = False  # a round takes longer than it may

    async def open(self) -> None:
        """Read how long slots are, and what is archived. Storage must be open."""
        await self.vault.open()
        rows = await self._storage.reader.rows("SELECT from_day, slot_ms FROM slot_lengths WHERE tenant_id = $1", self._storage.tenant_id)
        self.grid = Grid(rows)

    def wake(self) -> None:
        """Somebody marked something and waits for it."""
        self._wake.set()
        self._hurry.set()

    async def work(self, task: Task) -> None:
        """Derive for ever, soon after readings were stored."""
        leave = self._bus.subscribe(ReadingsStored, lambda event: self._wake.set())
        try:
            self._wake.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._hurry.clear()
                took_s = await self._round()
                task.up()
                self._behind = took_s > LONG_S
                await self._rest(took_s)
        finally:
            leave()

    async def caught_up(self, within_s: float) -> None:
        """Wait until all that was marked before is derived; Unavailable when that takes longer."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append(done)
        self.wake()
        try:
            await self._clock.timeout(done, within_s)
        except TimeoutError:
            raise Unavailable("the ledger does not keep up with the readings; try again", retry_after_s=5) from None

    async def _round(self) -> float:
        """Derive all that was marked when it began, portion by portion in order of the series; how long it took."""
        began, after = time.perf_counter(), NO_SERIES
        awaited, self._awaited = self._awaited, []
        try:
            while (reached := await self.portion(after)) is not None:
                after = reached
                self._behind |= time.perf_counter() - began > LONG_S
        except BaseException:
            self._awaited += awaited
            raise
        for done in awaited:
            if not done.done():
                done.set_result(None)
        return time.perf_counter() - began

    async def _rest(self, took_s: float) -> None:
        with suppress(TimeoutError):
            most_s = LONG_S if self._storage.waiting >= CROWD else BEHIND_S - took_s
            await self._clock.timeout(self._hurry.wait(), max(REST_S, min(SHARE * took_s, most_s)))

    async def portion(self, after: int = NO_SERIES) -> int | None:
        """Derive one portion: of what meter points are marked for, and of series behind `after`.

        The last series of which all is done, for the next portion of the round; None when nothing was marked.
        """
        if after == NO_SERIES:
            self._marks.begin()
        try:
            async with self.turn:
                reached, touched = await (self._alone(after) if self._crowded else self._beside(after))
        except Moved:
            return after
        self.tell(touched)
        return reached

    @property
    def _crowded(self) -> bool:
        """Whether readings come in faster than they can be derived beside that."""
        return self._behind and self._storage.waiting >= CROWD

    async def _beside(self, after: int) -> tuple[int | None, Touched]:
        """One portion, derived while readings are stored."""
        async with self._storage.snapshot() as conn:
            async with self._storage.still():
                due = await self._due(conn, after)
            portion = await self._derive(conn, due)
        if portion is None:
            return None, ()
        return portion.reached(after), await self._storage.write(lambda tx: self._timed(tx, portion, time.perf_counter()))

    async def _alone(self, after: int) -> tuple[int | None, Touched]:
        """The same in the writer's time: readings wait, and those who send them are slowed to what can be derived.

        One portion in a transaction: more would hold up senders until they give up.
        """

        async def work(tx: AsyncConnection) -> tuple[int | None, Touched]:
            began, portion = time.perf_counter(), await self._derive(tx, await self._due(tx, after))
            return (None, ()) if portion is None else (portion.reached(after), await self._timed(tx, portion, began))

        done: tuple[int | None, Touched] = await self._storage.write(work)
        return done

    async def derive(self, tx: AsyncConnection) -> Touched:
        """Derive all that is marked inside a transaction of the writer; the spans of meter points that may have changed.

        Whoever runs that transaction holds `turn`.
        """
        touched: dict[str, list[Span]] = {}
        self._marks.begin()
        while (portion := await self._derive(tx, await self._due(tx, NO_SERIES))) is not None:
            for slug, start_ms, end_ms in await self._write(tx, portion):
                touched.setdefault(slug, []).append((start_ms, end_ms))
        return [(slug, *span) for slug, spans in touched.items() for span in merged(spans)]

    @property
    def reader(self) -> Reader:
        """How it reads."""
        return self._storage.reader

    async def tracks(self, conn: AsyncConnection) -> list[Track]:
        """All tracks there are, as a connection sees them."""
        return await self._agenda.tracks(conn)

    def bounds(self) -> Mapping[int, Sequence[Bound]]:
        """The bindings of every meter point, as `tracks` found them."""
        return self._agenda.bounds()

    async def would(self, conn: AsyncConnection, point: MeterPoint, span: Span, also: int) -> tuple[list[Sheet], list[Sheet]]:
        """See Echo.would."""
        tracks = await self._agenda.tracks(conn)
        return await self.echo.would(conn, point, span, also, tracks, self._agenda.bounds(), self.grid)

    def tell(self, touched: Touched) -> None:
        """The transaction is committed: let everybody know."""
        if touched:
            self._bus.publish(LedgerChanged(tuple(touched)))

    async def _due(self, conn: AsyncConnection, after: int) -> Due:
        """What is due, at the first look of a connection, while the writer does nothing else."""
        due = await self._agenda.due(conn, after)
        if due.series_marks:
            self._marks.reached(due.series_marks[-1][0])
        return due

    async def _derive(self, conn: AsyncConnection, due: Due) -> Portion | None:
        if not due:
            return None
        changes = await self._corrections.of_series(conn, {job.track.address for job in due.jobs}) if due.jobs else {}
        plain = [job for job in due.jobs if job.track.kind is not Kind.DELTA and job.track.address not in changes]
        done = await self._plain(conn, plain)
        for job in due.jobs:
            some = changes.get(job.track.address, ())
            if job.track.kind is Kind.DELTA:
                done.append(await self._periods(conn, job, some))
            elif some:
                done.append(await self._amended(conn, job, some))
        stale = await self._tracks.stale(conn, done)
        return Portion(due, done, stale)

    async def _plain(self, conn: AsyncConnection, jobs: Sequence[Job]) -> list[Derived]:
        """Jobs whose readings count as they were sent; of those that are not reached, all is left."""
        await self._tracks.resume(conn, jobs)
        archived, there = self._where(jobs)
        back = [await self._amended(conn, job, ()) for job in archived[:ARCHIVED]] + [_untouched(job) for job in archived[ARCHIVED:]]
        return back + await self._there(conn, there)

    def _where(self, jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
        """Those some of whose readings are archived, and all others."""
        found: tuple[list[Job], list[Job]] = [], []
        for job in jobs:
            found[not self.vault.holds(job.track.series, job.after_ms)].append(job)
        return found

    async def _there(self, conn: AsyncConnection, jobs: Sequence[Job]) -> list[Derived]:
        """Jobs whose readings are all in the database."""
        rows = await self._tracks.readings(conn, jobs, PORTION)
        reached = jobs[: len(rows)]
        more = [False] * len(rows)
        if rows:
            count = sum(map(len, rows))
            more[-1] = count >= PORTION
            self._agenda.fit(PORTION * len(rows) // max(1, count))
        made = await asyncio.to_thread(self._run, reached, rows, more)
        await self._finish(conn, reached, made)
        return made + [_untouched(job) for job in jobs[len(rows) :]]

    def _run(self, jobs: Sequence[Job], rows: Sequence[Rows], more: Sequence[bool]) -> list[Derived]:
        return [derive(job, self.grid, some, rest) for job, some, rest in zip(jobs, rows, more, strict=True)]

    async def _finish(self, conn: AsyncConnection, jobs: Sequence[Job], made: Sequence[Derived]) -> None:
        stored = await self._tracks.edges(conn, list(zip(jobs, made, strict=True)))

        def work() -> None:
            for job, derived, some in zip(jobs, made, stored, strict=True):
                finish(derived, job, self.grid, some)

        await asyncio.to_thread(work)

    async def _amended(self, conn: AsyncConnection, job: Job, changes: Sequence[ReadingChange]) -> Derived:
        """A job whose readings are corrected below the live layer, or archived."""
        job.dirty = merged(target(changes, *span) for span in job.dirty)
        lost: list[Span] = []
        while True:
            try:
                derived = await self._one(conn, job, changes, lost[-1][1] if lost else NEVER)
            except Lost as error:
                log.warning("%s", error)
                lost.append((error.from_ms, error.until_ms))
                job.dirty = [(max(start_ms, error.until_ms), end_ms) for start_ms, end_ms in job.dirty if end_ms > error.until_ms]
            else:
                derived.lost = lost
                return derived

    async def _one(self, conn: AsyncConnection, job: Job, changes: Sequence[ReadingChange], blind_ms: int) -> Derived:
        """The same without the archived readings before `blind_ms`, which are lost: what was made of them stays."""
        if job.dirty:
            await self._tracks.resume(conn, [job])
        if not job.dirty or (blind_ms != NEVER and job.head is not None and job.state is None):
            return Derived(job.track, 0, -1, False, {}, job.head, [], 0, -1, [], (0, 0))
        until_ms = min(job.until_ms, job.track.end_ms)
        rows, edge_ms = await self.readings.some(conn, job.track, changes, job.after_ms + 1, until_ms, blind_ms)
        derived = await asyncio.to_thread(derive, job, self.grid, rows, edge_ms < until_ms)
        await self._finish(conn, [job], [derived])
        return derived

    async def _periods(self, conn: AsyncConnection, job: Job, changes: Sequence[ReadingChange]) -> Derived:
        """A track of deltas: derived in whole days that no period crosses."""
        rows, span = await self.readings.periods(conn, job.track, changes, (job.dirty[0][0], job.dirty[-1][1]))
        return await asyncio.to_thread(deltas, job.track, self.grid, rows, span)

    async def _timed(self, tx: AsyncConnection, portion: Portion, began: float) -> Touched:
        """Write it; the next one takes as many tracks as fit into TURN_S of the writer's time."""
        touched = await self._write(tx, portion)
        self._agenda.narrow(int(len(portion.due) * TURN_S / (time.perf_counter() - began)))
        return touched

    async def _write(self, tx: AsyncConnection, portion: Portion) -> Touched:
        due, done = portion.due, portion.done
        await self._unmoved(tx, due.bindings)
        await self._tracks.write(tx, done, portion.stale)
        spans = [(each.track.point, each.first_day, FOR_EVER if each.to_the_end else each.last_day) for each in done]
        await self.vault.seal_again(tx, spans)
        await delete(tx, self.reader, "ledger_marks", ("series_id", "day", "round", "generation"), due.series_marks)
        await delete(tx, self.reader, "point_marks", ("id",), [(number,) for number in due.point_marks])
        left = [(each.track.point, *span, Reach.TRACKS.value, *each.track.key) for each in done for span in each.left]
        columns = ("point_id", "start_ms", "end_ms", "reach", "binding_id", "term")
        await self._storage.bulk(tx, "point_marks", columns, left)
        changed: dict[int, list[Span]] = {}
        for each in done:
            if each.changed[0] < each.changed[1]:
                changed.setdefault(each.track.point, []).append(each.changed)
        return await self.echo.make(tx, changed, due.laid, due.tracks, due.bounds, self.grid)

    async def _unmoved(self, tx: AsyncConnection, bindings: Mapping[int, BindingRow]) -> None:
        """Moved unless the bindings still are what was read."""
        rows = await self._agenda.rows(tx, bindings)
        if any(rows.get(number) != row for number, row in bindings.items()):
            raise Moved


def _untouched(job: Job) -> Derived:
    """Nothing of a job was done: all of it is left."""
    return Derived(job.track, 0, -1, False, {}, job.head, [], 0, -1, job.dirty, (0, 0))

