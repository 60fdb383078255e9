"""Invoices in a CSV file: one a row, or one over several rows, a line each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core import amount
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Found, InvoiceRow
from ohmstead.integrations.csv_file.columns import place
from ohmstead.integrations.csv_file.rows import EMPTY, opened

WHOLE = ("invoice", "contract", "supplier", "currency", "start", "end", "through", "kwh", "exported_kwh", "net", "vat", "total")
LINE = {"label": "label", "quantity": "quantity", "unit": "unit", "price": "price", "line_net": "net", "vat_percent": "vat_percent",
        "line_gross": "gross"}  # fmt: skip
TEXTS = ("invoice", "contract", "supplier", "currency", "start", "end", "through", "label", "unit")


def renamed(value: Any) -> dict[str, str]:
    """name=column, several by comma: what is in a column that has another name."""
    found: dict[str, str] = {}
    for part in str(value).split(","):
        name, equals, column = part.strip().partition("=")
        if not equals or name not in (*WHOLE, *LINE):
            raise vol.Invalid(f"expected name=column with one of {', '.join((*WHOLE, *LINE))}")
        found[name] = column
    return found


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """The invoices of a file. One without an end lasts until the next begins; a last row without numbers only says where that is."""
    with opened(path) as file:
        table = csv.reader(file, delimiter=options["delimiter"])
        header = [cell.strip() for cell in next(table, [])]
        names = options.get("columns", {})
        at = {name: place(names.get(name, name), header) for name in (*WHOLE, *LINE) if name in names or name in header}
        if "start" not in at:
            raise Invalid(f"{path.name}: expected the column start, and others of {', '.join((*WHOLE, *LINE))}")
        yield from _joined(_rows(table, at, len(header), options), path.name.partition(".")[0])


def _rows(table: Any, at: Mapping[str, int], width: int, options: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], str] | str]:
    for cells in table:
        line = f"line {table.line_num}"
        if cells and len(cells) != width:
            yield f"{line}: {len(cells)} cells, expected {width}"
        elif cells:
            try:
                yield {name: text for name, index in at.items() if (text := _cell(name, cells[index], options["decimal"] == ","))}, line
            except ValueError as error:
                yield f"{line}: {error}"


def _cell(name: str, cell: str, comma: bool) -> str:
    text = cell.strip()
    if text.lower() in EMPTY:
        return ""
    return text if name in TEXTS else f"{amount.number(text, comma):f}"


def _joined(rows: Iterator[tuple[dict[str, str], str] | str], file: str) -> Iterator[Found]:
    body: dict[str, Any] | None = None
    place_of = ""
    for row in rows:
        if isinstance(row, str):
            yield row
            continue
        given, line = row
        same = body is not None and body["start"] == given.get("start", body["start"]) and given.get("invoice", body["id"]) == body["id"]
        if body is None or not same:
            if body is not None:
                yield from _ended(body, given.get("start"), place_of)
            body, place_of = _begun(given, file), line
        if "label" in given:
            body.setdefault("lines", []).append({LINE[name]: text for name, text in given.items() if name in LINE})
    if body is not None:
        yield from _ended(body, None, place_of)


def _begun(given: Mapping[str, str], file: str) -> dict[str, Any]:
    body = {name: text for name, text in given.items() if name in WHOLE and name != "invoice"}
    return {**body, "id": given.get("invoice") or f"{file}-{body.get('start', '')[:10]}", "start": body.get("start", "")}


def _ended(body: dict[str, Any], next_start: str | None, line: str) -> Iterator[Found]:
    """Said with its end; one that only marks the end of another says nothing."""
    if body.keys() <= {"id", "start"}:
        return
    if not {"end", "through"} & body.keys():
        if next_start is None:
            yield f"{line}: the invoice from {body['start']} has no end; add one, or a row with nothing but the start of what follows"
            return
        body["end"] = next_start
    yield InvoiceRow(body, line)
