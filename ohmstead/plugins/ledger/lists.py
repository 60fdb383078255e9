"""Lists as a table within a statement, in the words of each engine: one round trip for many keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.reader import Reader


def listed(engine_name: str, kinds: Sequence[str], rows: str = ":rows") -> str:
    """A query whose rows are the parameter `rows`, see `given`; its columns c0, c1 … are of these kinds: bigint or text."""
    sqlite = engine_name == "sqlite"
    shape = "value ->> {0} AS c{0}" if sqlite else "(value ->> {0})::{1} AS c{0}"
    columns = ", ".join(shape.format(place, kind) for place, kind in enumerate(kinds))
    return f"SELECT {columns} FROM " + (f"json_each({rows})" if sqlite else f"json_array_elements(CAST({rows} AS json))")  # noqa: S608


def given(rows: Iterable[Sequence[int | str]]) -> dict[str, str]:
    """The parameter of `listed`."""
    return {"rows": written(rows)}


def written(rows: Iterable[Sequence[int | str]]) -> str:
    """The same as the text of a parameter."""
    return msgspec.json.encode(list(rows)).decode()


async def delete(
    tx: AsyncConnection, reader: Reader, table: str, columns: Sequence[str], rows: Sequence[Sequence[int]], where: str = "true"
) -> None:
    """Delete the rows of a table in which the columns, the first of its key, have these values; only those that `where` holds for.

    A column of text in the middle of a key is to be in `where`: SQLite would look at all rows of the columns before it.
    """
    if rows:
        keys = listed(reader.engine_name, ["bigint"] * len(columns), "$1")
        sql = f"DELETE FROM {table} WHERE {where} AND ({', '.join(columns)}) IN ({keys})"  # noqa: S608
        await reader.fetch(tx, sql, written(rows))
