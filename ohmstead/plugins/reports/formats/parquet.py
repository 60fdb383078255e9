"""Parquet by DuckDB: the rows go through a plain file on disk, so that memory stays the same however many there are."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any

from ohmstead.plugins.reports.cells import WRITTEN
from ohmstead.plugins.reports.formats.draft import folder, pieces
from ohmstead.plugins.reports.table import Kind, Row, Table

_TYPES = {Kind.TEXT: "VARCHAR", Kind.INSTANT: "BIGINT", Kind.MILLIONTHS: "DECIMAL(38,6)", Kind.EXACT: "DECIMAL(38,12)",
          Kind.WHOLE: "BIGINT", Kind.REAL: "DOUBLE"}  # fmt: skip
_LIMITS: dict[str, Any] = {"threads": 1, "memory_limit": "256MB", "autoinstall_known_extensions": False, "autoload_known_extensions": False}


async def stream(table: Table) -> AsyncIterator[bytes]:
    """The file, once it is complete."""
    write = [str if column.kind is Kind.INSTANT else WRITTEN[column.kind] for column in table.columns]
    async with folder() as here:
        with await asyncio.to_thread((here / "rows.csv").open, "w", encoding="utf-8", newline="") as file:
            async for batch in table.batches:
                await asyncio.to_thread(_lines, file, batch, write)
        await asyncio.to_thread(_convert, here, table)
        async for piece in pieces(here / "export.parquet"):
            yield piece


def _lines(file: IO[str], batch: list[Row], write: list[Callable[[Any], str]]) -> None:
    lines = csv.writer(file)  # an empty text and None are the same to it
    lines.writerows(tuple(None if cell is None else written(cell) for written, cell in zip(write, row, strict=True)) for row in batch)


def _convert(here: Path, table: Table) -> None:
    import duckdb  # an extra

    types = ", ".join(f"'{column.name}': '{_TYPES[column.kind]}'" for column in table.columns)
    chosen = ", ".join(
        f'make_timestamptz("{column.name}" * 1000) AS "{column.name}"' if column.kind is Kind.INSTANT else f'"{column.name}"'
        for column in table.columns
    )
    plain = "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
    source = f"read_csv({_quoted(here / 'rows.csv')}, {plain}, columns = {{{types}}})"
    with duckdb.connect(":memory:", config={**_LIMITS, "temp_directory": str(here)}) as connection:
        connection.execute(f"COPY (SELECT {chosen} FROM {source}) TO {_quoted(here / 'export.parquet')} (FORMAT parquet)")  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
