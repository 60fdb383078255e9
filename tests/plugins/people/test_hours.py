"""Quiet hours and digests in local time, on days of 23, 24 and 25 hours."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.plugins.people.hours import digest_ms, following, quiet

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = quiet("22:00-07:00")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold))


@pytest.mark.parametrize(("now", "until"), [
    ("2026-06-01 21:59", None), ("2026-06-01 22:00", "2026-06-02 07:00"), ("2026-06-02 06:59", "2026-06-02 07:00"), ("2026-06-02 07:00", None),
    ("2026-03-28 23:00", "2026-03-29 07:00"), ("2026-10-24 23:00", "2026-10-25 07:00"),
])
def test_quiet_hours(now: str, until: str | None) -> None:
    assert NIGHT.until_ms(at(now), BERLIN) == (None if until is None else at(until))


def test_quiet_that_ends_in_the_hour_that_comes_twice_or_not_at_all() -> None:
    hours = quiet("22:00-02:30")
    assert hours.until_ms(at("2026-10-25 02:10"), BERLIN) == at("2026-10-25 02:30")
    assert hours.until_ms(at("2026-10-25 02:10", fold=1), BERLIN) == at("2026-10-25 02:30", fold=1)
    ends = hours.until_ms(at("2026-03-29 01:30"), BERLIN)
    assert ends is not None
    assert from_ms(ends).astimezone(BERLIN).strftime("%d %H:%M") in ("29 03:30", "29 01:30")


def test_digests() -> None:
    assert digest_ms(at("2026-06-03 07:59"), "daily", BERLIN) == at("2026-06-03 08:00")
    assert digest_ms(at("2026-06-03 08:00"), "daily", BERLIN) == at("2026-06-04 08:00")
    assert digest_ms(at("2026-06-03 08:00"), "weekly", BERLIN) == at("2026-06-08 08:00")
    assert digest_ms(at("2026-06-03 08:00", ZoneInfo("Asia/Kathmandu")), "daily", ZoneInfo("Asia/Kathmandu")) == to_ms(
        datetime(2026, 6, 4, 2, 15, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "22:00", "22:00-22:00", "24:00-07:00", "22:60-07:00", "10pm-7am", "22:00-07:00 or so"])
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        quiet(text)


zones = st.sampled_from([BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns"), ZoneInfo("UTC")])
times = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@settings(max_examples=150, deadline=None)
@given(st.integers(1_700_000_000_000, 1_900_000_000_000), times, zones)
def test_the_following_time_is_after_now_and_within_two_days(now_ms: int, time, zone: ZoneInfo) -> None:
    found = following(now_ms, time, zone)
    assert now_ms < found <= now_ms + 50 * 3_600_000
    shown = from_ms(found).astimezone(zone)
    assert shown.time() == time or shown.utcoffset() != datetime.combine(shown.date(), time, zone).utcoffset() or shown.time() > time
