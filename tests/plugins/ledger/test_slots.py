"""The grid of slots, and days, hours and months in zones."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, MINUTE_MS, Grid, local, midnight

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "America/Santiago", "Pacific/Apia", "UTC"]
DAY = 20_458  # 2026-01-05


def test_a_new_length_begins_with_a_utc_day() -> None:
    grid = Grid([(DAY, 5 * MINUTE_MS)])
    noon, before = DAY * DAY_MS + 12 * HOUR_MS + 1, DAY * DAY_MS - 1
    assert (grid.slot_ms(noon), grid.start(noon), grid.end(noon)) == (300_000, noon - 1, noon - 1 + 300_000)
    assert (grid.slot_ms(before), grid.start(before), grid.end(before)) == (900_000, before + 1 - 900_000, before + 1)
    assert grid.end(noon - 1) == noon - 1
    assert list(grid.stretches(DAY * DAY_MS - HOUR_MS, noon - 1)) == [(DAY * DAY_MS - HOUR_MS, 900_000, 4), (DAY * DAY_MS, 300_000, 144)]


def test_slots_are_5_or_15_minutes() -> None:
    with pytest.raises(Invalid, match="10 minutes: choose 5 or 15"):
        Grid([(DAY, 600_000)])


@given(st.sampled_from(ZONES), st.dates(date(2010, 1, 1), date(2035, 1, 1)), st.sampled_from(["15m", "30m", "hour", "day"]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_slots_and_views_tile_every_local_day(zone, day, view, fine) -> None:
    zone = ZoneInfo(zone)
    start, end = midnight(zone, day), midnight(zone, day + timedelta(days=1))
    if start == end:  # a day that was left out: Samoa, 30 December 2011
        return
    grid = Grid([(0, 300_000)] if fine else [])
    slots = sum(length * count for _, length, count in grid.stretches(start, end))
    assert (grid.start(start), grid.end(end), slots) == (start, end, end - start)
    spans = list(local(view, zone, start, end))
    assert (spans[0][0], spans[-1][1]) == (start, end)
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert all(grid.start(begin) == begin for begin, _ in spans)


@given(st.sampled_from(ZONES), st.dates(date(2012, 1, 1), date(2035, 1, 1)))
@settings(max_examples=40, deadline=None)
def test_months_tile_years_and_days_tile_months(zone, day) -> None:
    zone = ZoneInfo(zone)
    at = midnight(zone, day)
    ((year, year_end),) = local("year", zone, at, at + 1)
    months = list(local("month", zone, year, year_end))
    assert (len(months), months[0][0], months[-1][1]) == (12, year, year_end)
    ((month, month_end),) = local("month", zone, at, at + 1)
    days = list(local("day", zone, month, month_end))
    assert (month, month_end) in months
    assert (days[0][0], days[-1][1]) == (month, month_end)
    assert len(days) in (28, 29, 30, 31)


def test_a_half_hour_is_cut_where_the_clock_goes_back_by_half() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    start, end = midnight(zone, date(2026, 4, 5)), midnight(zone, date(2026, 4, 6))
    assert [to - begin for begin, to in local("hour", zone, start, end)] == [HOUR_MS] * 2 + [HOUR_MS // 2] + [HOUR_MS] * 22
    assert len(list(local("30m", zone, start, end))) == 49


def test_there_are_no_weeks() -> None:
    with pytest.raises(Invalid, match="choose 15m, 30m, hour"):
        list(local("week", ZoneInfo("UTC"), 0, 1))
