"""Energy in columns of slots with running sums, so that the energy of any run of slots is one subtraction."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import add
from typing import NamedTuple

from ohmstead.core.errors import Invalid
from ohmstead.plugins.tariffs.schedule import Run
from ohmstead.plugins.tariffs.usage import Energies


class Column:
    """Consecutive slots. `sums[i]` is the energy of the first i of them; `missing` are the numbers of incomplete ones."""

    __slots__ = ("missing", "mwh", "slot_ms", "start_ms", "sums")

    def __init__(self, start_ms: int, slot_ms: int, mwh: Sequence[int], missing: frozenset[int] = frozenset()) -> None:
        self.start_ms, self.slot_ms, self.mwh, self.missing = start_ms, slot_ms, mwh, missing
        self.sums: list[int] = list(accumulate(mwh, initial=0))

    def __len__(self) -> int:
        return len(self.mwh)

    @property
    def end_ms(self) -> int:
        """Where the last slot ends."""
        return self.start_ms + self.slot_ms * len(self.mwh)

    def place(self, at_ms: int) -> int:
        """The number of the first slot that begins at or after an instant."""
        return min(max(-(-(at_ms - self.start_ms) // self.slot_ms), 0), len(self.mwh))

    def instant(self, place: int) -> int:
        """Where a slot begins."""
        return self.start_ms + self.slot_ms * place


class Stretch(NamedTuple):
    """Slots `first` up to `last` of a column, all of one bucket."""

    bucket: int
    column: Column
    first: int
    last: int


class Meter:
    """What one register of a contract counted in a period."""

    __slots__ = ("columns",)

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)

    @classmethod
    def of(cls, sheets: Sequence[Energies], start_ms: int, end_ms: int) -> Meter:
        """The slots that begin in a span, sheets over the same slots added. Invalid where they are of different lengths."""
        pieces = [column for sheet in sheets if len(column := _clipped(sheet, start_ms, end_ms))]
        if all(a.end_ms <= b.start_ms for a, b in pairwise(pieces)):
            return cls(pieces)
        return cls(_added(pieces, grid(pieces)))

    def stretches(self, runs: Iterable[Run]) -> Iterator[Stretch]:
        """The slots of each run. A slot belongs to the run that it begins in."""
        columns = self.columns
        if len(columns) != 1:
            for run in runs:
                for column in columns:
                    yield from Meter((column,)).stretches((run,))
            return
        column = columns[0]
        start_ms, slot_ms, count = column.start_ms, column.slot_ms, len(column.mwh)
        for low_ms, high_ms, bucket in runs:
            first = -((start_ms - low_ms) // slot_ms)
            last = -((start_ms - high_ms) // slot_ms)
            if first < 0:
                first = 0
            if last > count:
                last = count
            if first < last:
                yield Stretch(bucket, column, first, last)

    def within(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """The energy of the slots that begin in a span, and how many there are."""
        found = list(self.stretches([Run(start_ms, end_ms, 0)]))
        return sum(s.column.sums[s.last] - s.column.sums[s.first] for s in found), sum(s.last - s.first for s in found)

    def laid(self, cells: Sequence[tuple[int, int, int]]) -> list[Column]:
        """The same on other columns of `grid` that hold them; 0 where this has no slots."""
        if [(c.start_ms, c.slot_ms, len(c)) for c in self.columns] == list(cells):
            return list(self.columns)
        return _added(self.columns, cells)


def grid(columns: Iterable[Column]) -> list[tuple[int, int, int]]:
    """The fewest columns (start, slot, count) that hold all these. Invalid where slots of two lengths meet."""
    found: list[tuple[int, int, int]] = []  # (start, slot, end)
    for column in sorted(columns, key=lambda c: c.start_ms):
        if found and column.start_ms < found[-1][2] and column.slot_ms != found[-1][1]:
            raise Invalid(f"slots of {column.slot_ms // 60_000} and {found[-1][1] // 60_000} minutes overlap; derive one of them anew")
        if found and column.start_ms <= found[-1][2] and column.slot_ms == found[-1][1]:
            found[-1] = (found[-1][0], column.slot_ms, max(found[-1][2], column.end_ms))
        else:
            found.append((column.start_ms, column.slot_ms, column.end_ms))
    return [(start, slot, (end - start) // slot) for start, slot, end in found]


def _added(columns: Iterable[Column], cells: Iterable[tuple[int, int, int]]) -> list[Column]:
    columns, made = tuple(columns), []
    for start_ms, slot_ms, count in cells:
        mwh, missing = array("q", bytes(8 * count)), set[int]()
        for column in columns:
            if column.slot_ms == slot_ms and start_ms <= column.start_ms < start_ms + slot_ms * count:
                at = (column.start_ms - start_ms) // slot_ms
                mwh[at : at + len(column)] = array("q", map(add, mwh[at : at + len(column)], column.mwh))
                missing |= {at + place for place in column.missing}
        made.append(Column(start_ms, slot_ms, mwh, frozenset(missing)))
    return made


def _clipped(sheet: Energies, start_ms: int, end_ms: int) -> Column:
    first = max(-(-(start_ms - sheet.start_ms) // sheet.slot_ms), 0)
    last = max(first, min(-(-(end_ms - sheet.start_ms) // sheet.slot_ms), len(sheet.mwh)))
    return Column(sheet.start_ms + first * sheet.slot_ms, sheet.slot_ms, sheet.mwh[first:last], _missing(sheet, first, last))


def _missing(sheet: Energies, first: int, last: int) -> frozenset[int]:
    """The slots, counted from `first`, of which some time is not covered."""
    whole = array("i", [sheet.slot_ms]) * (last - first)
    measured = sheet.measured_ms[first:last]
    if measured == whole:  # arrays of one type compare fast
        return frozenset()
    covered = zip(measured, sheet.estimated_ms[first:last], sheet.reset_ms[first:last], strict=True)
    return frozenset(place for place, parts in enumerate(covered) if sum(parts) < sheet.slot_ms)
