"""Rollups of energy: hours, days, months and years in the zone of a meter point's location.

Hours are made of slots, days of hours, months of days and years of months, all by adding integers: the same slots give
the same rows, however they came about. What nothing is known of has no row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import HOUR_MS, MINUTE_MS, local

RESOLUTIONS = ("hour", "day", "month", "year")
QUARTER_MS = 15 * MINUTE_MS
COLUMNS = ("start_ms", "end_ms", "mwh", "measured_ms", "estimated_ms", "reset_ms", "source",
           "peak_15_mwh", "peak_15_ms", "peak_60_mwh", "peak_60_ms")  # fmt: skip

Span = tuple[int, int]


class Rollup(NamedTuple):
    """The energy of one hour, day, month or year. What is neither measured, estimated nor over a reset is missing.

    `mwh` is an integer number of mWh (mL for volumes). The peaks are the energy of the quarter-hour and of the hour,
    by the local clock, that had most among those without a missing part, and where the first such began; None when
    none was whole. Their mean power in mW is 4 × and 1 × that. `source` is the highest layer that speaks in it.
    """

    start_ms: int
    end_ms: int
    mwh: int
    measured_ms: int
    estimated_ms: int
    reset_ms: int
    source: int
    peak_15_mwh: int | None
    peak_15_ms: int | None
    peak_60_mwh: int | None
    peak_60_ms: int | None

    @property
    def covered_ms(self) -> int:
        """For how long anything is known."""
        return self.measured_ms + self.estimated_ms + self.reset_ms


Peak = tuple[int, int] | tuple[None, None]  # energy, where it began


def hours(sheets: Iterable[Sheet], zone: ZoneInfo) -> list[Rollup]:
    """The local hours of sheets that follow each other, the first of which begins with an hour."""
    found: list[Rollup] = []
    for sheet in sheets:
        found += _hours(sheet, zone)
    return found


def _hours(sheet: Sheet, zone: ZoneInfo) -> Iterator[Rollup]:
    for start_ms, end_ms in local("hour", zone, sheet.start_ms, sheet.end_ms):
        low, high = max(start_ms - sheet.start_ms, 0) // sheet.slot_ms, (end_ms - sheet.start_ms) // sheet.slot_ms
        measured, estimated, reset = sum(sheet.measured_ms[low:high]), sum(sheet.estimated_ms[low:high]), sum(sheet.reset_ms[low:high])
        covered = measured + estimated + reset
        if covered:
            mwh = sum(sheet.mwh[low:high])
            whole = covered == end_ms - start_ms == HOUR_MS
            quarter = _quarter(sheet, low, high, covered == (high - low) * sheet.slot_ms)
            cover = measured, estimated, reset, max(sheet.source[low:high])
            yield Rollup(start_ms, end_ms, mwh, *cover, *quarter, *((mwh, start_ms) if whole else (None, None)))


def _quarter(sheet: Sheet, low: int, high: int, whole: bool) -> Peak:
    """The greatest quarter of an hour; zones are whole quarters away from UTC, so quarters are the same everywhere."""
    count = QUARTER_MS // sheet.slot_ms
    best: Peak = (None, None)
    for at in range(low, high, count):
        if whole or _covered(sheet, at, at + count) == QUARTER_MS:
            mwh = sheet.mwh[at] if count == 1 else sum(sheet.mwh[at : at + count])
            if best[0] is None or mwh > best[0]:
                best = mwh, sheet.start_ms + at * sheet.slot_ms
    return best


def _covered(sheet: Sheet, low: int, high: int) -> int:
    return sum(sheet.measured_ms[low:high]) + sum(sheet.estimated_ms[low:high]) + sum(sheet.reset_ms[low:high])


def gather(parts: Sequence[Rollup], spans: Iterable[Span]) -> list[Rollup]:
    """Each span's sum of the parts that begin in it; both in order."""
    starts, found = [part.start_ms for part in parts], []
    for span in spans:
        some = parts[bisect_left(starts, span[0]) : bisect_left(starts, span[1])]
        if some:
            found.append(_sum(some, span))
    return found


def _sum(parts: Sequence[Rollup], span: Span) -> Rollup:
    _, _, mwh, measured, estimated, reset, source, *peaks = zip(*parts, strict=True)
    return Rollup(*span, sum(mwh), sum(measured), sum(estimated), sum(reset), max(source), *_highest(*peaks[:2]), *_highest(*peaks[2:]))


def _highest(mwh: Sequence[int | None], at_ms: Sequence[int]) -> Peak:
    """The greatest, of equal ones the first."""
    most = max((each for each in mwh if each is not None), default=None)
    return (None, None) if most is None else (most, at_ms[mwh.index(most)])
