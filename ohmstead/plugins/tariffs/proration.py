"""How many days, months or years a part of a bill counts, by the rule that the contract states."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

from ohmstead.plugins.tariffs.local import days_between, local_date, month_of, year_of
from ohmstead.plugins.tariffs.part import Part

PRORATIONS = ("days", "365", "whole")
PRORATE = (
    'days: by the days of each calendar month or year; "365": a year has 365 days and a month 1/12 of that; '
    "whole: charged whole for each first day"
)


def shares(part: Part, per: str, prorate: str = "days") -> Fraction:
    """How many `per` the part counts."""
    return share_of(part.zone, part.start_ms, part.end_ms, per, prorate, part.bill)


def share_of(zone: ZoneInfo, start_ms: int, end_ms: int, per: str, prorate: str = "days", bill: tuple[int, int] = (0, 0)) -> Fraction:
    """How many `per` a span counts. A bill is 1, shared by days where versions cut it."""
    first, last = local_date(zone, start_ms), local_date(zone, end_ms)
    count = (last - first).days
    if per == "day":
        return Fraction(count)
    if per == "bill":
        whole = days_between(zone, *bill)
        return Fraction(count, whole) if whole else Fraction(1)
    if prorate == "365":
        return Fraction(count * (12 if per == "month" else 1), 365)
    periods = list(_periods(first, last, per))
    if prorate == "whole":
        return Fraction(sum(begins >= first for begins, _ in periods))
    return sum((Fraction((min(ends, last) - max(begins, first)).days, (ends - begins).days) for begins, ends in periods), Fraction(0))


def _periods(first: date, last: date, per: str) -> Iterator[tuple[date, date]]:
    """The calendar months or years that have days from `first` up to `last`."""
    of = month_of if per == "month" else year_of
    day = first
    while day < last:
        begins, day = of(day)
        yield begins, day
