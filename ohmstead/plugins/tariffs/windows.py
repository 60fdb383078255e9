"""How people write hours, days and seasons in a tariff: `hours: 9-21`, `days: weekdays`, `dates: 05-15..10-14`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.tariffs.schedule import DAY, HOLIDAY, WEEK, Window

_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?\s*[-–]\s*(\d{1,2})(?::(\d\d))?")
_DATES = re.compile(r"(\d\d)-(\d\d)\s*\.\.\s*(\d\d)-(\d\d)")
_DAYS = {**{day: (day,) for day in WEEK}, "weekdays": WEEK[:5], "weekend": WEEK[5:], HOLIDAY: (HOLIDAY,)}


def hours(value: Any) -> str:
    """Local hours, such as 9-21, 06:30-22:00, or 21-9 for those of a day before 9:00 and from 21:00 on."""
    match = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise vol.Invalid("expected hours such as 9-21 or 06:30-22:00")
    first, last = _minute(match[1], match[2]), _minute(match[3], match[4])
    if first >= DAY or last > DAY or first == last or not all(int(minutes or 0) < 60 for minutes in (match[2], match[4])):
        raise vol.Invalid(f"{value!r} are no hours of a day; expected hours such as 9-21 or 0-24")
    return str(match[0])


def days(value: Any) -> str:
    """A day of the week, weekdays, weekend, or holidays."""
    return str(validate.one_of(*_DAYS)(value))


def dates(value: Any) -> str:
    """A part of the year with its last day, such as 05-15..10-14; 11-01..02-29 goes over the end of the year."""
    match = _DATES.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is not None:
            for month, day in ((match[1], match[2]), (match[3], match[4])):
                date(2000, int(month), int(day))
            return str(match[0])
    except ValueError:
        pass
    raise vol.Invalid("expected a part of the year as month-day..month-day, such as 05-15..10-14")


KEYS: dict[Any, Any] = {
    vol.Optional("hours", description="local hours, such as 9-21; all day unless given"): validate.list_of(hours),
    vol.Optional("days", description="mon … sun, weekdays, weekend, holidays; every day unless given"): validate.list_of(days),
    vol.Optional("dates", description="parts of the year, such as 05-15..10-14; all year unless given"): validate.list_of(dates),
}
WHEN = vol.Optional("when", description="windows of hours, days and dates in which this applies; always unless given")
when = validate.list_of(KEYS)


def window(options: Mapping[str, Any]) -> Window:
    """The window that checked options describe."""
    parts = [_DATES.fullmatch(text) for text in options.get("dates", ())]
    return Window(
        tuple(((int(m[1]), int(m[2])), (int(m[3]), int(m[4]))) for m in parts if m),
        frozenset(day for word in options.get("days", ()) for day in _DAYS[word]),
        tuple(span for text in options.get("hours", ("0-24",)) for span in _spans(text)),
    )


def _spans(text: str) -> list[tuple[int, int]]:
    match = _HOURS.fullmatch(text)
    assert match is not None
    first, last = _minute(match[1], match[2]), _minute(match[3], match[4])
    return [(first, last)] if first < last else [span for span in ((0, last), (first, DAY)) if span[0] < span[1]]


def _minute(hour: str, minute: str | None) -> int:
    return int(hour) * 60 + int(minute or 0)
