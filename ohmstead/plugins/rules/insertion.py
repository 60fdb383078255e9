"""Many rows in one statement, as text: SQLAlchemy takes a quarter of a second to compile one for two hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import CursorResult, Table

from ohmstead.plugins.storage.connection import AsyncConnection

Rows = Sequence[Mapping[str, Any]]


async def insert_rows(tx: AsyncConnection, table: Table, rows: Rows, tail: str = "") -> CursorResult[Any]:
    """Insert rows that all name the same columns; `tail` is what follows: ON CONFLICT …, RETURNING …."""
    names, engine = list(rows[0]), tx.dialect.name
    places = (f"${place}" if engine == "postgresql" else "?" for place in range(1, len(rows) * len(names) + 1))
    values = ",".join(f"({','.join(islice(places, len(names)))})" for _ in rows)
    sql = f"INSERT INTO {table.name} ({','.join(names)}) VALUES {values} {tail}"  # noqa: S608 - names of our own
    return await tx.exec_driver_sql(sql, tuple(_clean(row[name]) for row in rows for name in names))


def _clean(value: Any) -> Any:
    """Texts every engine takes, because people and devices say anything: PostgreSQL knows no NUL, none knows half a surrogate pair."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if isinstance(value, str) else value
