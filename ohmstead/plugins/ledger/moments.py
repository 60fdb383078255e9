"""What people write for a time or an amount: a day of the location's calendar or an instant, an exact decimal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, to_ms

Moment = date | datetime  # a date is the beginning of that day where the meter point is
LONGEST = 40  # characters of a number; enough for anything measured, too few to stall on


def moment(value: Any) -> Moment:
    """A day such as 2026-03-01, or an instant with its offset."""
    try:
        found = value if isinstance(value, date) else _read(str(value).strip())
        if not isinstance(found, datetime) or EARLIEST_MS <= to_ms(found) < LATEST_MS:
            return found
    except (ValueError, OverflowError):
        pass
    raise vol.Invalid("expected a day such as 2026-03-01, or an instant with its offset such as 2026-03-01T14:30:00+01:00")


def _read(text: str) -> Moment:
    return date.fromisoformat(text) if len(text) == len("2026-03-01") else datetime.fromisoformat(text)


def instant_ms(at: Moment, zone: str) -> int:
    """Milliseconds since 1970; a day is its first instant in the IANA `zone`."""
    if isinstance(at, datetime):
        return to_ms(at)
    return min(max(to_ms(datetime.combine(at, time(), ZoneInfo(zone))), EARLIEST_MS), LATEST_MS)


def decimal(low: str, high: str, unit: str = "") -> Callable[[Any], Decimal]:
    """An exact number from `low` to `high`, both included, in `unit`."""
    least, most = Decimal(low), Decimal(high)

    def exact(value: Any) -> Decimal:
        found = _number(value)
        if not least <= found <= most:
            raise vol.Invalid(f"expected {low} to {high} {unit}".rstrip())
        return found

    return exact


def _number(value: Any) -> Decimal:
    text = str(value).strip() if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool) else ""
    if "," in text:
        grouped = text.rfind(",") < text.rfind(".")  # 1,030.7 or 1.030,7
        better = text[:LONGEST].replace(",", "") if grouped else text[:LONGEST].replace(".", "").replace(",", ".")
        raise vol.Invalid(f"expected a number with a point for the decimals, such as {better}")
    try:
        found = Decimal(text) if len(text) <= LONGEST else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or not -LONGEST < found.adjusted() < LONGEST:
        raise vol.Invalid("expected a number such as 45321.7")
    return found
