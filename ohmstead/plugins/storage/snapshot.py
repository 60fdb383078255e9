"""The whole database as one file of SQLite, whatever engine it came from, and back again."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, MetaData, Table, create_engine, text

from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage import engine, schema
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.engine import Address

CHUNK = 5000  # rows copied at a time
DAY_MS = 86_400_000


async def take(address: Address, tables: Sequence[Tables], target: Path) -> None:
    """Write the database, as it stands at one moment, into a new file; the hub may go on writing meanwhile."""
    if address.file is not None:
        await asyncio.to_thread(_vacuum_into, address.file, target)
        return
    source = engine.writing(address, "process", create=False)
    try:
        async with source.connect() as conn:
            await conn.execution_options(isolation_level="REPEATABLE READ")
            await upgrade(target, tables)
            await _same_versions(conn, target)
            for table in await asyncio.to_thread(tables_of, target):
                await _out(conn, table, target)
    finally:
        await source.dispose()


async def put_back(source: Path, address: Address, tables: Sequence[Tables], aside: str) -> str:
    """Make a snapshot, of any older version, the database; the one before is kept under a name with `aside`, returned."""
    await upgrade(source, tables)
    if address.file is not None:
        return await asyncio.to_thread(_swap, source, address.file, aside)
    target = engine.writing(address, "process", create=False)
    try:
        async with target.begin() as conn:
            await conn.execute(text(f'ALTER SCHEMA public RENAME TO "{aside}"'))
            await conn.execute(text("CREATE SCHEMA public"))
            await schema.migrate(conn, tables)
            await _partitions(conn, source)
            there = set((await conn.execute(text(_TABLES))).scalars())
            found = [table for table in await asyncio.to_thread(tables_of, source) if table.name in there]
            for table in reversed(found):  # what migrations put in
                await conn.execute(text(f'DELETE FROM "{table.name}"'))  # noqa: S608
            for table in found:
                await _in(conn, table, source)
    finally:
        await target.dispose()
    return f"schema {aside}"


async def upgrade(file: Path, tables: Sequence[Tables]) -> None:
    """Bring a file to the versions of this release; ConfigError when it is of a newer one."""
    made = engine.writing(Address("sqlite", URL.create("sqlite"), file), "process", create=True)
    try:
        async with made.begin() as conn:
            await schema.migrate(conn, tables)
    finally:
        await made.dispose()


def verify(file: Path) -> dict[str, int]:
    """The number of rows of each table; ConfigError when the file is damaged."""
    with closing(sqlite3.connect(file)) as con:
        try:
            [(answer,)] = con.execute("PRAGMA integrity_check(1)").fetchall()
            names = [name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
            counts = {name: con.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
        except sqlite3.DatabaseError as error:
            answer = str(error)
    if answer != "ok":
        raise ConfigError(f"the database in the backup is damaged: {answer}")
    return counts


def tables_of(file: Path) -> list[Table]:
    """The tables of a snapshot, those that others point to first; without the versions of the schema."""
    metadata = MetaData()
    source = create_engine(f"sqlite:///{file}")
    try:
        metadata.reflect(source)
    finally:
        source.dispose()
    return [table for table in metadata.sorted_tables if not table.name.startswith("schema_")]


def _vacuum_into(file: Path, target: Path) -> None:
    if not file.exists():
        raise ConfigError(f"{file}: there is no database to back up")
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as con:
        con.execute("VACUUM INTO ?", (str(target),))


def _swap(source: Path, file: Path, aside: str) -> str:
    kept = file.with_name(f"{file.stem}.{aside}{file.suffix}")
    with closing(sqlite3.connect(source)) as con:
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for tail in ("-wal", "-shm", ""):
        part = file.with_name(file.name + tail)
        if part.exists():
            part.rename(kept.with_name(kept.name + tail))
    file.parent.mkdir(parents=True, exist_ok=True)
    source.rename(file)
    return str(kept) if kept.exists() else "none"


async def _same_versions(conn: AsyncConnection, file: Path) -> None:
    stored = await conn.run_sync(schema.versions)
    with closing(sqlite3.connect(file)) as con:
        for feature, version in stored.items():
            if con.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"schema_{feature}",)).fetchone() is None:
                continue
            [(ours,)] = con.execute(f"SELECT version_num FROM schema_{feature}").fetchall()  # noqa: S608
            if ours != version:
                raise ConfigError(
                    f"database: tables of {feature} have version {version}, this release knows {ours}. Start the hub once, then back up"
                )


async def _driver(conn: AsyncConnection) -> Any:
    raw = await conn.get_raw_connection()
    return raw.driver_connection


async def _out(conn: AsyncConnection, table: Table, target: Path) -> None:
    """Copy a table of PostgreSQL into the file."""
    names = [column.name for column in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    await conn.exec_driver_sql("SELECT")  # begin
    rows = []
    insert = f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608
    await asyncio.to_thread(_write, target, f'DELETE FROM "{table.name}"', [()])  # noqa: S608
    async for record in (await _driver(conn)).cursor(f'SELECT {columns} FROM "{table.name}"', prefetch=CHUNK):  # noqa: S608
        rows.append(tuple(record))
        if len(rows) == CHUNK:
            await asyncio.to_thread(_write, target, insert, rows)
            rows = []
    await asyncio.to_thread(_write, target, insert, rows)


def _write(target: Path, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(target)) as con, con:
        con.executemany(sql, rows)


async def _in(conn: AsyncConnection, table: Table, source: Path) -> None:
    """Copy a table of the file into PostgreSQL."""
    names = [column.name for column in table.columns]
    types = {row[0]: row[1] for row in await conn.execute(text(_TYPES), {"name": table.name})}
    flags = [place for place, name in enumerate(names) if types.get(name) == "boolean"]
    driver = await _driver(conn)
    with closing(sqlite3.connect(source, check_same_thread=False)) as con:
        columns = ", ".join(f'"{name}"' for name in names)
        rows = con.execute(f'SELECT {columns} FROM "{table.name}"')  # noqa: S608
        await driver.copy_records_to_table(table.name, columns=names, records=_typed(rows, flags), timeout=None)
    if types.get("id") == "integer":
        await conn.execute(text(_SEQUENCE.format(table=table.name)))


def _typed(rows: Iterator[tuple[Any, ...]], flags: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """SQLite keeps booleans as 0 and 1."""
    if not flags:
        return rows
    return (tuple(bool(v) if place in flags and v is not None else v for place, v in enumerate(row)) for row in rows)


async def _partitions(conn: AsyncConnection, source: Path) -> None:
    from ohmstead.plugins.storage.partitions import Partitions

    partitions = Partitions()
    days = await asyncio.to_thread(_days, source)
    await partitions.make(await _driver(conn), partitions.missing(itertools.chain(days)))


def _days(source: Path) -> list[int]:
    with closing(sqlite3.connect(source)) as con:
        return [day * DAY_MS for (day,) in con.execute(f"SELECT DISTINCT at_ms / {DAY_MS} FROM readings")]  # noqa: S608


_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
_TYPES = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = :name"
_SEQUENCE = """
    SELECT setval(s, greatest((SELECT max(id) FROM "{table}"), 1)) FROM pg_get_serial_sequence('"{table}"', 'id') s WHERE s IS NOT NULL
"""
