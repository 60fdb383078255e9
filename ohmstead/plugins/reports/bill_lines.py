"""A bill as a table: its lines, its VAT, its total, told apart by their kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ohmstead.plugins.reports.table import Column, Kind, Row, Table

_TEXTS = ("label", "rule", "version", "direction", "unit")
_EXACT = ("quantity", "price", "net", "vat_percent", "vat", "gross", "printed")
COLUMNS = (
    Column("bill"), Column("kind"), Column("line", Kind.WHOLE), *map(Column, _TEXTS),
    *(Column(name, Kind.EXACT) for name in _EXACT), Column("currency"),
)  # fmt: skip


def table(bill: Mapping[str, Any]) -> Table:
    """One bill as `GET /bills/{id}` answers it."""

    async def batches() -> AsyncIterator[list[Row]]:
        yield [
            *(_row(bill, "line", line["line"], line) for line in bill["lines"]),
            *(_row(bill, "vat", None, {"label": f"VAT {vat['percent']} %", "net": vat["base"], "vat_percent": vat["percent"],
                                       "vat": vat["amount"], "printed": vat["amount"]}) for vat in bill["vat"]),
            _row(bill, "total", None, {"label": "total", "net": bill["net"], "vat": bill["tax"], "printed": bill["total"]}),
        ]  # fmt: skip

    return Table(f"bill-{bill['id']}", COLUMNS, batches())


def _row(bill: Mapping[str, Any], kind: str, number: int | None, of: Mapping[str, Any]) -> Row:
    texts = (None if of.get(name) is None else str(of[name]) for name in _TEXTS)
    return (bill["id"], kind, number, *texts, *(of.get(name) for name in _EXACT), bill["currency"])
