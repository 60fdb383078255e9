"""What came out, for people and programs: JSON, a table, a text and a page to send to the supplier."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ohmstead.core.clock import iso
from ohmstead.plugins.billing.bill import plain
from ohmstead.plugins.billing.reconcile.diagnosis import Reconciliation
from ohmstead.plugins.billing.reconcile.invoice import local_day

HEAD = ("figure", "label", "unit", "billed", "expected", "difference", "meets", "cause")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(found: Reconciliation) -> dict[str, Any]:
    """Everything, numbers as decimal strings."""
    invoice = found.invoice
    return {
        "invoice": invoice.id, "contract": invoice.contract, "supplier": invoice.supplier, "currency": invoice.currency,
        "tariff": found.facts.tariff.id, "start": iso(invoice.start_ms), "end": iso(invoice.end_ms), "agrees": found.agrees,
        "tolerance": {"kwh": f"{invoice.tolerance.kwh:f}", "amount": f"{invoice.tolerance.amount:f}"},
        "figures": [dict(zip(HEAD, row, strict=True)) for row in _rows(found)],
        "causes": [
            {"cause": each.cause, "text": each.text, "kwh": _plain(each.kwh), "amount": _plain(each.amount), "others": list(each.others)}
            for each in found.causes
        ],
        "expected": {
            "kwh": plain(found.expected.kwh), "exported_kwh": plain(found.expected.exported_kwh), "net": plain(found.expected.sheet.net),
            "vat": plain(found.expected.sheet.tax), "total": plain(found.expected.sheet.total),
        },
        "missing_s": sum(unknown for _, unknown in found.facts.missing()) // 1000,
    }  # fmt: skip


def as_csv(found: Reconciliation) -> str:
    """The figures, one a line; texts that a spreadsheet would run stand behind an apostrophe."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(HEAD)
    for row in _rows(found):
        lines.writerow([_inert(cell) if place in (0, 1, 2, 7) else "" if cell is None else cell for place, cell in enumerate(row)])
    return text.getvalue()


def as_text(found: Reconciliation) -> str:
    """A letter: the period, the causes, the figures beside each other."""
    rows = [[_cell(cell) for cell in row] for row in (HEAD[:6] + HEAD[7:], *(row[:6] + row[7:] for row in _rows(found)))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*_head(found), "", *_causes(found), "", *table, ""])


def as_html(found: Reconciliation) -> str:
    """The same as a page of its own, to print or attach."""
    cells = "\n".join(
        f"<tr{'' if row[6] else ' class=off'}>{''.join(f'<td>{html.escape(_cell(cell))}</td>' for cell in row[:6] + row[7:])}</tr>"
        for row in _rows(found)
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEAD[:6] + HEAD[7:])
    texts = "\n".join(f"<p>{html.escape(line)}</p>" for line in (*_head(found), *_causes(found)))
    title = f"<!doctype html>\n<meta charset=utf-8><title>{html.escape(found.invoice.id)}</title>"
    return f"{title}\n{_STYLE}\n{texts}\n<table><tr>{head}</tr>\n{cells}</table>\n"


def _head(found: Reconciliation) -> list[str]:
    invoice, zone = found.invoice, found.facts.zone
    supplier = f" of {invoice.supplier}" if invoice.supplier else ""
    return [
        f"Invoice {invoice.id}{supplier}, contract {invoice.contract}, tariff {found.facts.tariff.id}",
        f"Period: from {local_day(invoice.start_ms, zone)} up to {local_day(invoice.end_ms, zone)} ({zone.key})",
        "It agrees with what was measured." if found.agrees else "It does not agree with what was measured:",
    ]


def _causes(found: Reconciliation) -> list[str]:
    return [
        f"- {each.cause}: {each.text}{_sizes(each.kwh, each.amount, found.invoice.currency)}"
        f"{''.join(f'; or: {other}' for other in each.others)}" for each in found.causes
    ]  # fmt: skip


def _sizes(kwh: Fraction | None, amount: Fraction | None, currency: str) -> str:
    sizes = [f"{float(value):+.2f} {unit}" for value, unit in ((kwh, "kWh"), (amount, currency)) if value is not None]
    return f" ({', '.join(sizes)})" if sizes else ""


def _rows(found: Reconciliation) -> Iterable[tuple[Any, ...]]:
    for judged in found.judged:
        figure = judged.figure
        yield (figure.what, figure.label, figure.unit, _plain(figure.billed), _plain(figure.expected), plain(figure.difference),
               figure.meets, judged.cause)  # fmt: skip


def _plain(number: Fraction | None) -> str | None:
    return None if number is None else plain(number)


def _cell(cell: Any) -> str:
    """A number with at most six decimals, for reading."""
    if cell is None:
        return "–"
    text = str(cell)
    head, point, _ = text.partition(".")
    return f"{Decimal(text):.6f}".rstrip("0").rstrip(".") if point and head.lstrip("-").isdecimal() else text


def _inert(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


_STYLE = "<style>body{font:14px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}.off{background:#fdd}</style>"
