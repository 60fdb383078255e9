"""Readings as Parquet files, written and read by DuckDB, so that anyone can open them; every double comes back bit for bit."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

INSTALL = 'pip install "ohmstead[export]"'
_LIMITS: dict[str, Any] = {"threads": 1, "memory_limit": "512MB", "autoinstall_known_extensions": False, "autoload_known_extensions": False}
_COLUMNS = """{series: 'INTEGER', device: 'VARCHAR', quantity: 'VARCHAR', at_ms: 'BIGINT', value: 'DOUBLE', text: 'VARCHAR',
               sampled_ms: 'BIGINT', flags: 'VARCHAR'}"""


class Raw(msgspec.Struct, frozen=True, array_like=True):
    """A reading as storage holds it, with what a note says of it: `value` of a number, `text` of any other."""

    at_ms: int
    value: float | None = None
    text: str | None = None
    sampled_ms: int | None = None
    flags: str | None = None


class Series(msgspec.Struct, frozen=True):
    """A stored series; the names are for people who open the file."""

    key: int
    device: str
    quantity: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    series: int
    device: str
    quantity: str
    at_ms: int
    value: float | None = None
    text: str | None = None
    sampled_ms: int | None = None
    flags: str | None = None


def installed() -> bool:
    """Whether DuckDB, an extra, is there."""
    return importlib.util.find_spec("duckdb") is not None


def write(path: Path, content: Iterable[tuple[Series, Sequence[Raw]]]) -> None:
    """Write a file: readings of each series in order of time."""
    import duckdb

    lines, encoder = path.with_name(f"{path.name}.json"), msgspec.json.Encoder()
    try:
        with lines.open("wb") as file:
            for series, rows in content:
                names = series.key, series.device, series.quantity
                file.write(encoder.encode_lines([_Line(*names, *msgspec.structs.astuple(row)) for row in rows]))
        source = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {_COLUMNS})"
        with duckdb.connect(":memory:", config=_LIMITS) as connection:
            connection.execute("SET preserve_insertion_order = true")
            connection.execute(f"COPY (SELECT * FROM {source}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
    finally:
        lines.unlink(missing_ok=True)


def read(path: Path, series: int | None = None, start_ms: int | None = None, end_ms: int | None = None) -> dict[int, list[Raw]]:
    """The readings of a file by series key, in order of time: all, or those of one series in [start, end). OSError, duckdb.Error."""
    import duckdb

    where = "" if series is None else f"WHERE series = {series} AND at_ms >= {start_ms} AND at_ms < {end_ms}"
    columns = "series, at_ms, value, text, sampled_ms, flags"
    sql = f"SELECT {columns} FROM read_parquet({_quoted(path)}) {where} ORDER BY series, at_ms"  # noqa: S608
    with duckdb.connect(":memory:", config=_LIMITS) as connection:
        rows = connection.execute(sql).fetchall()
    return {key: [Raw(*row[1:]) for row in some] for key, some in groupby(rows, lambda row: row[0])}


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
