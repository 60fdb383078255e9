"""The forms in which a table leaves the house. Each turns one into chunks of bytes, off the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec

from ohmstead.plugins.reports.formats import csv, json, parquet, xlsx
from ohmstead.plugins.reports.table import Table


class Format(msgspec.Struct, frozen=True):
    """One form. `needs` is the module of the extra without which it cannot be written."""

    suffix: str
    content_type: str
    stream: Callable[[Table], AsyncIterator[bytes]]
    needs: str | None = None


FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8", csv.stream),
    "json": Format("json", "application/json", json.stream),
    "xlsx": Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx.stream, "xlsxwriter"),
    "parquet": Format("parquet", "application/vnd.apache.parquet", parquet.stream, "duckdb"),
}
