"""JSON: an array of objects. Exact decimals are texts, as everywhere in the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from ohmstead.plugins.reports.cells import writers
from ohmstead.plugins.reports.table import Kind, Row, Table

_AS_THEY_ARE = (Kind.WHOLE, Kind.REAL, Kind.TEXT)


async def stream(table: Table) -> AsyncIterator[bytes]:
    """The whole array, one object a line."""
    begun = b"[\n"
    async for batch in table.batches:
        if batch:
            yield begun + await asyncio.to_thread(_objects, table, batch)
            begun = b",\n"
    yield b"[]\n" if begun == b"[\n" else b"\n]\n"


def _objects(table: Table, batch: list[Row]) -> bytes:
    names = [column.name for column in table.columns]
    write = [None if column.kind in _AS_THEY_ARE else written for column, written in zip(table.columns, writers(table), strict=True)]
    encode = msgspec.json.Encoder().encode
    return b",\n".join(encode(dict(zip(names, map(_cell, write, row), strict=True))) for row in batch)


def _cell(written: Callable[[Any], str] | None, cell: Any) -> Any:
    return cell if cell is None or written is None else written(cell)
