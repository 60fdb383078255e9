"""What a contract may be described with, in the YAML and over the API."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.billing.cycle import FIRST_YEAR, LAST_YEAR

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")

name = vol.All(validate.text, vol.Length(max=200, msg="expected at most 200 characters"))


def day(value: Any) -> date:
    """A day of the calendar: 2026-03-01."""
    if isinstance(value, datetime):
        raise vol.Invalid("expected a day such as 2026-03-01, without a time")
    try:
        found = value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise vol.Invalid("expected a day such as 2026-03-01") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise vol.Invalid(f"expected a day from {FIRST_YEAR} to {LAST_YEAR}")
    return found


def month(value: Any) -> tuple[int, int]:
    """A month of the calendar: 2026-03."""
    match = _MONTH.fullmatch(value) if isinstance(value, str) else None
    if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
        raise vol.Invalid('expected a month such as "2026-03"')
    return int(match[1]), int(match[2])


def clock_time(value: Any) -> time:
    """A time of day on a quarter of an hour, as slots are: 06:00. YAML reads 16:30 without quotes as its minutes, which are taken too."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        value = f"{value // 60:02}:{value % 60:02}"
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) % 15:
        raise vol.Invalid('expected a time of day on a quarter of an hour, such as "06:00"')
    return time(int(match[1]), int(match[2]))


def rising_days(value: Any) -> list[date]:
    """At least two days, each after the one before it."""
    if not isinstance(value, list) or len(value) < 2:
        raise vol.Invalid("expected at least two days: a billing period lies between two of them")
    found = [day(each) for each in value]
    for before, after in pairwise(found):
        if after <= before:
            raise vol.Invalid(f"{after} does not come after {before}; expected days in order, each once")
    return found


CYCLE: dict[Any, Any] = {
    vol.Optional("day", default=1, description="day of the month on which a period begins; 29 to 31 mean the last day of a shorter month"):
        validate.integer(1, 31),
    vol.Optional("months", default=1, description="how many months a period lasts"): validate.integer(1, 120),
    vol.Optional("first", description="a month in which a period begins, where periods last several"): month,
    vol.Optional("at", default="00:00", description="time of day at which a period begins; the gas day begins at 06:00"): clock_time,
    vol.Optional("clock", default="local", description="local: the clock on the wall; standard: that of standard time all year round"):
        validate.one_of("local", "standard"),
    vol.Optional("dates", description="days on which the meter was read; periods lie between them, and day and months are not used"):
        rising_days,
}  # fmt: skip

_FOLLOWING = {
    vol.Required("from", description="first day on which it applies"): day,
    vol.Required("tariff", description="id of the tariff"): validate.slug,
}


def tariffs(value: Any) -> Any:
    """The id of a tariff, or a list of tariffs, each with its first day."""
    if not isinstance(value, list):
        return validate.slug(value)
    if not value:
        raise vol.Invalid("expected the id of a tariff, or a list of tariffs each with its first day")
    found = [vol.Schema(_FOLLOWING)(each) for each in value]
    for before, after in pairwise(found):
        if after["from"] <= before["from"]:
            raise vol.Invalid(f"{after['from']} does not come after {before['from']}; expected tariffs in order of their first days")
    return found


CONTRACT: dict[Any, Any] = {
    vol.Optional("name", description="name for people; the id unless given"): name,
    vol.Optional("location", description="id of the location it supplies; home unless given"): validate.slug,
    vol.Optional("supplier", description="whom it is with"): name,
    vol.Optional("currency", description="ISO 4217 code; that of its tariff unless given"): validate.currency,
    vol.Optional("import", description="meter points of what is bought; several are added up"): validate.list_of(validate.slug),
    vol.Optional("export", description="meter points of what is sold; several are added up"): validate.list_of(validate.slug),
    vol.Required("tariff", description="id of the tariff; or a list of them, each with `from`, the first day on which it applies"): tariffs,
    vol.Optional("grid_zone", description="grid zone of the location, where the tariff tells several apart"): name,
    vol.Optional("cycle", default={}, description="how time is cut into billing periods; calendar months unless given"): CYCLE,
    vol.Optional("start", description="first day of the contract"): day,
    vol.Optional("end", description="first day on which it no longer holds"): day,
}
