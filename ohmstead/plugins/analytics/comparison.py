"""Periods that are compared, true to the calendar: each so far, and the one before up to the same day and time of day."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.plugins.ledger.slots import midnight


class Pair(NamedTuple):
    """A running period up to now, and the one it is compared with: where that begins, the same point in it, and its end."""

    name: str
    start_ms: int
    now_ms: int
    before_ms: int
    same_ms: int
    end_ms: int


def pairs(now_ms: int, zone: ZoneInfo) -> list[Pair]:
    """Today and yesterday, this week and the last, this month and the last, and the same month of last year."""
    now = from_ms(now_ms).astimezone(zone)
    today, first = now.date(), now.date().replace(day=1)
    monday, last = today - timedelta(days=today.weekday()), (first - timedelta(days=1)).replace(day=1)
    year_ago = first.replace(year=first.year - 1)
    return [
        _pair("yesterday", now, today, today - timedelta(days=1), today, today - timedelta(days=1), zone),
        _pair("last_week", now, monday, monday - timedelta(days=7), monday, today - timedelta(days=7), zone),
        _pair("last_month", now, first, last, first, _same_day(last, today), zone),
        _pair("same_month_last_year", now, first, year_ago, _next(year_ago), _same_day(year_ago, today), zone),
    ]


def _pair(name: str, now: datetime, begins: date, before: date, ends: date, same: date, zone: ZoneInfo) -> Pair:
    before_ms, end_ms = midnight(zone, before), midnight(zone, ends)
    moment = datetime.combine(same, now.time(), zone).replace(fold=now.fold)
    same_ms = min(max(to_ms(moment.astimezone(UTC)), before_ms), end_ms)
    return Pair(name, midnight(zone, begins), to_ms(now.astimezone(UTC)), before_ms, same_ms, end_ms)


def _same_day(month: date, today: date) -> date:
    """The same day of another month; the day after its last where it is shorter, so that all of it counts."""
    length = monthrange(month.year, month.month)[1]
    return _next(month) if today.day > length else month.replace(day=today.day)


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
