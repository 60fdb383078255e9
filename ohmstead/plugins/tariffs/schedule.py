"""Hours of days of seasons: which bucket an instant belongs to, as runs of instants, kept per zone and local year."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.tariffs.local import DAY_MS, MINUTE_MS, local_date, wall, year_offsets

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holidays"
DAY = 24 * 60  # minutes
YEARS_KEPT = 64  # runs of so many (zone, year) are remembered


class Run(NamedTuple):
    """A span that belongs to one bucket."""

    start_ms: int
    end_ms: int
    bucket: int


class Window(msgspec.Struct, frozen=True):
    """Hours of certain days in certain parts of the year; what is empty does not restrict.

    `dates` are (first, last), both included, as (month, day), and may go over the end of the year. `days` are of WEEK
    and HOLIDAY. `hours` are [from, to) in minutes of local time within a day: 21:00–9:00 is (0, 540) and (1260, 1440).
    """

    dates: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = ()
    days: frozenset[str] = frozenset()
    hours: tuple[tuple[int, int], ...] = ((0, DAY),)

    def on_date(self, month_day: tuple[int, int]) -> bool:
        """Whether a day of the year lies in `dates`."""
        return not self.dates or any(
            first <= month_day <= last if first <= last else not last < month_day < first for first, last in self.dates
        )

    def on_day(self, kind: str) -> bool:
        """Whether a kind of day, of WEEK or HOLIDAY, is one of `days`."""
        return not self.days or kind in self.days


Plan = tuple[tuple[int, int, int], ...]  # (from minute, to minute, bucket) of one day, in order


class Schedule(msgspec.Struct, frozen=True, eq=False):
    """Windows, each of a bucket, and the dates that are holidays. Without windows every instant is of bucket 0.

    A holiday counts as one only where a window speaks of holidays; else it is the day of the week that it is.
    """

    windows: tuple[Window, ...] = ()
    buckets: tuple[int, ...] = ()
    holidays: frozenset[date] = frozenset()
    _years: dict[tuple[str, int], tuple[list[int], list[Run]]] = msgspec.field(default_factory=dict)

    def runs(self, zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Run]:
        """The runs within a span, in order and cut there; what no window covers is left out."""
        if not self.windows:
            yield Run(start_ms, end_ms, 0)
            return
        for year in range(local_date(zone, start_ms).year, local_date(zone, end_ms - 1).year + 1):
            starts, runs = self._year(zone, year)
            for place in range(max(0, bisect_right(starts, start_ms) - 1), len(runs)):
                run = runs[place]
                if run[0] >= end_ms:
                    break
                if run[0] >= start_ms and run[1] <= end_ms:
                    yield run
                elif run[1] > start_ms:
                    yield Run(max(run[0], start_ms), min(run[1], end_ms), run[2])

    def _year(self, zone: ZoneInfo, year: int) -> tuple[list[int], list[Run]]:
        known = self._years.get((zone.key, year))
        if known is None:
            if len(self._years) >= YEARS_KEPT:
                self._years.clear()
            runs = list(_joined(self._pieces(zone, year)))
            known = self._years[zone.key, year] = [run.start_ms for run in runs], runs
        return known

    def _pieces(self, zone: ZoneInfo, year: int) -> Iterator[Run]:
        for low, high, offset_ms in year_offsets(zone, year):
            day = date(1970, 1, 1) + timedelta(days=(low + offset_ms) // DAY_MS)
            while (begins := wall(day, offset_ms)) < high:
                for first, last, bucket in self.plan(day):
                    start, end = max(begins + first * MINUTE_MS, low), min(begins + last * MINUTE_MS, high)
                    if start < end:
                        yield Run(start, end, bucket)
                day += timedelta(days=1)

    def plan(self, day: date) -> Plan:
        """The hours of a date."""
        special = day in self.holidays and any(HOLIDAY in window.days for window in self.windows)
        return self.hours((day.month, day.day), HOLIDAY if special else WEEK[day.weekday()])

    def hours(self, month_day: tuple[int, int], kind: str) -> Plan:
        """The hours of a kind of day, of WEEK or HOLIDAY, at a time of the year; they overlap where windows do."""
        return tuple(sorted(
            (first, last, bucket)
            for window, bucket in zip(self.windows, self.buckets, strict=True)
            if window.on_day(kind) and window.on_date(month_day)
            for first, last in window.hours
        ))  # fmt: skip


def _joined(pieces: Iterable[Run]) -> Iterator[Run]:
    """Neighbours of one bucket as one run; a second window over the same hours adds nothing."""
    last: Run | None = None
    for piece in pieces:
        if last is not None and piece.bucket == last.bucket and piece.start_ms <= last.end_ms:
            last = Run(last.start_ms, max(last.end_ms, piece.end_ms), last.bucket)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def faults(windows: Sequence[Window]) -> Iterator[str]:
    """What keeps windows from giving every hour of every day exactly one of them, as sentences that name the hours."""
    schedule = Schedule(tuple(windows), tuple(range(len(windows))))
    kinds = (*WEEK, HOLIDAY) if any(HOLIDAY in window.days for window in windows) else WEEK
    leap = [date(2000, 1, 1) + timedelta(days=number) for number in range(366)]
    found: dict[str, list[str]] = {}  # the fault -> the days that have it
    for kind in kinds:
        plans = {(day.month, day.day): schedule.hours((day.month, day.day), kind) for day in leap}
        for plan, same in groupby(plans, key=plans.__getitem__):
            month_days = list(same)
            for text in _day_faults(plan):
                found.setdefault(f"{_season(month_days)}: {text}", []).append(kind)
    for text, days in found.items():
        yield ", ".join(days) + text


def _day_faults(plan: Plan) -> Iterator[str]:
    at = 0
    for first, last, _ in plan:
        if first > at:
            yield f"no price from {clock(at)} to {clock(first)}"
        elif first < at:
            yield f"two prices from {clock(first)} to {clock(min(at, last))}"
        at = max(at, last)
    if at < DAY:
        yield f"no price from {clock(at)} to 24:00"


def _season(month_days: list[tuple[int, int]]) -> str:
    if len(month_days) == 366:
        return ""
    (first_month, first_day), (last_month, last_day) = month_days[0], month_days[-1]
    return f" {first_month:02}-{first_day:02}..{last_month:02}-{last_day:02}"


def clock(minute: int) -> str:
    """A minute of the day as a clock shows it."""
    return f"{minute // 60}:{minute % 60:02}"
