"""Billing periods: instants, cut by a rule of the calendar or by the dates on which somebody read the meter."""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import from_ms, iso, to_ms
from ohmstead.core.errors import Invalid

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
FIRST_YEAR, LAST_YEAR = 1980, 2200  # what people write contracts for; all zones are whole quarters of an hour from UTC since then


class Period(msgspec.Struct, frozen=True, order=True):
    """A half-open span of time: from `start_ms` to just before `end_ms`."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms <= self.start_ms:
            raise Invalid(f"the period from {iso(self.start_ms)} to {iso(self.end_ms)} ends before it begins; its end must be later")

    def __contains__(self, at_ms: int) -> bool:
        return self.start_ms <= at_ms < self.end_ms

    def within(self, start_ms: int | None, end_ms: int | None) -> Period | None:
        """What of it lies between two instants, None for open; None when nothing does."""
        start = self.start_ms if start_ms is None else max(self.start_ms, start_ms)
        end = self.end_ms if end_ms is None else min(self.end_ms, end_ms)
        return Period(start, end) if start < end else None


class Moment(msgspec.Struct, frozen=True):
    """The time of day at which a period begins, in a zone: on its clock, or on that of its standard time all year round.

    Standard time is the smaller of the zone's offsets on 1 January and 1 July of that year. A time of day that the
    clock skips is the instant of the skip; of one that comes twice the first is meant.
    """

    zone: str
    at: time = time(0)
    standard: bool = False

    def on(self, day: date) -> int:
        """The instant on that day."""
        return to_ms(datetime.combine(day, self.at, tzinfo=self._clock(day.year)))

    def day_of(self, at_ms: int) -> date:
        """The last day whose instant is not after `at_ms`."""
        local = from_ms(at_ms).astimezone(ZoneInfo(self.zone)).date() + timedelta(days=1)
        while self.on(local) > at_ms:
            local -= timedelta(days=1)
        return local

    def _clock(self, year: int) -> tzinfo:
        zone = ZoneInfo(self.zone)
        if not self.standard:
            return zone
        offsets = [datetime(year, month, 1, 12, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7)]
        return timezone(min(offsets))


class Cycle(msgspec.Struct, frozen=True):
    """How time is cut into billing periods.

    Every `months` months on the `day`-th, of which 29 to 31 mean the last day of a month that is shorter; the months are
    counted so that one period begins in `first`, a (year, month). Or between the `dates` of meter readings, when there
    are any, and then there is no period before the first and after the last of them.
    """

    moment: Moment
    day: int = 1
    months: int = 1
    first: tuple[int, int] = (2000, 1)
    dates: tuple[date, ...] = ()

    def containing(self, at_ms: int) -> Period:
        """The period an instant lies in. Invalid when the reading dates have none, or nobody writes contracts for it."""
        if self.dates:
            return self._between_readings(at_ms)
        if not FIRST_YEAR <= from_ms(at_ms).year <= LAST_YEAR:
            raise Invalid(f"no billing period at {iso(at_ms)}; expected a time from {FIRST_YEAR} to {LAST_YEAR}")
        day = self.moment.day_of(at_ms)
        step = self._step(day.year * 12 + day.month - 1)
        while self._border(step + self.months) <= at_ms:
            step += self.months
        while self._border(step) > at_ms:
            step -= self.months
        return Period(self._border(step), self._border(step + self.months))

    def between(self, start_ms: int, end_ms: int) -> Iterator[Period]:
        """The periods that overlap a span, in order, none of them cut."""
        if self.dates:
            found = [Period(*pair) for pair in pairwise(self._readings())]
            yield from (period for period in found if period.start_ms < end_ms and period.end_ms > start_ms)
            return
        period = self.containing(max(start_ms, self.moment.on(date(FIRST_YEAR, 1, 2))))
        while period.start_ms < end_ms:
            yield period
            period = self.containing(period.end_ms)

    def named(self, name: str) -> Period:
        """The period of `2026-03`: that which begins in the month, else that in which the month does; of `2026-03-20`: that of the day.

        Invalid for any other name.
        """
        month = _MONTH.fullmatch(name)
        if month is not None and 1 <= int(month[2]) <= 12 and FIRST_YEAR <= int(month[1]) <= LAST_YEAR:
            return self._of_month(int(month[1]), int(month[2]))
        if _DAY.fullmatch(name):
            try:
                return self.containing(self.moment.on(date.fromisoformat(name)))
            except ValueError:
                pass
        raise Invalid(f"period {name[:40]!r}: expected a month such as 2026-03, or a day such as 2026-03-20")

    def _of_month(self, year: int, month: int) -> Period:
        if self.dates:
            inside = [day for day in self.dates if (day.year, day.month) == (year, month)]
            return self.containing(self.moment.on(inside[0] if inside else date(year, month, 1)))
        index = year * 12 + month - 1
        return self.containing(self._border(index) if index == self._step(index) else self.moment.on(date(year, month, 1)))

    def _step(self, index: int) -> int:
        """The last month, counted from the year 0, that is not after `index` and in which a period begins."""
        return index - (index - self.first[0] * 12 - self.first[1] + 1) % self.months

    def _border(self, index: int) -> int:
        year, month = divmod(index, 12)
        return self.moment.on(date(year, month + 1, min(self.day, calendar.monthrange(year, month + 1)[1])))

    def _readings(self) -> list[int]:
        return [self.moment.on(day) for day in self.dates]

    def _between_readings(self, at_ms: int) -> Period:
        borders = self._readings()
        place = bisect_right(borders, at_ms)
        if place == 0:
            raise Invalid(f"no billing period at {iso(at_ms)}: the meter was first read on {self.dates[0]}; add an earlier reading date")
        if place == len(borders):
            raise Invalid(f"no billing period at {iso(at_ms)}: the meter was last read on {self.dates[-1]}; add the next reading date")
        return Period(borders[place - 1], borders[place])
