"""How many days, months or years a part of a bill counts, by the rule that the contract states."""

from __future__ import annotations

from fractions import Fraction

from ohmstead.plugins.tariffs.local import days_between, local_date, month_of, year_of
from ohmstead.plugins.tariffs.part import Part

PRORATIONS = ("days", "365", "whole")
PRORATE = (
    'days: by the days of each calendar month or year; "365": a year has 365 days and a month 1/12 of that; '
    "whole: charged whole for each first day"
)


def shares(part: Part, per: str, prorate: str = "days") -> Fraction:
    """How many `per` the part counts. A bill is 1 whole, shared by days where versions cut it."""
    if per == "day":
        return Fraction(part.days)
    if per == "bill":
        whole = days_between(part.zone, *part.bill)
        return Fraction(part.days, whole) if whole else Fraction(1)
    if prorate == "365":
        return Fraction(part.days * (12 if per == "month" else 1), 365)
    if prorate == "whole":
        return Fraction(_firsts(part, per))
    return _by_days(part, per)


def _by_days(part: Part, per: str) -> Fraction:
    """Each calendar month or year counts by its own days: additive over any cut."""
    of = month_of if per == "month" else year_of
    day, last = local_date(part.zone, part.start_ms), local_date(part.zone, part.end_ms)
    share = Fraction(0)
    while day < last:
        first, following = of(day)
        until = min(following, last)
        share += Fraction((until - day).days, (following - first).days)
        day = until
    return share


def _firsts(part: Part, per: str) -> int:
    """How many months or years have their first day in the part."""
    of = month_of if per == "month" else year_of
    day, last = local_date(part.zone, part.start_ms), local_date(part.zone, part.end_ms)
    first, following = of(day)
    at, count = (first if first == day else following), 0
    while at < last:
        count += 1
        at = of(at)[1]
    return count
