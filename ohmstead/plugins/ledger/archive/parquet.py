"""Readings as Parquet files, written and read by DuckDB, so that anyone can open them; every double comes back bit for bit."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import duckdb

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
    try:
        import duckdb  # noqa: F401
    except ImportError:
        return False
    return True


class Parquet:
    """Writes and reads files, in any thread. Connecting takes DuckDB longer than a file does, so it connects once."""

    def __init__(self) -> None:
        self._open: list[duckdb.DuckDBPyConnection] = []  # one, once it was needed
        self._lock = threading.Lock()
        weakref.finalize(self, self._open.clear)  # at exit too: DuckDB complains of what is still open then

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        with self._lock:
            if not self._open:
                self._open.append(duckdb.connect(":memory:", config=_LIMITS))
            return self._open[0].cursor()

    def write(self, path: Path, content: Iterable[tuple[Series, Sequence[Raw]]]) -> None:
        """Write a file: readings of each series in order of time."""
        lines, encoder = path.with_name(f"{path.name}.json"), msgspec.json.Encoder()
        try:
            with lines.open("wb") as file:
                for series, rows in content:
                    names = series.key, series.device, series.quantity
                    file.write(encoder.encode_lines([_Line(*names, *msgspec.structs.astuple(row)) for row in rows]))
            source = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {_COLUMNS})"
            with self._cursor() as cursor:
                cursor.execute(f"COPY (SELECT * FROM {source}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
        finally:
            lines.unlink(missing_ok=True)

    def read(self, path: Path, series: int | None = None, start_ms: int = 0, end_ms: int = 0) -> dict[int, list[Raw]]:
        """The readings of a file by series key, in order of time: all, or those of one series in [start, end). OSError."""
        import duckdb

        where = "" if series is None else f"WHERE series = {series} AND at_ms >= {start_ms} AND at_ms < {end_ms}"
        columns = "series, at_ms, value, text, sampled_ms, flags"
        sql = f"SELECT {columns} FROM read_parquet({_quoted(path)}) {where} ORDER BY series, at_ms"  # noqa: S608
        try:
            with self._cursor() as cursor:
                rows = cursor.execute(sql).fetchall()
        except duckdb.Error as error:
            raise OSError(f"{path}: {error}") from error
        return {key: [Raw(*row[1:]) for row in some] for key, some in groupby(rows, lambda row: row[0])}


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
