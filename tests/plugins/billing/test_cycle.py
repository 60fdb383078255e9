"""Billing periods tile time, in every zone and by every rule."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import from_ms, iso, to_ms
from ohmstead.core.errors import Invalid
from ohmstead.plugins.billing.cycle import Cycle, Moment, Period

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "Europe/Dublin", "Pacific/Apia")


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def local(zone: str, text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


cycles = st.builds(
    Cycle,
    st.builds(Moment, st.sampled_from(ZONES), st.times(), st.booleans()),
    st.integers(1, 31),
    st.integers(1, 13),
    st.tuples(st.integers(2000, 2030), st.integers(1, 12)),
)


@settings(max_examples=150, deadline=None)
@given(cycles, st.integers(ms("2005-01-01T00:00:00Z"), ms("2035-01-01T00:00:00Z")))
def test_periods_tile_time(cycle: Cycle, at_ms: int) -> None:
    period = cycle.containing(at_ms)
    assert at_ms in period
    after, before = cycle.containing(period.end_ms), cycle.containing(period.start_ms - 1)
    assert after.start_ms == period.end_ms
    assert before.end_ms == period.start_ms
    assert list(cycle.between(before.start_ms, after.end_ms)) == [before, period, after]
    assert cycle.containing(period.end_ms - 1) == period


@settings(max_examples=50, deadline=None)
@given(cycles, st.integers(2006, 2034), st.integers(1, 12))
def test_every_month_names_the_period_that_begins_in_it(cycle: Cycle, year: int, month: int) -> None:
    period = cycle.named(f"{year}-{month:02}")
    begins = cycle.moment.day_of(period.start_ms)
    if cycle.months == 1:
        assert (begins.year, begins.month) == (year, month)
    assert begins <= date(year, month, monthrange(year, month)[1])


def test_a_calendar_month_is_743_hours_in_spring() -> None:
    period = Cycle(Moment("Europe/Berlin")).named("2026-03")  # 31 days less the hour of 29 March
    assert (period.end_ms - period.start_ms) == 743 * 3_600_000
    assert iso(period.start_ms) == "2026-02-28T23:00:00Z"
    assert iso(period.end_ms) == "2026-03-31T22:00:00Z"


def test_standard_time_keeps_its_midnight_in_summer() -> None:
    period = Cycle(Moment("America/Chicago", standard=True)).named("2016-07")
    assert iso(period.start_ms) == "2016-07-01T06:00:00Z"  # 00:00-06:00, which a clock on the wall shows as 01:00
    assert (period.end_ms - period.start_ms) == 31 * 24 * 3_600_000


def test_the_gas_day_begins_at_six() -> None:
    cycle = Cycle(Moment("Europe/Berlin", time(6)))
    assert iso(cycle.named("2026-07").start_ms) == "2026-07-01T04:00:00Z"
    assert cycle.containing(local("Europe/Berlin", "2026-07-01T05:59")) == cycle.named("2026-06")


@pytest.mark.parametrize(("month", "begins"), [("2026-02", 28), ("2028-02", 29), ("2026-04", 30), ("2026-05", 31)])
def test_the_31st_is_the_last_day_of_a_shorter_month(month: str, begins: int) -> None:
    cycle = Cycle(Moment("Europe/Berlin"), day=31)
    assert from_ms(cycle.named(month).start_ms).astimezone(ZoneInfo("Europe/Berlin")).day == begins


def test_quarters_count_from_the_month_that_is_given() -> None:
    cycle = Cycle(Moment("UTC"), months=3, first=(2026, 2))
    assert iso(cycle.containing(ms("2026-01-15T00:00:00Z")).start_ms) == "2025-11-01T00:00:00Z"
    assert cycle.named("2026-03") == cycle.named("2026-02")  # no period begins in March


def test_a_midnight_that_the_clock_skips_is_the_instant_of_the_skip() -> None:
    moment = Moment("America/Santiago")  # 2023-09-03 began at 01:00
    assert iso(moment.on(date(2023, 9, 3))) == "2023-09-03T04:00:00Z"
    assert moment.day_of(ms("2023-09-03T04:00:00Z")) == date(2023, 9, 3)


class TestReadingDates:
    cycle = Cycle(Moment("Europe/Berlin"), dates=(date(2026, 1, 14), date(2026, 2, 12), date(2026, 3, 16)))

    def test_periods_lie_between_the_dates(self) -> None:
        period = self.cycle.named("2026-02")
        assert (iso(period.start_ms), iso(period.end_ms)) == ("2026-02-11T23:00:00Z", "2026-03-15T23:00:00Z")
        assert self.cycle.named("2026-02-01").end_ms == period.start_ms
        assert len(list(self.cycle.between(0, ms("2030-01-01T00:00:00Z")))) == 2

    @pytest.mark.parametrize(("at", "word"), [("2026-01-01T00:00:00Z", "first read on 2026-01-14"), ("2026-04-01T00:00:00Z", "next reading date")])
    def test_there_are_none_outside(self, at: str, word: str) -> None:
        with pytest.raises(Invalid, match=word):
            self.cycle.containing(ms(at))


@pytest.mark.parametrize("name", ["", "2026", "2026-13", "2026-02-30", "0000-01", "9999-12", "march", "2026-3", "1" * 400])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match="expected a month such as 2026-03"):
        Cycle(Moment("UTC")).named(name)


def test_a_period_does_not_end_before_it_begins() -> None:
    with pytest.raises(Invalid, match="ends before it begins"):
        Period(5, 5)
