"""When a job is due, also on nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Job
from ohmstead.plugins.jobs.schedule import check, following, text


async def nothing() -> None:
    """A job that does nothing."""


def job(cron: str | None = None, every_s: float | None = None) -> Job:
    return Job("job", nothing, cron=cron, every_s=every_s)


def dues(cron: str, start: str, end: str, zone: str) -> list[str]:
    """All due times after start up to end, in the zone."""
    at, last = to_ms(datetime.fromisoformat(start)), to_ms(datetime.fromisoformat(end))
    found = []
    while (at := following(job(cron), at, zone)) <= last:
        found.append(from_ms(at).astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z"))
    return found


def test_half_past_two_comes_once_on_the_long_night() -> None:
    assert dues("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "Europe/Berlin") == ["25 02:30 +0200", "26 02:30 +0100"]
    # and not again when the hour is gone through a second time
    assert dues("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T12:00:00Z", "Europe/Berlin") == []
    assert dues("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-25T12:00:00Z", "Europe/Berlin") == []


def test_half_past_two_comes_once_on_the_short_night() -> None:
    assert dues("30 2 * * *", "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z", "Europe/Berlin") == ["28 03:00 +0200", "29 02:30 +0200"]


def test_every_quarter_of_an_hour_goes_on_through_both_nights() -> None:
    assert len(dues("*/15 * * * *", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "Europe/Berlin")) == 100
    assert len(dues("*/15 * * * *", "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z", "Europe/Berlin")) == 92


def test_zones_of_half_hours() -> None:
    assert dues("0 6 * * *", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", "Asia/Kathmandu") == ["01 06:00 +0545"]
    assert len(dues("15 2 * * *", "2026-04-03T00:00:00Z", "2026-04-06T00:00:00Z", "Australia/Lord_Howe")) == 3


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_daily_is_once_a_day_and_always_ahead(at: datetime, zone: str, hour: int, minute: int) -> None:
    daily = job(f"{minute} {hour} * * *")
    first = following(daily, to_ms(at), zone)
    second = following(daily, first, zone)
    days = [from_ms(due).astimezone(ZoneInfo(zone)).date() for due in (first, second)]
    assert to_ms(at) < first
    assert timedelta(hours=22) < from_ms(second) - from_ms(first) < timedelta(hours=26)
    assert (days[1] - days[0]).days == 1


def test_seconds_are_plain() -> None:
    assert following(job(every_s=2.5), 1000, "Europe/Berlin") == 3500
    assert text(job(every_s=90)) == "every 90 s"
    assert text(job("1 2 * * *")) == "1 2 * * *"


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (job(), "needs either"),
        (job("* * * * *", 5), "needs either"),
        (job(every_s=0.5), "the shortest is 1"),
        (job("* * * *"), "cron '\\* \\* \\* \\*'"),
        (job("61 * * * *"), "Bad minute"),
        (job("0 0 30 2 *"), "Bad day-of-month"),
    ],
)
def test_bad_schedules_are_said_at_once(wrong: Job, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        check(wrong)
