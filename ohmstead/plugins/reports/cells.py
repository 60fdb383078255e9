"""Cells as texts, safe to open in a spreadsheet: what stands in a name must never be run as a formula."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ohmstead.core.clock import iso
from ohmstead.plugins.reports.table import Kind, Table, decimal

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def inert(text: str) -> str:
    """The text behind an apostrophe where a spreadsheet would take it for a formula; numbers stay as they are.

    See OWASP, "CSV Injection".
    """
    return f"'{text}" if text.startswith(_FORMULA) and _NUMBER.fullmatch(text) is None else text


WRITTEN: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: str, Kind.INSTANT: iso, Kind.MILLIONTHS: decimal, Kind.EXACT: str, Kind.WHOLE: str, Kind.REAL: repr,
}  # fmt: skip


def writers(table: Table) -> list[Callable[[Any], str]]:
    """How the cells of each column are written, None aside."""
    return [WRITTEN[column.kind] for column in table.columns]
