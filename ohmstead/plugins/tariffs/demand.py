"""Mean power over windows of local time: the highest of them are what capacity charges are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from heapq import nlargest
from operator import sub
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.plugins.tariffs.local import DAY_MS, HOUR_MS, MINUTE_MS, Offset, local_date, year_offsets
from ohmstead.plugins.tariffs.meter import Column, Meter
from ohmstead.plugins.tariffs.schedule import Run

_COMMON_MS = 27_720 * 5 * MINUTE_MS  # every length of a window, 5 to 60 minutes, divides it: powers compare as integers


class Peak(NamedTuple):
    """A window and its energy in mWh. One that a change of the clocks or the end of the bill cuts is shorter than the others."""

    start_ms: int
    length_ms: int
    mwh: int

    @property
    def kw(self) -> Fraction:
        """Its mean power."""
        return Fraction(self.mwh * HOUR_MS, self.length_ms * 1_000_000)


class Windows(NamedTuple):
    """Equal windows one after another; `energy` is -1 for those with missing parts."""

    start_ms: int
    length_ms: int
    energy: Sequence[int]

    def peak(self, place: int) -> Peak:
        """One of them."""
        return Peak(self.start_ms + place * self.length_ms, self.length_ms, self.energy[place])

    def between(self, run: Run) -> range:
        """Those that begin in a run."""
        first = max(-((self.start_ms - run.start_ms) // self.length_ms), 0)
        last = min(-((self.start_ms - run.end_ms) // self.length_ms), len(self.energy))
        return range(first, last)


def windows(meter: Meter, zone: ZoneInfo, start_ms: int, end_ms: int, length_ms: int) -> Iterator[Windows]:
    """All windows of a span, aligned to local time and cut where the offset changes; none is shorter than a slot."""
    for column in meter.columns:
        length_ms = max(length_ms, column.slot_ms)
        for low, high, offset_ms in _offsets(zone, max(start_ms, column.start_ms), min(end_ms, column.end_ms)):
            first = -(-(low + offset_ms) // length_ms) * length_ms - offset_ms
            last = (high + offset_ms) // length_ms * length_ms - offset_ms
            begun, torn = low == column.start_ms > start_ms, high == column.end_ms < end_ms  # by what data there is
            if first > last:  # not even one whole window
                yield _cut(column, low, high, begun or torn)
                continue
            yield _cut(column, low, first, begun)
            yield _whole(column, first, last, length_ms)
            yield _cut(column, last, high, torn)


def highest(found: Windows, run: Run, count: int, different_days: bool, zone: ZoneInfo) -> Iterator[Peak]:
    """The complete windows of a run that may be among the highest."""
    places, energy = found.between(run), found.energy
    if not places:
        return
    if count == 1:
        best = [_argmax(energy, places)]
    elif different_days:
        best = [_argmax(energy, day) for day in _days(found, places, zone)]
    else:
        best = nlargest(count, places, key=energy.__getitem__)
    yield from (found.peak(place) for place in best if energy[place] >= 0)


def incomplete(found: Windows, run: Run) -> Iterator[Peak]:
    """The windows of a run that have missing parts; their energy is -1."""
    return (found.peak(place) for place in found.between(run) if found.energy[place] < 0)


def top(peaks: Iterable[Peak], count: int, different_days: bool, zone: ZoneInfo) -> list[Peak]:
    """The highest, on different days if asked for; of equal ones the earlier."""
    ordered = sorted(set(peaks), key=lambda peak: (-peak.mwh * _COMMON_MS // peak.length_ms, peak.start_ms))
    if different_days:
        first_of: dict[object, Peak] = {}
        for peak in ordered:
            first_of.setdefault(local_date(zone, peak.start_ms), peak)
        ordered = list(first_of.values())
    return ordered[:count]


def _argmax(energy: Sequence[int], places: range) -> int:
    part = energy[places.start : places.stop]
    return places.start + part.index(max(part))


def _days(found: Windows, places: range, zone: ZoneInfo) -> Iterator[range]:
    """The windows by local day; within one span of an offset days are even."""
    offset_ms = next(_offsets(zone, found.start_ms, found.start_ms + 1)).offset_ms
    first = places.start
    while first < places.stop:
        at = found.start_ms + first * found.length_ms + offset_ms
        last = min(first - (-(DAY_MS - at % DAY_MS) // found.length_ms), places.stop)
        yield range(first, last)
        first = last


def _offsets(zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Offset]:
    if start_ms >= end_ms:
        return
    for year in range(local_date(zone, start_ms).year, local_date(zone, end_ms - 1).year + 1):
        for low, high, offset_ms in year_offsets(zone, year):
            if low < end_ms and high > start_ms:
                yield Offset(max(low, start_ms), min(high, end_ms), offset_ms)


def _whole(column: Column, start_ms: int, end_ms: int, length_ms: int) -> Windows:
    slots = length_ms // column.slot_ms
    first, last = column.place(start_ms), column.place(end_ms)
    energy: Sequence[int]
    if slots == 1:
        energy = column.mwh[first:last]
    else:
        energy = list(map(sub, column.sums[first + slots : last + 1 : slots], column.sums[first : last - slots + 1 : slots]))
    gone = {(place - first) // slots for place in column.missing if first <= place < last}
    if gone:
        energy = [-1 if place in gone else each for place, each in enumerate(energy)]
    return Windows(column.instant(first), length_ms, energy)


def _cut(column: Column, start_ms: int, end_ms: int, torn: bool) -> Windows:
    """What is left of one window; it is not complete where the data are torn off."""
    first, last = column.place(start_ms), column.place(end_ms)
    if first == last:
        return Windows(start_ms, column.slot_ms, ())
    complete = not torn and not any(first <= place < last for place in column.missing)
    return Windows(column.instant(first), (last - first) * column.slot_ms, (column.sums[last] - column.sums[first] if complete else -1,))
