"""Tables in every form: exact where the form can be, and never a formula."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from ohmstead.plugins.reports.cells import inert
from ohmstead.plugins.reports.formats import FORMATS
from ohmstead.plugins.reports.formats.xlsx import Book
from ohmstead.plugins.reports.table import Column, Kind, Table, decimal

AT = 1_772_582_400_123
COLUMNS = (Column("name"), Column("at", Kind.INSTANT), Column("kwh", Kind.MILLIONTHS), Column("count", Kind.WHOLE), Column("value", Kind.REAL),
           Column("price", Kind.EXACT))  # fmt: skip
ROWS: list[tuple[Any, ...]] = [
    ("grid", AT, 1_234_567, 3, 0.1, "0.123456789012"), ("=cmd|' /C calc'!A0", None, None, None, None, None),
    ("@SUM(1)", AT, -7, -1, -1e-7, "-1.50"), ('a "b", c\nd', AT, 0, 0, 0.0, "0"),
]  # fmt: skip


def table(rows: list[tuple[Any, ...]] = ROWS) -> Table:
    async def batches() -> AsyncIterator[list[tuple[Any, ...]]]:
        for start in range(0, len(rows), 2):
            yield rows[start : start + 2]

    return Table("test", COLUMNS, batches())


async def written(form: str, rows: list[tuple[Any, ...]] = ROWS) -> bytes:
    return b"".join([piece async for piece in FORMATS[form].stream(table(rows))])


async def test_csv() -> None:
    head, *rows = csv.reader(io.StringIO((await written("csv")).decode(), newline=""))
    assert head == ["name", "at", "kwh", "count", "value", "price"]
    assert rows == [
        ["grid", "2026-03-04T00:00:00.123Z", "1.234567", "3", "0.1", "0.123456789012"],
        ["'=cmd|' /C calc'!A0", "", "", "", "", ""],
        ["'@SUM(1)", "2026-03-04T00:00:00.123Z", "-0.000007", "-1", "-1e-07", "-1.50"],
        ['a "b", c\nd', "2026-03-04T00:00:00.123Z", "0", "0", "0.0", "0"],
    ]  # fmt: skip


async def test_json() -> None:
    found = json.loads(await written("json"))
    assert found[0] == {"name": "grid", "at": "2026-03-04T00:00:00.123Z", "kwh": "1.234567", "count": 3, "value": 0.1, "price": "0.123456789012"}
    assert found[1] == {"name": "=cmd|' /C calc'!A0", "at": None, "kwh": None, "count": None, "value": None, "price": None}
    assert json.loads(await written("json", [])) == []


async def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    path.write_bytes(await written("parquet"))
    with duckdb.connect() as connection:
        name = str(path).replace("'", "''")
        found = connection.execute(f"SELECT name, epoch_ms(\"at\"), kwh, count, value, price FROM '{name}'").fetchall()
        types = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{name}')").fetchall())
    exact = [(name, at, kwh and Decimal(kwh).scaleb(-6), count, value, price and Decimal(price)) for name, at, kwh, count, value, price in ROWS]
    assert found == exact
    assert types == {"name": "VARCHAR", "at": "TIMESTAMP WITH TIME ZONE", "kwh": "DECIMAL(38,6)", "count": "BIGINT", "value": "DOUBLE", "price": "DECIMAL(38,12)"}
    assert (await written("parquet", []))[:4] == b"PAR1"


async def test_xlsx(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(await written("xlsx"))
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = {cell.get("r"): "".join(cell.itertext()) for cell in sheet.iter() if cell.tag.endswith("}c")}
    assert not [node for node in sheet.iter() if node.tag.endswith(("}f", "}hyperlink"))], "no formula, no link"
    assert (cells["A2"], cells["B1"], cells["C2"], cells["A3"]) == ("grid", "at (UTC)", "1.234567", "'=cmd|' /C calc'!A0")
    assert float(cells["B2"]) == pytest.approx((datetime(2026, 3, 4) - datetime(1899, 12, 30)).days, abs=1e-5)
    assert "B3" not in cells


async def test_xlsx_keeps_every_digit_of_energy_and_money(tmp_path: Path) -> None:
    kwh = [123_456_789_012_345, -9_200_000, 999_999_999_999_999, 1_234_567_890_123_456, -9_007_199_254_740_993, 12 * 10**18]
    prices = ["0.123456789012", "9.2", "298.200000000001", "1234.123456789012", "-0.000000000001", "-1234567890.123456"]
    rows = [(None, None, energy, None, None, price) for energy, price in zip(kwh, prices, strict=True)]
    (tmp_path / "x.xlsx").write_bytes(await written("xlsx", rows))
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = {cell.get("r"): (cell.get("t") is None, "".join(cell.itertext())) for cell in sheet.iter() if cell.tag.endswith("}c")}
    assert [cells[f"C{row}"][0] for row in range(2, 8)] == [True, True, True, False, False, True]
    assert [cells[f"F{row}"][0] for row in range(2, 8)] == [True, True, True, False, True, False]
    for row, (energy, price) in enumerate(zip(kwh, prices, strict=True), 2):
        for (number, text), exact in ((cells[f"C{row}"], decimal(energy)), (cells[f"F{row}"], price)):
            assert Decimal(f"{float(text):.15g}" if number else text) == Decimal(exact)


def test_a_sheet_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    book = Book(tmp_path / "x.xlsx", table(), most_rows=3)
    book.add(ROWS)
    book.add(ROWS[:1])
    book.close()
    with zipfile.ZipFile(tmp_path / "x.xlsx") as archive:
        sheets = [archive.read(f"xl/worksheets/sheet{n}.xml").decode() for n in (1, 2, 3)]
    assert [sheet.count("<row ") for sheet in sheets] == [3, 3, 2]


@pytest.mark.parametrize("text", ["=1+1", "+49 170", "-x", "@a", "\t=1", "\r=1", "\n=1", "-", "+", "-1-1", "=", "1e", "-1,5"])
def test_what_a_spreadsheet_would_run_is_made_inert(text: str) -> None:
    assert inert(text) == (f"'{text}" if text != "1e" else text)


@pytest.mark.parametrize("text", ["-1", "+1.5", "-.5", "-1e-7", "1", "plain", "", "a=b"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert inert(text) == text


def test_decimals_are_exact() -> None:
    assert [decimal(value) for value in (0, 1, -1, 10**6, 123_456_789_012_345_678)] == ["0", "0.000001", "-0.000001", "1", "123456789012.345678"]
