"""What changed between two snapshots, row by row, as a file of SQLite: rows that came, and keys of those that went.

Snapshots are files of SQLite whatever engine they came from, and comparing them needs nobody's promise that rows are
only ever added: what came late, was deleted or rewritten is found as well. A table without a primary key is taken whole.
"""
# ruff: noqa: S608 - the names in these statements are quoted, and those of our own tables

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ohmstead.core.errors import ConfigError

COME, GONE, WHOLE = "come", "gone", "whole"
OTHER_TABLES = "it has other tables than the full backup"


def compare(full: Path, now: Path, changes: Path) -> int:
    """Write what makes `now` of `full` into a new file; how many rows and keys. ConfigError when their tables are not the same."""
    with _opened(now, full=full, changes=changes) as con:
        con.executescript("PRAGMA changes.journal_mode = OFF; PRAGMA changes.synchronous = OFF")
        if _shape(con, "main") != _shape(con, "full"):
            raise ConfigError(OTHER_TABLES)
        return sum(_table(con, table) for table in _tables(con))


def apply(base: Path, changes: Path) -> None:
    """Make of a snapshot what it was compared with."""
    with _opened(base, changes=changes) as con:
        found = [name for (name,) in con.execute("SELECT name FROM changes.sqlite_master WHERE type = 'table'")]
        con.execute("BEGIN")
        for name in found:  # before anything comes: what is unique may have moved from one row to another
            kind, _, table = name.partition(" ")
            keys = _list(_keys(con, table)[0])
            which = "" if kind == WHOLE else f"WHERE ({keys}) IN (SELECT {keys} FROM changes.{_named(name)})"
            con.execute(f"DELETE FROM main.{_named(table)} {which}")
        for name in found:
            kind, _, table = name.partition(" ")
            if kind != GONE:
                con.execute(f"INSERT INTO main.{_named(table)} SELECT * FROM changes.{_named(name)}")
        con.execute("COMMIT")


def _table(con: sqlite3.Connection, table: str) -> int:
    """Compare one table; how much of it changed."""
    keys, rest = _keys(con, table)
    if not keys:
        return _whole(con, table)
    same = " AND ".join(f"o.{_named(key)} = n.{_named(key)}" for key in keys)
    new, old = f"main.{_named(table)} n", f'"full".{_named(table)} o'
    other = f" OR ({_list(rest, 'n.')}) IS NOT ({_list(rest, 'o.')})" if rest else ""
    come = f"SELECT n.* FROM {new} LEFT JOIN {old} ON {same} WHERE o.{_named(keys[0])} IS NULL{other}"
    gone = f"SELECT {_list(keys, 'o.')} FROM {old} WHERE NOT EXISTS (SELECT 1 FROM {new} WHERE {same})"
    return _keep(con, f"{COME} {table}", come) + _keep(con, f"{GONE} {table}", gone)


def _whole(con: sqlite3.Connection, table: str) -> int:
    old, new = (sorted(con.execute(f'SELECT * FROM "{which}".{_named(table)}'), key=repr) for which in ("full", "main"))
    if old == new:
        return 0
    con.execute(f"CREATE TABLE changes.{_named(f'{WHOLE} {table}')} AS SELECT * FROM main.{_named(table)}")
    return max(1, len(new))


def _keep(con: sqlite3.Connection, name: str, query: str) -> int:
    con.execute(f"CREATE TABLE changes.{_named(name)} AS {query}")
    (count,) = con.execute(f"SELECT count(*) FROM changes.{_named(name)}").fetchone()
    if not count:
        con.execute(f"DROP TABLE changes.{_named(name)}")
    return int(count)


@contextmanager
def _opened(main: Path, **others: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(main, isolation_level=None)) as con:
        for name, path in others.items():
            con.execute(f'ATTACH ? AS "{name}"', (str(path),))
        yield con


def _shape(con: sqlite3.Connection, which: str) -> list[tuple[str, ...]]:
    wanted = "name NOT LIKE 'sqlite_%' OR name = 'sqlite_sequence'"
    return con.execute(f'SELECT type, name, sql FROM "{which}".sqlite_master WHERE {wanted} ORDER BY 1, 2').fetchall()


def _tables(con: sqlite3.Connection) -> list[str]:
    return [name for kind, name, _ in _shape(con, "main") if kind == "table"]


def _keys(con: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """The columns of the primary key, and the others."""
    found = con.execute("SELECT name, pk FROM pragma_table_info(?, 'main') ORDER BY pk, cid", (table,)).fetchall()
    return [name for name, place in found if place], [name for name, place in found if not place]


def _list(names: list[str], of: str = "") -> str:
    return ", ".join(f"{of}{_named(name)}" for name in names)


def _named(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
