"""PostgreSQL's fast path: COPY straight into the keyed table, its bytes made in a thread.

COPY has no ON CONFLICT: a group that brings a known key fails whole and is written again with what is known sifted
out. COPY into a staging table and from there, the other way, reaches half of the rate and would pay that every time.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from ohmstead.core.model import Row, Series
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.group import COLUMNS, BadRow, Group, Marks, flat
from ohmstead.plugins.storage.partitions import Partitions
from ohmstead.plugins.storage.tables import HOME

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
DOWN = ("08", "25", "53", "57", "58")  # classes of SQLSTATE: connection, read-only, resources, operator, system
THREAD_FROM = 500  # rows from which packing is worth a thread
ADD_SERIES = (
    "INSERT INTO series (tenant_id, device_id, quantity, kind, unit) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (tenant_id, device_id, quantity) DO UPDATE SET kind = excluded.kind, unit = excluded.unit RETURNING id"
)
ADD_MARKS = (  # the update locks the mark, so that whoever rolls up right now waits and sees these readings
    "INSERT INTO rollup_marks (series_id, start_ms) SELECT * FROM unnest($1::int[], $2::bigint[])"
    " ON CONFLICT (series_id, start_ms) DO UPDATE SET start_ms = excluded.start_ms"
)
ADD_NOTES = (
    "INSERT INTO reading_notes (series_id, at_ms, sampled_ms, flags)"
    " SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[]) ON CONFLICT DO NOTHING"
)


class PostgresPath:
    """Writes groups into one PostgreSQL database."""

    errors = (asyncpg.PostgresError, asyncpg.InterfaceError)  # what the driver raises by itself

    def __init__(self) -> None:
        self.partitions = Partitions()

    def is_down(self, error: BaseException) -> bool:
        """Whether it is the server that failed (gone, full, shutting down), not what was asked of it."""
        if getattr(error, "connection_invalidated", False) or isinstance(error, OSError):
            return True
        cause = getattr(error, "orig", None) or error
        cause = cause.__cause__ if getattr(cause, "sqlstate", None) is None and cause.__cause__ else cause
        state = getattr(cause, "sqlstate", None) or ""
        return state[:2] in DOWN or isinstance(cause, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)

    async def opened(self, conn: AsyncConnection) -> None:
        """A new connection may be to another server: look for the partitions again."""
        self.partitions.forget()

    async def quick(self, conn: AsyncConnection, group: Group, marks: Sequence[Marks]) -> bool:
        """Commit a group that has nothing but new rows; False when some were known, and nothing was written."""
        await self.arrange(conn, group)
        driver = await _driver(conn)
        try:
            async with driver.transaction():
                await _copy_all(driver, group, marks)
        except asyncpg.UniqueViolationError:
            return False
        return True

    async def arrange(self, conn: AsyncConnection, group: Group) -> None:
        """Give every series its key, make partitions, and sort the group. Outside of a transaction."""
        driver = await _driver(conn)
        nameless, months = await _run(group.size, lambda: (group.nameless(), self.partitions.missing(r.at_ms for r in group.rows)))
        if nameless:
            await _name(driver, nameless)
        if months:
            await self.partitions.make(driver, months)
        await _run(group.size, group.arrange)

    async def insert(self, conn: AsyncConnection, group: Group, marks: Sequence[Marks]) -> bool:
        """Write the group's new rows and their marks inside the transaction; False when some were known."""
        await conn.exec_driver_sql("SELECT")  # SQLAlchemy begins with its first statement, and must before ours
        try:
            await _copy_all(await _driver(conn), group, marks)
        except asyncpg.UniqueViolationError:
            return False
        return True

    async def known(self, conn: AsyncConnection, table: str, rows: Sequence[Row]) -> dict[tuple[int, ...], Any]:
        """The stored values of those of the rows whose key is stored."""
        keys = COLUMNS[table][:-1]
        arrays = ", ".join(f"${place}::{'int' if key == 'series_id' else 'bigint'}[]" for place, key in enumerate(keys, 1))
        first, last = rows[0].at_ms, rows[-1].at_ms
        if len(rows) > 1:
            first, last = min(row.at_ms for row in rows), max(row.at_ms for row in rows)
        found = await (await _driver(conn)).fetch(
            f"SELECT {', '.join(keys)}, t.value FROM unnest({arrays}) o ({', '.join(keys)}) JOIN {table} t USING ({', '.join(keys)})"  # noqa: S608
            f" WHERE t.at_ms BETWEEN {first} AND {last}",
            *_columns(table, rows)[:-1],
        )
        return {tuple(row[:-1]): row[-1] for row in map(tuple, found)}

    async def bulk(self, conn: AsyncConnection, table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows of any table inside the transaction."""
        await conn.exec_driver_sql("SELECT")
        await (await _driver(conn)).copy_records_to_table(table, columns=columns, records=values)


async def fetch(conn: AsyncConnection, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a query whose parameters are $1, $2, …"""
    return list(map(tuple, await (await _driver(conn)).fetch(sql, *params)))


async def fetch_each(conn: AsyncConnection, sql: str, params: Sequence[Sequence[Any]], most: int) -> list[list[tuple[Any, ...]]]:
    """The rows of one query for each set of parameters, until `most` rows were read; its last parameter is how many are left."""
    found: list[list[tuple[Any, ...]]] = []
    statement = await (await _driver(conn)).prepare(sql)
    for some in params:
        if most <= 0:
            break
        found.append(list(map(tuple, await statement.fetch(*some, most))))
        most -= len(found[-1])
    return found


async def fetch_by_bucket(
    conn: AsyncConnection, sql: str, params: Sequence[Any], spans: Sequence[tuple[int, int]]
) -> list[tuple[Any, ...]]:
    """The same with a table `bucket (start_ms, end_ms)` at hand, made of the spans."""
    place = len(params) + 1
    columns = f"unnest(${place}::bigint[], ${place + 1}::bigint[]) AS b (start_ms, end_ms)"
    edges = [start for start, _ in spans], [end for _, end in spans]
    return await fetch(conn, f"WITH bucket AS (SELECT * FROM {columns}) {sql}", [*params, *edges])  # noqa: S608


async def _driver(conn: AsyncConnection) -> Any:
    raw = await conn.get_raw_connection()
    return raw.driver_connection


async def _run(size: int, work: Any) -> Any:
    """Do the work in a thread where it is long."""
    return await asyncio.to_thread(work) if size >= THREAD_FROM else work()


async def _name(driver: Any, nameless: Sequence[Series]) -> None:
    async with driver.transaction():
        keys = [await driver.fetchval(ADD_SERIES, HOME, s.device, s.quantity, s.kind.value, s.unit) for s in nameless]
    for series, key in zip(nameless, keys, strict=True):
        series.key = key


async def _copy_all(driver: Any, group: Group, more: Sequence[Marks]) -> None:
    for table in COLUMNS:
        rows = group.fresh[table]
        if rows:
            await _copy(driver, table, rows)
    if marks := group.marks():
        keys, starts = zip(*marks, strict=True)
        await driver.execute(ADD_MARKS, keys, starts)
    if remarks := group.remarks():
        await driver.execute(ADD_NOTES, *zip(*remarks, strict=True))
    for each in more:
        if added := await _run(group.size, lambda: each.rows(group)):  # noqa: B023 - it is awaited here
            await driver.execute(_add(each), *zip(*added, strict=True))


def _add(marks: Marks) -> str:
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(marks.columns.values(), 1))
    return f"INSERT INTO {marks.table} ({', '.join(marks.columns)}) SELECT * FROM unnest({arrays}) ON CONFLICT {marks.on_conflict}"  # noqa: S608


