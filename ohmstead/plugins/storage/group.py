"""Batches that are committed together, their rows sorted by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ohmstead.core.ingest import Batch
from ohmstead.core.model import DeadLetter, Note, Row, Series
from ohmstead.core.quantity import Kind

COLUMNS = {
    "readings": ("series_id", "at_ms", "value"),
    "deltas": ("series_id", "at_ms", "from_ms", "value"),
    "texts": ("series_id", "at_ms", "value"),
}
NOTE = ("series_id", "at_ms", "sampled_ms", "flags")
BUCKET_MS = 300_000  # the finest rollup, and what is marked to be derived anew
_ABSENT = object()


class BadRow(Exception):
    """The database cannot take a row of this group, and never will; the group is split until it is found."""


class Group:
    """Rows on their way into one transaction, and what became of them.

    `rows`, `deltas` and `texts` are those that are new in storage, sorted by series and time, their series with keys:
    what a join may rely on. `letters` are written in the same transaction.
    """

    __slots__ = ("_newest_ms", "_offered", "_sorted", "batches", "conflicts", "fresh", "letters", "notes", "size")

    def __init__(self, batches: Sequence[Batch], offered: dict[str, list[Row]] | None = None) -> None:
        self.batches = batches
        self.letters: list[DeadLetter] = []
        self.notes: list[Note] = []
        if offered is None:
            offered = {"readings": [], "deltas": [], "texts": []}
            for batch in batches:
                offered["readings"] += batch.rows
                offered["deltas"] += batch.deltas
                offered["texts"] += batch.texts
                self.letters += batch.letters
                self.notes += batch.notes or ()
        self._offered = offered
        self._sorted = False
        self._newest_ms: int | None = None
        self.fresh = dict(offered)
        self.conflicts: list[Row] = []
        self.size = sum(map(len, offered.values()))

    @property
    def rows(self) -> list[Row]:
        """New readings of gauges and counters."""
        return self.fresh["readings"]

    @property
    def deltas(self) -> list[Row]:
        """New deltas."""
        return self.fresh["deltas"]

    @property
    def texts(self) -> list[Row]:
        """New texts."""
        return self.fresh["texts"]

    def stored(self) -> tuple[Row, ...]:
        """All rows that are new in storage."""
        return (*self.rows, *self.deltas, *self.texts)

    def nameless(self) -> list[Series]:
        """The series that have no key yet."""
        found = {row.series: None for rows in self._offered.values() for row in rows if row.series.key is None}
        return list(found)

    def arrange(self) -> None:
        """Sort what is offered by key, first come first; everything counts as new until `sift` knows better."""
        if not self._sorted:
            for rows in self._offered.values():
                rows.sort(key=_order)
            self._newest_ms = max((row.at_ms for rows in self._offered.values() for row in rows), default=None)
            self._sorted = True
        self.fresh = dict(self._offered)
        self.conflicts = []

    def sift(self, table: str, known: dict[tuple[int, ...], Any]) -> None:
        """Keep as new only what is neither in `known` (key to value) nor offered twice."""
        fresh: list[Row] = []
        for row in self._offered[table]:
            key = _key(table, row)
            value = known.get(key, _ABSENT)
            if value is _ABSENT:
                known[key] = row.value
                fresh.append(row)
            elif value != row.value:
                self.conflicts.append(row)
        self.fresh[table] = fresh

    def marks(self) -> list[tuple[int, int]]:
        """(series key, start of the bucket) of every five minutes in which a gauge has new readings, sorted."""
        marks: list[tuple[int, int]] = []
        series, ends_ms, gauge = None, 0, Kind.GAUGE
        for row in self.rows:  # they are in order, so a mark is new or the last one
            if row.series is not series or row.at_ms >= ends_ms:
                series, start_ms = row.series, row.at_ms - row.at_ms % BUCKET_MS
                ends_ms = start_ms + BUCKET_MS
                if series.kind is gauge:
                    marks.append((series.key or 0, start_ms))
        return marks

    def remarks(self) -> list[tuple[int, int, int | None, str | None]]:
        """(series key, instant, sampled for, flags) of the new rows that have a note; of two notes the first."""
        if not self.notes:
            return []
        new = {(row.series.key, row.at_ms) for row in self.stored()}
        found = {(note.series.key, note.at_ms): note for note in reversed(self.notes)}
        return [(key or 0, at_ms, found[key, at_ms].sampled_ms, found[key, at_ms].flags) for key, at_ms in found if (key, at_ms) in new]

    def newest_ms(self) -> int | None:
        """The instant of the newest row that was offered; None without rows. The group must be arranged."""
        return self._newest_ms

    def halves(self) -> tuple[Group, Group]:
        """Two groups with half of the rows each; the letters go with the first."""
        pairs = [(table, row) for table, rows in self._offered.items() for row in rows]
        middle = len(pairs) // 2
        first, second = (Group(self.batches, _by_table(part)) for part in (pairs[:middle], pairs[middle:]))
        first.letters = self.letters
        first.notes = second.notes = self.notes
        return first, second

    def only(self) -> Row:
        """The row of a group that has one."""
        return next(row for rows in self._offered.values() for row in rows)

    def batch_of(self, rows: Iterable[Row]) -> list[tuple[Batch, Row]]:
        """Each of the rows with the batch that brought it."""
        wanted = {id(row) for row in rows}
        return [
            (batch, row) for batch in self.batches for rows in (batch.rows, batch.deltas, batch.texts) for row in rows if id(row) in wanted
        ]


class Marks(msgspec.Struct, frozen=True):
    """Rows that go into a feature's own table in the transaction of every group, on the fast path too.

    `columns` maps their names to the types PostgreSQL has for them. `rows(group)` gives what is to be added, by key and
    each key once; it runs in a thread and may run again when a group is. `on_conflict` says what becomes of a key that
    is there, in words both engines know.
    """

    table: str
    columns: Mapping[str, str]
    rows: Callable[[Group], Sequence[tuple[int, ...]]]
    on_conflict: str = "DO NOTHING"


def flat(table: str, rows: Sequence[Row]) -> list[Any]:
    """The values of rows one behind the other, in the order of the table's columns."""
    values: list[Any] = []
    if table == "deltas":
        for row in rows:
            values += (row.series.key, row.at_ms, row.from_ms, row.value)
    else:
        for row in rows:
            values += (row.series.key, row.at_ms, row.value)
    return values


def _order(row: Row) -> int:
    return (row.series.key << 48) + row.at_ms  # type: ignore[operator]  # one integer sorts faster than a tuple


def _key(table: str, row: Row) -> tuple[int, ...]:
    assert row.series.key is not None
    if table == "deltas":
        return (row.series.key, row.at_ms, row.from_ms or 0)
    return (row.series.key, row.at_ms)


def _by_table(pairs: Iterable[tuple[str, Row]]) -> dict[str, list[Row]]:
    offered: dict[str, list[Row]] = {table: [] for table in COLUMNS}
    for table, row in pairs:
        offered[table].append(row)
    return offered
