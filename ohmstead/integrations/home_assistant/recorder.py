"""The database of Home Assistant's recorder, read only: its long-term statistics, in every layout they have had.

Times were texts of UTC in `start` until schema 31 and are seconds in `start_ts` since; a database in the middle of that
change holds both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import msgspec

from ohmstead.core.errors import Invalid

_INSTANTS = {"start_ts": "start_ts", "start": "CAST(strftime('%s', start) AS INTEGER)"}  # columns, and how they are seconds


class Statistic(msgspec.Struct, frozen=True):
    """A running total that Home Assistant keeps by the hour."""

    key: int
    id: str
    unit: str
    name: str | None


class Recorder:
    """One open database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._instant = self._instant_sql()

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Recorder]:
        """Open it; what Home Assistant has not yet moved out of the WAL file beside it is read too. Invalid."""
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
                yield cls(connection)
        except sqlite3.Error as error:
            raise Invalid(f"{path.name} cannot be read as Home Assistant's recorder database: {error}") from None

    def statistics(self) -> list[Statistic]:
        """All totals, sorted by id."""
        named = "name" if "name" in self._columns("statistics_meta") else "NULL"
        rows = self._connection.execute(
            f"SELECT id, statistic_id, coalesce(unit_of_measurement, ''), {named} FROM statistics_meta WHERE has_sum ORDER BY 2"  # noqa: S608
        )
        return [Statistic(*row) for row in rows]

    def hours(self, statistic: Statistic) -> Iterator[tuple[int, float]]:
        """(start of the hour in ms, total at its end), in order; of an hour that is there twice, the later row."""
        rows = self._connection.execute(
            f"SELECT {self._instant} AS at, sum FROM statistics WHERE metadata_id = ? AND sum IS NOT NULL ORDER BY at, id",  # noqa: S608
            (statistic.key,),
        )
        for at_s, same in groupby(rows, lambda row: row[0]):
            *_, (_, total) = same
            if isinstance(at_s, int | float) and isinstance(total, int | float):
                yield round(at_s * 1000), total

    def _instant_sql(self) -> str:
        columns = self._columns("statistics")
        if not {"metadata_id", "sum"} <= columns or not self._columns("statistics_meta"):
            raise Invalid("this is no database of Home Assistant's recorder: it has no statistics")
        return f"coalesce({', '.join([*(sql for column, sql in _INSTANTS.items() if column in columns), 'NULL'])})"

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