async def _copy(driver: Any, table: str, rows: Sequence[Row]) -> None:
    try:
        packed = await _run(len(rows), lambda: pack(table, rows))
        await driver.copy_to_table(table, source=_once(packed), columns=COLUMNS[table], format="binary")
    except (struct.error, UnicodeError, asyncpg.DataError, asyncpg.CheckViolationError, asyncpg.NotNullViolationError) as error:
        raise BadRow(str(error)) from error


def pack(table: str, rows: Sequence[Row]) -> bytes:
    """The rows in PostgreSQL's binary COPY format (documented under COPY, "Binary Format")."""
    if table == "texts":
        return HEADER + b"".join(map(_pack_text, rows)) + TRAILER
    if table == "deltas":
        fields: list[tuple[Any, ...]] = [(4, 4, r.series.key, 8, r.at_ms, 8, r.from_ms, 8, r.value) for r in rows]
        shape = "hiiiqiqid"
    else:
        fields = [(3, 4, r.series.key, 8, r.at_ms, 8, r.value) for r in rows]
        shape = "hiiiqid"
    values: list[Any] = []
    for row in fields:
        values += row
    return HEADER + struct.pack(">" + shape * len(rows), *values) + TRAILER


def _pack_text(row: Row) -> bytes:
    text = str(row.value).encode()
    return struct.pack(">hiiiqi", 3, 4, row.series.key, 8, row.at_ms, len(text)) + text


def _columns(table: str, rows: Sequence[Row]) -> list[list[Any]]:
    width, values = len(COLUMNS[table]), flat(table, rows)
    return [values[place::width] for place in range(width)]


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
