"""Lists as a table within a statement, in the words of each engine: one round trip for many keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


def listed(engine_name: str, kinds: Sequence[str]) -> str:
    """A query whose rows are the parameter `rows`, see `given`; its columns c0, c1 … are of these kinds: bigint or text."""
    sqlite = engine_name == "sqlite"
    shape = "value ->> {0} AS c{0}" if sqlite else "(value ->> {0})::{1} AS c{0}"
    columns = ", ".join(shape.format(place, kind) for place, kind in enumerate(kinds))
    return f"SELECT {columns} FROM " + ("json_each(:rows)" if sqlite else "json_array_elements(CAST(:rows AS json))")  # noqa: S608


def given(rows: Iterable[Sequence[int | str]]) -> dict[str, str]:
    """The parameter of `listed`."""
    return {"rows": json.dumps([list(row) for row in rows])}


async def delete(
    tx: AsyncConnection, engine_name: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[int]], where: str = "true"
) -> None:
    """Delete the rows of a table in which the columns, the first of its key, have these values; only those that `where` holds for.

    A column of text in the middle of a key is to be in `where`: SQLite would look at all rows of the columns before it.
    """
    if rows:
        keys = listed(engine_name, ["bigint"] * len(columns))
        sql = f"DELETE FROM {table} WHERE {where} AND ({', '.join(columns)}) IN ({keys})"  # noqa: S608
        await tx.execute(text(sql), given(rows))
