"""The storage of the house: one writer, many readers, history, dead letters, rollups, retention."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.durations import Durations
from ohmstead.core.errors import Unavailable
from ohmstead.core.ingest import FUTURE_MS, Batch
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage import engine, schema, sqlite_path
from ohmstead.plugins.storage.connection import AsyncConnection, AsyncEngine
from ohmstead.plugins.storage.group import Marks
from ohmstead.plugins.storage.history import History
from ohmstead.plugins.storage.letters import Letters
from ohmstead.plugins.storage.reader import Reader
from ohmstead.plugins.storage.retention import Retention
from ohmstead.plugins.storage.rollups import Rollups
from ohmstead.plugins.storage.tables import HOME
from ohmstead.plugins.storage.writer import Join, Work, Writer

log = logging.getLogger(__name__)

SWITCH_S = 0.0005  # how long a thread may keep the interpreter from the event loop
LOOK_BACK = 30  # readings of a series that are searched for the moment its value last changed


class Restored(msgspec.Struct, frozen=True):
    """The newest stored reading of a series. `changed_ms` is as early as the newest LOOK_BACK readings show."""

    key: int
    device: str
    quantity: str
    value: float | str
    changed_ms: int
    updated_ms: int
    reported_ms: int

    @property
    def address(self) -> str:
        """`device.quantity`."""
        return f"{self.device}.{self.quantity}"


class Storage:
    """Opens the database at `url` (relative files lie in `data_dir`) and offers what the house needs of it.

    `durability` "process" survives kill -9 of the hub; "power" also a power cut, at the cost of a disk flush a group.
    """

    def __init__(self, url: str, data_dir: Path, clock: Clock, bus: Bus, durability: str = "process") -> None:
        self.address = engine.locate(url, data_dir)
        self.data_dir = data_dir
        self.tenant_id = HOME
        self._clock = clock
        self._durability = durability
        self._path = self._make_path()
        self.queries = {"read": Durations(), "commit": Durations()}  # how long each took, from asking to done
        self._reading: AsyncEngine | None = None
        self._writing: AsyncEngine | None = None
        self.around = plain
        self.letters = Letters(self.read, self.write)
        self._writer = Writer(self._connect, self._path, self.letters, clock, bus, self.queries["commit"])
        self.reader = reader = Reader(self.read, self.engine_name)
        self.history = History(reader)
        self.rollups = Rollups(reader, self.write, self.bulk)
        self.retention = Retention(reader, self.write, self.engine_name, clock)

    def _make_path(self) -> Any:
        if self.address.file is not None:
            return sqlite_path.SqlitePath(self.address.file)
        from ohmstead.plugins.storage import postgres_path  # asyncpg is an extra

        return postgres_path.PostgresPath()

    @property
    def engine_name(self) -> str:
        """sqlite or postgresql."""
        return self.address.name

    @property
    def waiting(self) -> int:
        """Rows that are queued and not yet committed."""
        return self._writer.waiting

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded."""
        return self._writer.healthy

    async def open(self, tables: Sequence[Tables] = ()) -> None:
        """Make or migrate the tables of storage and of the features, and start the writer.

        ConfigError when the database is of a newer release, Unavailable when it cannot be reached.
        """
        sys.setswitchinterval(SWITCH_S)
        if self.address.file is not None:
            self.address.file.parent.mkdir(parents=True, exist_ok=True)
        self._writing = engine.writing(self.address, self._durability, create=True)
        try:
            async with self._writing.begin() as conn:
                await schema.migrate(conn, tables)
        except (SQLAlchemyError, OSError, *self._path.errors) as error:
            await self._writing.dispose()
            if self._path.is_down(error):
                raise Unavailable(f"database {self.address.url.render_as_string()}: {error}") from error
            raise
        await self._writing.dispose()
        self._writing = engine.writing(self.address, self._durability, create=False)
        self._reading = engine.reading(self.address)
        await self._learn_time()
        self._writer.start()

    async def close(self) -> None:
        """Commit what waits, at most for 8 s, and close every connection."""
        await self._writer.close()
        for each in (self._reading, self._writing):
            if each is not None:
                await each.dispose()

    def put(self, batch: Batch) -> None:
        """Queue a batch, never blocking; after its commit `batch.settle(None)` is called on the event loop."""
        self._writer.put(batch)

    def has_room(self) -> bool:
        """Whether the queue is below its bound."""
        return self._writer.has_room()

    async def room(self) -> None:
        """Wait until the queue is below its bound."""
        await self._writer.room()

    async def write(self, work: Work, within_s: float = 60.0, urgent: bool = False) -> Any:
        """Run `await work(tx)` in a transaction, in the writer's order; its result, or what it raised (all is undone).

        `urgent` is for what people wait for: small, and in order only among its like. It goes before readings that wait,
        and may be there before those that were sent before it. Unavailable when the database is away or `within_s` seconds
        pass before it is this one's turn.
        """
        return await self.around(work, lambda given: self._writer.write(given, within_s, urgent))

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Nothing is written for the length of the block, which begins in the writer's order. Keep it short. Raises what `write` does."""
        begun, over = asyncio.get_running_loop().create_future(), asyncio.Event()

        async def hold(tx: AsyncConnection) -> None:
            begun.set_result(None)
            await over.wait()

        held = asyncio.create_task(self.write(hold))
        try:
            await asyncio.wait({held, begun}, return_when=asyncio.FIRST_COMPLETED)
            if held.done():
                await held
            yield
        finally:
            over.set()
            if not begun.done():
                held.cancel()
            await asyncio.wait({held})

    def join(self, join: Join) -> Callable[[], None]:
        """Have `await join(tx, group)` run inside the transaction of every group of readings; see Group.

        Until the returned function is called: groups without company take a faster path.
        """
        return self._writer.join(join)

    def mark(self, marks: Marks) -> Callable[[], None]:
        """Have the marks written in the transaction of every group of readings, at hardly any cost; see Marks.

        Until the returned function is called.
        """
        return self._writer.mark(marks)

    async def bulk(self, tx: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows, none of which may be there, in a transaction of `write`: the engine's fastest way."""
        if rows:
            await self._path.bulk(tx, table, columns, rows)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that can only read and never waits for the writer; Unavailable when there is none."""
        if self._reading is None:
            raise Unavailable("the database is not open")
        began = time.perf_counter()
        try:
            conn = await self._reading.connect()
        except (SQLAlchemyError, OSError, *self._path.errors) as error:
            raise Unavailable(f"the database cannot be read: {error}", retry_after_s=5) from error
        try:
            yield conn
        except (SQLAlchemyError, OSError, *self._path.errors) as error:
            if self._path.is_down(error):
                await conn.invalidate()
                raise Unavailable(f"the database cannot be read: {error}", retry_after_s=5) from error
            raise
        finally:
            await conn.close()
            self.queries["read"].add(time.perf_counter() - began)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A reading connection that sees the database as it is at its first query, for the length of the block. Keep it short."""
        async with self.read() as conn:
            await conn.exec_driver_sql(_SNAPSHOT[self.engine_name])
            try:
                yield conn
            finally:
                if not conn.invalidated:  # as it is when what used it was cancelled
                    await conn.exec_driver_sql("COMMIT")

    async def restore_states(self) -> list[Restored]:
        """The newest stored reading or text of every series; one index seek each, whatever is stored."""
        found: list[Restored] = []
        async with self.read() as conn:
            for table in ("readings", "texts"):
                rows = (await conn.execute(text(_NEWEST.format(table=table, count=LOOK_BACK)))).all()
                found += await asyncio.to_thread(_restored, [tuple(row) for row in rows])
        return found

    async def _learn_time(self) -> None:
        async with self.read() as conn:
            newest_ms = await conn.scalar(text(_LATEST))
        if newest_ms is not None:
            self._clock.not_before(newest_ms - FUTURE_MS)  # a device may be ahead of us by as much

    async def _connect(self) -> AsyncConnection:
        assert self._writing is not None
        return await self._writing.connect()


async def plain(work: Work, write: Callable[[Work], Awaitable[Any]]) -> Any:
    """How work is written where nobody has anything to add to it."""
    return await write(work)


_SNAPSHOT = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ"}
_NEWEST = """
    SELECT s.id, s.device_id, s.quantity, r.at_ms, r.value FROM series s JOIN {table} r ON r.series_id = s.id
    AND r.at_ms >= (SELECT min(n.at_ms) FROM (
        SELECT at_ms FROM {table} WHERE series_id = s.id ORDER BY at_ms DESC LIMIT {count}) n)
    ORDER BY s.id, r.at_ms DESC
"""
_LATEST = "SELECT max((SELECT at_ms FROM readings WHERE series_id = s.id ORDER BY at_ms DESC LIMIT 1)) FROM series s"


def _restored(rows: Sequence[tuple[Any, ...]]) -> list[Restored]:
    """The newest of each series, from rows by series with the newest first."""
    found: dict[int, Restored] = {}
    ended: set[int] = set()
    for key, device, quantity, at_ms, value in rows:
        newest = found.get(key)
        if newest is None:
            found[key] = Restored(key, device, quantity, value, at_ms, at_ms, at_ms)
        elif key not in ended and newest.value == value:
            found[key] = msgspec.structs.replace(newest, changed_ms=at_ms)
        else:
            ended.add(key)
    return list(found.values())
