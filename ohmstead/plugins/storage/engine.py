"""Where the database is and how its connections are made: one that writes, a pool that only reads."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec
from sqlalchemy import URL, AsyncAdaptedQueuePool, NullPool, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError

from ohmstead.core.errors import ConfigError
from ohmstead.plugins.storage.connection import AsyncEngine, create_async_engine

READERS = 4
BUSY_S = 5.0  # how long a statement waits for another process: a transaction takes less even on a busy machine


class Address(msgspec.Struct, frozen=True):
    """Where the database is: a file of SQLite, or a PostgreSQL server."""

    name: str  # sqlite or postgresql
    url: URL
    file: Path | None = None


def locate(url: str, data_dir: Path) -> Address:
    """Read a database URL; a relative file lies in `data_dir`. ConfigError for one we cannot use."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise ConfigError(f"storage → url: {url!r} is no database URL, such as sqlite:///ohmstead.db") from None
    match found.get_backend_name():
        case "sqlite":
            return Address("sqlite", found, data_dir / (found.database or "ohmstead.db"))
        case "postgresql" | "postgres":
            if importlib.util.find_spec("asyncpg") is None:
                raise ConfigError('storage → url: PostgreSQL needs one more package: pip install "ohmstead[postgres]"')
            return Address("postgresql", found.set(drivername="postgresql+asyncpg"))
        case other:
            raise ConfigError(f"storage → url: {other} is not supported; use sqlite or postgresql")


def writing(address: Address, durability: str, create: bool) -> AsyncEngine:
    """The engine of the one connection that writes. `create` makes a file of SQLite that is not there."""
    if address.file is None:
        settings = {"synchronous_commit": "on"}  # a server may be set to answer before it has flushed its log
        connect_args = {"timeout": 10, "command_timeout": 60, "server_settings": settings}
        return create_async_engine(address.url, poolclass=NullPool, connect_args=connect_args)
    pragmas = (
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA cache_size=-32768;"
        f"PRAGMA wal_autocheckpoint=20000; PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'};"
    )
    connect = _sqlite(address.file, "rwc" if create else "rw", pragmas)
    engine = create_async_engine("sqlite+aiosqlite://", async_creator=connect, poolclass=NullPool)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def reading(address: Address) -> AsyncEngine:
    """The engine of the connections that only read."""
    options: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": READERS, "max_overflow": 0}
    options |= {"pool_timeout": 30, "pool_reset_on_return": None}
    if address.file is None:
        settings = {"default_transaction_read_only": "on"}
        connect_args = {"timeout": 10, "command_timeout": 60, "server_settings": settings}
        return create_async_engine(
            address.url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, connect_args=connect_args, **options
        )
    connect = _sqlite(address.file, "ro", "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;")
    return create_async_engine("sqlite+aiosqlite://", async_creator=connect, **options)


def _sqlite(file: Path, mode: str, pragmas: str) -> Callable[[], Coroutine[Any, Any, aiosqlite.Connection]]:
    uri = file.absolute().as_uri()

    async def connect() -> aiosqlite.Connection:
        conn = aiosqlite.connect(f"{uri}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_S)
        conn._thread.daemon = True  # as SQLAlchemy does for connections it makes: a crash must not hang at exit
        await conn
        try:
            await conn.executescript(pragmas)
        except BaseException:
            await conn.close()
            raise
        return conn

    return connect


def _begin_immediate(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")
