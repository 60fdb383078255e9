"""CSV (RFC 4180), UTF-8, the point as decimal sign."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from ohmstead.plugins.reports.cells import inert, writers
from ohmstead.plugins.reports.table import Kind, Row, Table


async def stream(table: Table) -> AsyncIterator[bytes]:
    """A line of names, then a line for every row."""
    yield _packed([tuple(column.name for column in table.columns)])
    write = [inert if column.kind is Kind.TEXT else written for column, written in zip(table.columns, writers(table), strict=True)]
    async for batch in table.batches:
        yield await asyncio.to_thread(_lines, batch, write)


def _lines(batch: list[Row], write: list[Callable[[Any], str]]) -> bytes:
    return _packed(tuple("" if cell is None else written(cell) for written, cell in zip(write, row, strict=True)) for row in batch)


def _packed(rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
