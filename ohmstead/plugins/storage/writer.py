"""The one writer: everything that changes the database goes through its queue, in order.

It takes all that waits, up to GROUP rows, commits, and takes the next at once: groups form by themselves under load and
a lone reading waits for nobody. After a commit it rests, at most for half of what that took, until as many rows wait as
were under way: those who are answered send again, and four batches in one group cost half of what they do one by one,
for each group writes the newest page of every series in it. When the database is gone, locked or full, what was taken
stays in hand and is tried again for ever; the queue fills, and ingest slows its senders.

What people wait for must not: small writes that are urgent have a queue of their own, which goes first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.durations import Durations
from ohmstead.core.errors import Unavailable
from ohmstead.core.events import DeadLettered, ReadingsStored
from ohmstead.core.ingest import Batch
from ohmstead.core.model import Row
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.group import COLUMNS, BadRow, Group, Marks
from ohmstead.plugins.storage.letters import Letters, of_row
from ohmstead.plugins.storage.pace import Pace

log = logging.getLogger(__name__)

GROUP = 20_000  # rows a transaction takes at most, unless one batch is larger
BOUND = 200_000  # rows that may wait
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DRAIN_S = 8.0
RESTART_S = 0.5
SLICE = 200  # batches settled before others get a turn
AHEAD = 20  # urgent writes in a row, before readings get their turn

Work = Callable[[AsyncConnection], Awaitable[Any]]
Join = Callable[[AsyncConnection, Group], Awaitable[None]]


class Path(Protocol):
    """An engine's fast path; see sqlite_path and postgres_path."""

    def is_down(self, error: BaseException) -> bool: ...
    async def opened(self, conn: AsyncConnection) -> None: ...
    async def quick(self, conn: AsyncConnection, group: Group, marks: Sequence[Marks]) -> bool: ...
    async def arrange(self, conn: AsyncConnection, group: Group) -> None: ...
    async def insert(self, conn: AsyncConnection, group: Group, marks: Sequence[Marks]) -> bool: ...
    async def known(self, conn: AsyncConnection, table: str, rows: Sequence[Row]) -> dict[tuple[int, ...], Any]: ...
    async def bulk(self, conn: AsyncConnection, table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None: ...


class Known(Exception):
    """Some rows of the group are stored already: the transaction is undone and they are sifted out."""


class Task:
    """Somebody's work for the writer's transaction, and where the result goes."""

    __slots__ = ("done", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class Writer:
    """Commits what is put into it. `connect` opens the connection that writes, anew after each failure."""

    def __init__(
        self, connect: Callable[[], Awaitable[AsyncConnection]], path: Path, letters: Letters, clock: Clock, bus: Bus,
        commits: Durations,
    ) -> None:  # fmt: skip
        self._connect = connect
        self._path = path
        self._letters = letters
        self._clock = clock
        self._bus = bus
        self._commits = commits
        self._conn: AsyncConnection | None = None
        self._queue: deque[Batch | Task] = deque()
        self._urgent: deque[Task] = deque()
        self._in_hand: list[Batch] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = self._closed = False
        self._expect_known = False
        self._pace = Pace(GROUP)
        self._running: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self.joins: tuple[Join, ...] = ()
        self.marks: tuple[Marks, ...] = ()
        self.waiting = 0
        self.healthy = True

    def start(self) -> None:
        """Begin to work through the queue."""
        self._running = asyncio.create_task(self._run(), name="storage writer")
        self._running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A mistake of ours must not leave the house without its writer: say so, and take what was in hand up again."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self.healthy = False
        log.error("the storage writer crashed and is started again", exc_info=error)
        self._queue.extendleft(reversed(self._in_hand))
        self._in_hand = []
        asyncio.get_running_loop().call_later(RESTART_S, self._restart)

    def _restart(self) -> None:
        if not self._closing:
            self.start()

    def put(self, batch: Batch) -> None:
        """Queue a batch; it is settled after its commit."""
        if self._closed:
            batch.settle(Unavailable("the house is stopping"))
            return
        self._queue.append(batch)
        self.waiting += batch.size
        if self.waiting >= BOUND:
            self._room.clear()
        self._wake.set()

    def has_room(self) -> bool:
        """Whether fewer rows wait than may."""
        return self.waiting < BOUND

    async def room(self) -> None:
        """Wait until fewer rows wait than may."""
        await self._room.wait()

    def join(self, join: Join) -> Callable[[], None]:
        """Take `join` along in every group until the returned function is called."""
        self.joins = (*self.joins, join)

        def leave() -> None:
            self.joins = tuple(other for other in self.joins if other is not join)

        return leave

    def mark(self, marks: Marks) -> Callable[[], None]:
        """Add the marks to every group until the returned function is called."""
        self.marks = (*self.marks, marks)

        def leave() -> None:
            self.marks = tuple(other for other in self.marks if other is not marks)

        return leave

    async def write(self, work: Work, within_s: float, urgent: bool = False) -> Any:
        """Run `work` in a transaction of its own, behind all that was queued before, or if `urgent` all that was so; its result.

        What it raises undoes the transaction and is raised here; Unavailable when the database is, or does not get
        round to it in time.
        """
        if self._closing:
            raise Unavailable("the house is stopping")
        task = Task(work)
        (self._urgent if urgent else self._queue).append(task)
        self._wake.set()
        try:
            return await self._clock.timeout(task.done, within_s)
        except TimeoutError:
            raise Unavailable("storage does not keep up; try again", retry_after_s=5) from None

    async def close(self) -> None:
        """Commit all that waits, at most for DRAIN_S; what could not be is settled with the error."""
        self._closing = True
        self._wake.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=DRAIN_S)
            self._running.cancel()
            await asyncio.wait({self._running})
        self._closed = True
        if self._settling is not None:
            await self._settling
        self._give_up(Unavailable("the house is stopping; what was sent last is not stored"))
        await self._disconnect()

    def _give_up(self, error: Exception) -> None:
        left, self._in_hand = [*self._in_hand, *self._urgent, *self._queue], []
        self._urgent.clear()
        self._queue.clear()
        for item in left:
            if isinstance(item, Batch):
                item.settle(error)
            elif not item.done.done():
                item.done.set_exception(error)
        if self.waiting:
            log.error("%d readings were given up: storage did not take them before the house stopped", self.waiting)
        self.waiting = 0

    async def _run(self) -> None:
        while True:
            for _ in range(AHEAD):
                if self._urgent:
                    await self._work(self._urgent.popleft())
            if self._queue and self._is_due():
                await self._next()
            elif self._urgent:
                continue
            elif self._closing:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    def _is_due(self) -> bool:
        return self._pace.is_due(self.waiting) or self._closing or isinstance(self._queue[0], Task)

    async def _next(self) -> None:
        if isinstance(self._queue[0], Task):
            await self._work(self._queue.popleft())  # type: ignore[arg-type]
            return
        rows = 0
        while self._queue and isinstance(batch := self._queue[0], Batch) and (not rows or rows + batch.size <= GROUP):
            self._in_hand.append(batch)
            self._queue.popleft()
            rows += batch.size
        began = time.perf_counter()
        parts = await self._persist(self._in_hand)
        took_s = time.perf_counter() - began
        self._commits.add(took_s)
        self.waiting -= rows
        asyncio.get_running_loop().call_later(self._pace.rest(rows + self.waiting, took_s), self._wake.set)
        if self.waiting < BOUND:
            self._room.set()
        batches, self._in_hand = self._in_hand, []
        await self._settle(batches, parts)

    async def _work(self, task: Task) -> None:
        """Run one task. Whatever it raises is for whoever asked, who may have left."""
        if task.done.done():
            return
        result: Any
        [result] = await asyncio.gather(self._in_transaction(task.work), return_exceptions=True)
        if isinstance(result, BaseException) and self._path.is_down(result):
            await self._failed(result)
            cause, result = result, Unavailable("the database is not available; try again", retry_after_s=5)
            result.__cause__ = cause
        elif not isinstance(result, BaseException):
            self._recovered()  # no reading may come for hours
        if task.done.done():
            return
        if isinstance(result, BaseException):
            task.done.set_exception(result)
        else:
            task.done.set_result(result)

    async def _in_transaction(self, work: Work) -> Any:
        conn = await self._connected()
        async with conn.begin():
            return await work(conn)

    async def _persist(self, batches: list[Batch]) -> list[Group]:
        """Commit the batches, however long it takes; the groups they were committed as."""
        parts: list[Group] = []
        group, attempt = Group(batches), 0
        while True:
            # Whatever goes wrong, what is in hand stays in hand: a plugin's join that fails must not lose a reading.
            [error] = await asyncio.gather(self._store(group, parts), return_exceptions=True)
            if error is None:
                self._recovered()
                return parts
            if not isinstance(error, Exception):
                raise error
            parts.clear()
            await self._failed(error)
            await self._clock.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            group, attempt = Group(batches), attempt + 1

    async def _store(self, group: Group, parts: list[Group]) -> None:
        """Commit a group; one that fails by a row is halved until that row is found, which becomes a dead letter."""
        try:
            await self._commit(group)
        except BadRow as error:
            if group.size > 1:
                for half in group.halves():
                    await self._store(half, parts)
                return
            [(batch, row), *_] = group.batch_of([group.only()])
            letters = [*group.letters, of_row(row, batch.source, f"storage cannot take this value: {error}", batch.now_ms)]
            group = Group(group.batches, {table: [] for table in COLUMNS})
            group.letters = letters
            await self._commit(group)
        parts.append(group)

    async def _commit(self, group: Group) -> None:
        conn = await self._connected()
        if not (group.letters or self.joins or self._expect_known) and await self._path.quick(conn, group, self.marks):
            return
        await self._path.arrange(conn, group)
        if not self._expect_known:
            try:
                await self._transact(conn, group, sift=False)
            except Known:
                pass
            else:
                return
        await self._transact(conn, group, sift=True)

    async def _transact(self, conn: AsyncConnection, group: Group, sift: bool) -> None:
        async with conn.begin():
            if sift:
                await self._sift(conn, group)
            if not await self._path.insert(conn, group, self.marks):
                raise Known
            for join in self.joins:
                await join(conn, group)
            letters = group.letters + [_conflict(batch, row) for batch, row in group.batch_of(group.conflicts)]
            if letters:
                await self._letters.add(conn, self._path, letters)

    async def _sift(self, conn: AsyncConnection, group: Group) -> None:
        before = group.size
        for table in COLUMNS:
            if rows := group.fresh[table]:
                known = await self._path.known(conn, table, rows)
                await asyncio.to_thread(group.sift, table, known)
        # A sender that repeats itself tends to go on: while a tenth is known, look first and do not write in vain.
        self._expect_known = before - len(group.stored()) > before // 10

    async def _settle(self, batches: list[Batch], parts: list[Group]) -> None:
        for part in parts:
            self._tell(part)
        if self._settling is not None:
            await self._settling
            self._settling = None
        if len(batches) <= SLICE:
            _settle_now(batches)
        else:  # the next group is committed meanwhile
            self._settling = asyncio.create_task(_settle_in_slices(batches), name="storage settling")

    def _tell(self, part: Group) -> None:
        for batch, row in part.batch_of(part.conflicts) if part.conflicts else ():
            batch.conflicts.append(row)
            self._bus.publish(DeadLettered(batch.source, "conflict", 1))
        newest_ms = part.newest_ms()
        if newest_ms is not None:
            self._clock.not_before(min(newest_ms, self._clock.now_ms()))  # a device that is ahead must not take our clock along
            if self._bus.wants(ReadingsStored):
                self._bus.publish(ReadingsStored(part.stored()))

    async def _connected(self) -> AsyncConnection:
        if self._conn is None:
            self._conn = await self._connect()
            await self._path.opened(self._conn)
        return self._conn

    async def _disconnect(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            try:
                await conn.invalidate()
                await conn.close()
            except (SQLAlchemyError, OSError, ValueError) as error:  # it was broken anyway
                log.debug("closing the writer's connection: %s", error)

    async def _failed(self, error: BaseException) -> None:
        if self.healthy:
            self.healthy = False
            log.warning(
                "storage failed, readings wait until it is back: %s: %s", type(error).__name__, getattr(error, "orig", error),
                exc_info=None if self._path.is_down(error) else error,
            )  # fmt: skip
        await self._disconnect()

    def _recovered(self) -> None:
        if not self.healthy:
            self.healthy = True
            log.info("storage is back; %d readings waited", self.waiting)


def _conflict(batch: Batch, row: Row) -> Any:
    return of_row(row, batch.source, "conflict: another value is stored for this instant", batch.now_ms)


def _settle_now(batches: Sequence[Batch]) -> None:
    loop = asyncio.get_running_loop()
    for batch in batches:
        loop.call_soon(batch.settle, None)  # a callback that raises is the loop's to report, and hurts no other batch


async def _settle_in_slices(batches: list[Batch]) -> None:
    for place in range(0, len(batches), SLICE):
        _settle_now(batches[place : place + SLICE])
        await asyncio.sleep(0)
