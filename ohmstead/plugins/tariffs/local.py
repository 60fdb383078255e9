"""Local time of a zone, in instants: spans of one offset, midnights, and how many local days and months a span has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms, to_ms

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_EPOCH = date(1970, 1, 1)


class Offset(NamedTuple):
    """A span within which local time is UTC + `offset_ms`."""

    start_ms: int
    end_ms: int
    offset_ms: int


def midnight(zone: ZoneInfo, day: date) -> int:
    """The first instant of a local day; where midnight is skipped, the instant of the change."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def local_date(zone: ZoneInfo, at_ms: int) -> date:
    """The local date of an instant."""
    return from_ms(at_ms).astimezone(zone).date()


def days_between(zone: ZoneInfo, start_ms: int, end_ms: int) -> int:
    """How many local days a span counts: from the date it begins on to the date it ends on."""
    return (local_date(zone, end_ms) - local_date(zone, start_ms)).days


def offsets(zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Offset]:
    """The span, cut where the zone's offset changes. Looked for day by day, as no zone changes twice within one."""
    begun, offset, low = start_ms, _offset_ms(zone, start_ms), start_ms
    while low < end_ms:
        high = min(low + DAY_MS, end_ms)
        after = _offset_ms(zone, high)
        if after != offset:
            change = _change(zone, low, high, offset)
            yield Offset(begun, change, offset)
            begun, offset = change, after
        low = high
    if begun < end_ms:
        yield Offset(begun, end_ms, offset)


@lru_cache(256)  # the same few years of the same few zones are asked for again and again
def year_offsets(zone: ZoneInfo, year: int) -> tuple[Offset, ...]:
    """The offsets of a local year."""
    return tuple(offsets(zone, midnight(zone, date(year, 1, 1)), midnight(zone, date(year + 1, 1, 1))))


def days(zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[tuple[date, int, int]]:
    """The local days that touch a span: (date, first instant, first instant of the next)."""
    day = local_date(zone, start_ms)
    begins = midnight(zone, day)
    while begins < end_ms:
        following = day + timedelta(days=1)
        ends = midnight(zone, following)
        if ends > start_ms:
            yield day, begins, ends
        day, begins = following, ends


def month_of(day: date) -> tuple[date, date]:
    """The first day of a date's month, and that of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def year_of(day: date, starts: tuple[int, int] = (1, 1)) -> tuple[date, date]:
    """The first day of the year a date lies in, and that of the next; `starts` is (month, day) of the first one."""
    first = date(day.year, *starts)
    if first > day:
        first = date(day.year - 1, *starts)
    return first, date(first.year + 1, *starts)


def wall(day: date, offset_ms: int) -> int:
    """The instant at which a local day would begin if the zone always had this offset."""
    return (day - _EPOCH).days * DAY_MS - offset_ms


def _change(zone: ZoneInfo, low_ms: int, high_ms: int, offset_ms: int) -> int:
    """The instant between the two at which the offset ceases, to the minute."""
    low, high = low_ms // MINUTE_MS, -(-high_ms // MINUTE_MS)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_ms(zone, middle * MINUTE_MS) == offset_ms:
            low = middle
        else:
            high = middle
    return high * MINUTE_MS


def _offset_ms(zone: ZoneInfo, at_ms: int) -> int:
    offset = from_ms(at_ms).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() * 1000)
