"""Excel workbooks by XlsxWriter, row by row in constant memory; a sheet that is full is followed by another.

A spreadsheet keeps 15 digits of a number. Energy and money of more digits are texts, so that none is rounded in silence;
readings are numbers always, to 16 digits. Instants are dates in UTC, which their heads say; texts are never formulas or links.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ohmstead.core.clock import from_ms
from ohmstead.plugins.reports.cells import WRITTEN, inert
from ohmstead.plugins.reports.formats.draft import folder, pieces
from ohmstead.plugins.reports.table import Column, Kind, Row, Table

MOST_ROWS = 1_048_576  # of a sheet, by its format
MOST_TEXT = 32_767  # characters of a cell
DIGITS = 15  # of a number


async def stream(table: Table) -> AsyncIterator[bytes]:
    """The workbook, once it is complete."""
    async with folder() as here:
        book = await asyncio.to_thread(Book, here / "export.xlsx", table, MOST_ROWS)
        try:
            async for batch in table.batches:
                await asyncio.to_thread(book.add, batch)
        finally:
            await asyncio.to_thread(book.close)
        async for piece in pieces(here / "export.xlsx"):
            yield piece


class Book:
    """One workbook that is being written; used from one thread at a time."""

    def __init__(self, path: Path, table: Table, most_rows: int) -> None:
        import xlsxwriter  # type: ignore[import-untyped]  # an extra

        options = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(str(path), options)
        self._instant = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._columns, self._most = table.columns, most_rows
        self._begin()

    def _begin(self) -> None:
        self._sheet = self._book.add_worksheet()
        for place, column in enumerate(self._columns):
            self._sheet.write_string(0, place, f"{column.name} (UTC)" if column.kind is Kind.INSTANT else column.name)
        self._next = 1

    def add(self, batch: list[Row]) -> None:
        """Write rows."""
        for row in batch:
            if self._next == self._most:
                self._begin()
            for place, (column, cell) in enumerate(zip(self._columns, row, strict=True)):
                if cell is not None:
                    self._cell(place, column, cell)
            self._next += 1

    def _cell(self, place: int, column: Column, cell: Any) -> None:
        if column.kind is Kind.TEXT:
            self._sheet.write_string(self._next, place, inert(cell)[:MOST_TEXT])
        elif column.kind is Kind.INSTANT:
            self._sheet.write_datetime(self._next, place, from_ms(cell).replace(tzinfo=None), self._instant)
        elif column.kind is Kind.REAL:
            self._sheet.write_number(self._next, place, cell)
        else:
            self._number(place, WRITTEN[column.kind](cell))

    def _number(self, place: int, text: str) -> None:
        if keeps(text):
            self._sheet.write_number(self._next, place, float(text))
        else:
            self._sheet.write_string(self._next, place, text)

    def close(self) -> None:
        """Complete the file."""
        self._book.close()


def keeps(text: str) -> bool:
    """Whether a spreadsheet keeps every digit of a decimal.

    >>> keeps("-900719925.474099"), keeps("123456789012.345678"), keeps("0.000001"), keeps("1200000000000000000")
    (True, False, True, True)
    """
    return len(text.lstrip("-").replace(".", "").strip("0")) <= DIGITS
