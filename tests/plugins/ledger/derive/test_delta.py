"""Periods: who has which time, and how it is shared."""

from __future__ import annotations

from fractions import Fraction

from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive.delta import Period, derive, settle, share, steps
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.points.bindings import Part
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import HOUR_MS, Grid

T = 1_767_600_000_000  # 2026-01-05T08:00Z
QUARTER = 900_000


def shared(*periods: Period, below: Sheet | None = None) -> list[tuple[int, str]]:
    """mWh and the one quality of each slot from T on that has any."""
    (sheet,) = share(settle(periods)[0], Grid(), [below] if below else []).values()
    first = (T - sheet.start_ms) // QUARTER
    return [(sheet.mwh[at], "measured" if sheet.measured_ms[at] else "estimated") for at in range(first, 96) if sheet.measured_ms[at] + sheet.estimated_ms[at]]


def profile(*mwh: int, full: int = QUARTER) -> Sheet:
    sheet = Sheet.empty(T, QUARTER, len(mwh))
    for at, energy in enumerate(mwh):
        sheet.mwh[at], sheet.measured_ms[at] = energy, full
    return sheet


def test_a_long_period_is_shared_as_below_where_that_is_whole_and_not_zero() -> None:
    hour = Period(T, T + HOUR_MS, 10)
    assert shared(hour, below=profile(1, 2, 0, 1)) == [(2, "estimated"), (5, "estimated"), (0, "estimated"), (3, "estimated")]
    by_time = [(2, "estimated"), (3, "estimated"), (2, "estimated"), (3, "estimated")]  # floors of 2.5, 5, 7.5, 10
    assert shared(hour) == by_time
    assert shared(hour, below=profile(0, 0, 0, 0)) == by_time
    assert shared(hour, below=profile(1, 2, 0)) == by_time
    assert shared(hour, below=profile(1, 2, 0, 1, full=QUARTER - 1)) == by_time


def test_a_short_period_is_measured_unless_its_author_estimated_it() -> None:
    assert shared(Period(T, T + QUARTER, 7)) == [(7, "measured")]
    assert shared(Period(T, T + QUARTER, 7, estimated=True)) == [(7, "estimated")]


def test_the_shorter_wins_and_the_rest_of_the_longer_has_the_rest_of_the_time() -> None:
    hour, quarter = Period(T, T + HOUR_MS, 10), Period(T + QUARTER, T + 2 * QUARTER, 4)
    assert shared(hour, quarter) == [(2, "estimated"), (4, "measured"), (2, "estimated"), (2, "estimated")]
    claims, verdicts = settle([Period(T, T + QUARTER, 3), Period(T, T + HOUR_MS, 2)])
    assert ([claim.mwh for claim in claims], [(verdict.cause, verdict.mwh) for verdict in verdicts]) == ([3], [("negative_rest", -1)])


def test_a_rest_without_time_of_its_own_is_told() -> None:
    quarters = [Period(T + n * QUARTER, T + (n + 1) * QUARTER, 2) for n in range(4)]
    assert settle([*quarters, Period(T, T + HOUR_MS, 8)])[1] == []
    (verdict,) = settle([*quarters, Period(T, T + HOUR_MS, 9)])[1]
    assert (verdict.cause, verdict.mwh, verdict.before, verdict.value) == ("overlap", 1, 8, 9)


def test_of_two_equally_long_the_earlier_wins() -> None:
    assert shared(Period(T, T + HOUR_MS, 8), Period(T + HOUR_MS // 2, T + 3 * HOUR_MS // 2, 8)) == [(2, "estimated")] * 6


def test_live_deltas_are_judged() -> None:
    rules = Rules(Kind.DELTA, Fraction(10**6), T, T + HOUR_MS, 50 * 10**6, HOUR_MS)
    rows = [
        (T + QUARTER, T, 12.5),  # 50 kW
        (T + 2 * QUARTER, T + QUARTER, 12.6),
        (T + 3 * QUARTER, T + 2 * QUARTER, -0.1),
        (T + 5 * QUARTER, T + 4 * QUARTER, 1),  # behind the binding's end
    ]
    found = derive(rules, Grid(), rows)
    assert [(verdict.cause, verdict.mwh) for verdict in found.verdicts] == [("suspect", 12_600_000), ("negative", -100_000)]
    assert sum(sum(sheet.mwh) for sheet in found.days.values()) == 12_500_000


def test_signed_deltas_have_parts() -> None:
    rows = [(T + QUARTER, T, 1.5), (T + 2 * QUARTER, T + QUARTER, -0.5)]
    for part, mwh in ((Part.POSITIVE, 1_500_000), (Part.NEGATIVE, 500_000)):
        found = derive(Rules(Kind.DELTA, Fraction(10**6), T, None, 50 * 10**6, HOUR_MS, part=part), Grid(), rows)
        (sheet,) = found.days.values()
        assert (sum(sheet.mwh), sum(sheet.measured_ms), found.verdicts) == (mwh, 2 * QUARTER, [])


def test_registers_somebody_read_are_periods() -> None:
    periods, verdicts = steps([(T, 100), (T + 5, 130), (T + 9, 20), (T + 10, 21)])
    assert periods == [Period(T, T + 5, 30), Period(T + 9, T + 10, 1)]
    assert [verdict.cause for verdict in verdicts] == ["fall"]
