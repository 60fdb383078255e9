"""Dates and instants as a tariff states them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, to_ms

_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")


def day(value: Any) -> date:
    """A local date, such as 2026-01-01."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) and 1900 <= int(value[:4]) < 9999:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise vol.Invalid("expected a date such as 2026-01-01")


def instant(value: Any) -> int:
    """An instant with its offset, such as 2026-01-01T00:00:00+01:00, in ms."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(at, datetime) and EARLIEST_MS <= (at_ms := to_ms(at)) < LATEST_MS:
            return at_ms
    except (ValueError, OverflowError):
        pass
    raise vol.Invalid("expected an instant with its offset, such as 2026-01-01T00:00:00+01:00")


def moment(value: Any) -> date | int:
    """A local date, meaning its midnight, or an instant with its offset."""
    text = isinstance(value, str) and "T" in value
    if text or isinstance(value, datetime):
        return instant(value)
    try:
        return day(value)
    except vol.Invalid:
        raise vol.Invalid("expected a date such as 2026-01-01, or an instant with its offset") from None


def month_day(value: Any) -> tuple[int, int]:
    """A day of every year, such as 04-01; not 02-29."""
    match = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is not None:
            date(2001, int(match[1]), int(match[2]))
            return int(match[1]), int(match[2])
    except ValueError:
        pass
    raise vol.Invalid("expected a month and day such as 04-01")
