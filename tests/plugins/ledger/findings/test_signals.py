"""Readings that stand still, turn round, slip or jump; and ordinary ones that do not."""

from __future__ import annotations

import random

from ohmstead.plugins.ledger.corrections.changes import ReadingScale, Shift
from ohmstead.plugins.ledger.findings.finding import Cause, Correct
from ohmstead.plugins.ledger.findings.signals import DayStat, flipped, jumped, standing, stat, stuck, too_large

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LIVELY = [DayStat(day, 1440, 300, 0.0, 2000.0) for day in range(7)]


def day(value: float = 100.0, count: int = 1440) -> list[tuple[int, float]]:
    return [(7 * DAY + n * MINUTE, value) for n in range(count)]


def test_one_value_all_day_after_lively_days_is_stuck() -> None:
    [found] = stuck("pv.power", stat(7, day(1234.5)), LIVELY, 29_628_000_000)
    assert found.cause is Cause.STUCK
    assert isinstance(found.remedy, Correct)


def test_standby_rare_reports_and_things_that_never_change_are_not_stuck() -> None:
    assert stuck("plug.power", stat(7, day(3.0)), LIVELY, 0) == []
    assert stuck("plug.power", stat(7, day(100.0, count=5)), LIVELY, 0) == []
    assert stuck("lamp.power", stat(7, day(100.0)), [DayStat(n, 1440, 2, 0.0, 100.0) for n in range(7)], 0) == []


def test_a_register_that_stands_while_power_flows_is_stuck() -> None:
    still, flowing = DayStat(7, 1440, 1, 500.0, 500.0), DayStat(7, 1440, 200, 80.0, 900.0)
    assert standing("meter.energy_import", still, flowing)[0].mwh == 80 * 24 * 1000
    assert standing("meter.energy_import", still, DayStat(7, 1440, 200, 0.0, 900.0)) == []


def test_negative_power_of_a_load_is_a_turned_sign() -> None:
    [found] = flipped("pv.power", 7, day(-500.0), HOUR)
    assert isinstance(found.remedy, Correct)
    assert isinstance(found.remedy.change, ReadingScale)
    assert found.remedy.change.factor == "-1"
    assert flipped("pv.power", 7, day(-3.0), HOUR) == []  # an inverter's own need at night
    assert flipped("pv.power", 7, [*day(-500.0, 300), *[(7 * DAY + n * MINUTE, 900.0) for n in range(300, 1440)]], HOUR) == []


def test_milliwatts_for_watts_are_a_slip_and_a_lone_one_is_a_spike() -> None:
    many = [(7 * DAY + n * MINUTE, 450_000.0) for n in range(30)]
    assert too_large("plug.power", 7, many, 50_000, 470.0)[0].cause is Cause.UNIT_SLIP
    assert too_large("plug.power", 7, many[:1], 50_000, 470.0)[0].cause is Cause.SPIKE
    assert too_large("plug.power", 7, [], 50_000, 470.0) == []


def test_a_clock_turned_back_is_shifted_into_the_hole_it_left() -> None:
    first = [n * MINUTE for n in range(720)]  # to 12:00
    second = [11 * HOUR + 13_000 + n * MINUTE for n in range(40)]  # at 12:00 it went back by an hour, and on after 40 minutes
    third = [12 * HOUR + 40 * MINUTE + n * MINUTE for n in range(600)]
    [found] = jumped("meter.energy_import", sorted([*first, *second, *third]))
    assert found.cause is Cause.CLOCK_JUMP
    assert isinstance(found.remedy, Correct)
    change = found.remedy.change
    assert isinstance(change, Shift)
    assert change.instants == tuple(second)
    assert change.by_ms == HOUR - 13_000


def test_ordinary_rhythms_are_no_jump() -> None:
    rng = random.Random(7)
    assert jumped("s", [n * MINUTE for n in range(1440)]) == []
    assert jumped("s", [*(n * MINUTE for n in range(700)), *(700 * MINUTE + n * 30_000 for n in range(900))]) == []  # twice as often from then on
    assert jumped("s", sorted(rng.sample(range(DAY), 1440))) == []
    assert jumped("s", sorted({n * 10_000 + rng.randint(-900, 900) for n in range(8640)})) == []
