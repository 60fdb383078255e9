"""Rows of a CSV file into readings, one at a time: a file may be larger than the memory."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, cast

from ohmstead.core.errors import Invalid
from ohmstead.core.model import is_slug
from ohmstead.core.plugin import ImportRow
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.integrations.csv_file.columns import Reader, place, readers
from ohmstead.integrations.csv_file.stamps import NEXT, Stamps

EMPTY = frozenset(("", "nan", "null", "none", "na", "n/a", "-"))
_MAGIC = b"\x1f\x8b"

Found = ImportRow | str


class Rows:
    """Reads CSV files in terms of the quantities of the house."""

    def __init__(self, quantities: Mapping[str, Quantity]) -> None:
        self._quantities = quantities

    def read(self, path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
        """The readings of a file; a str is a mistake in one place, which is passed over. Invalid: nothing can be read."""
        with opened(path) as file:
            table = csv.reader(file, delimiter=options["delimiter"])
            header = [cell.strip() for cell in next(table, [])]
            if not header:
                raise Invalid(f"{path.name} is empty; expected a header line")
            reader = _File(header, readers(options["columns"], header, self._quantities, options), options)
            yield from reader.rows(table)


class _File:
    """What is known of one file while it is read."""

    def __init__(self, header: list[str], columns: list[Reader], options: Mapping[str, Any]) -> None:
        self._width = len(header)
        self._columns = columns
        self._device = options.get("device", "")
        self._device_at = place(options["device_column"], header) if "device_column" in options else None
        self._time_at = place(options["time"], header) if "time" in options else 0
        self._stamps = Stamps(options)
        self._comma = options["decimal"] == ","
        self._skip_empty = options["skip_empty"]
        period = options.get("period")
        self._until_next = period == NEXT
        self._period_ms = 0 if period in (None, NEXT) else round(period * 1000)
        self._from_start = options["label"] == "start"
        self._waiting: dict[tuple[str, str], ImportRow] = {}  # deltas whose other end is in the next row
        self._last_ms: dict[tuple[str, str], int] = {}

    def rows(self, table: Any) -> Iterator[Found]:
        for line, cells in numbered(table):
            if isinstance(cells, str):
                yield f"{line}: {cells}"
            else:
                yield from self._row(cells, line)
        for row in self._waiting.values():
            yield f"{row.place}: the last {row.quantity} of {row.device} has no end; it was left out"

    def _row(self, cells: list[str], line: str) -> Iterator[Found]:
        if len(cells) != self._width:
            yield f"{line}: {len(cells)} cells, expected {self._width}"
            return
        device = self._device if self._device_at is None else cells[self._device_at].strip()
        if device and not is_slug(device):
            yield f"{line}: {device[:64]!r} is no id of a device"
            return
        try:
            at_ms = self._stamps.read(cells[self._time_at], device)
        except (ValueError, OverflowError) as error:
            yield f"{line}: {error}"
            return
        for column in self._columns:
            yield from self._cell(column, cells[column.index].strip(), at_ms, column.device or device, line)

    def _cell(self, column: Reader, text: str, at_ms: int, device: str, line: str) -> Iterator[Found]:
        name = column.quantity.name
        if text.lower() in EMPTY:
            if not self._skip_empty:
                yield f"{line}: {name} is empty"
            value: float | str | None = None
        else:
            try:
                value = self._value(column, text)
            except ValueError:
                yield f"{line}: {name} is no number: {text[:40]!r}"
                value = None
        if column.quantity.kind is Kind.DELTA:
            yield from self._delta(name, cast("float | None", value), at_ms, device, line)
        elif value is not None:
            yield ImportRow(device, name, value, at_ms, None, line)

    def _value(self, column: Reader, text: str) -> float | str:
        if column.quantity.kind is Kind.TEXT:
            return text
        if "_" in text or (self._comma and "." in text):
            raise ValueError(text)
        value = float(text.replace(",", ".") if self._comma else text)
        if not math.isfinite(value):
            raise ValueError(text)
        return value * column.factor + column.offset

    def _delta(self, name: str, value: float | None, at_ms: int, device: str, line: str) -> Iterator[Found]:
        if self._until_next:
            yield from self._to_next(name, value, at_ms, device, line)
        elif value is not None:
            start_ms = at_ms if self._from_start else at_ms - self._period_ms
            yield ImportRow(device, name, value, start_ms + self._period_ms, start_ms, line)

    def _to_next(self, name: str, value: float | None, at_ms: int, device: str, line: str) -> Iterator[Found]:
        """A period from this row to the next, or from the one before to this, as `label` says."""
        key = (device, name)
        last_ms = self._last_ms.get(key)
        self._last_ms[key] = at_ms
        if last_ms is not None and last_ms >= at_ms:
            self._waiting.pop(key, None)
            yield f"{line}: the time does not come after the row before"
            return
        if not self._from_start:
            if value is not None and last_ms is not None:
                yield ImportRow(device, name, value, at_ms, last_ms, line)
            return
        begun = self._waiting.pop(key, None)
        if begun is not None:
            yield ImportRow(device, name, begun.value, at_ms, begun.at_ms, begun.place)
        if value is not None:
            self._waiting[key] = ImportRow(device, name, value, at_ms, None, line)


def numbered(table: Any) -> Iterator[tuple[str, list[str] | str]]:
    """The rows of a csv.reader that hold anything, each with where it stood ("line 14"); a str is what is wrong with it."""
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield f"line {table.line_num}", str(error)
            continue
        if cells is None:
            return
        if cells:
            yield f"line {table.line_num}", cells


@contextmanager
def opened(path: Path) -> Iterator[TextIOWrapper]:
    """The text of a file, unpacked where it is gzip, without a byte-order mark."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _MAGIC
        raw.seek(0)
        binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        with TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="") as text:
            try:
                yield text
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise Invalid(f"the gzip data is broken or cut short: {error}") from error
