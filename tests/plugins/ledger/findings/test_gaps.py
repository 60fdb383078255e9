"""Missing time: what is a gap, what is none, and what it probably held."""

from __future__ import annotations

from ohmstead.plugins.ledger.findings.finding import Correct
from ohmstead.plugins.ledger.findings.gaps import estimate, finding, gaps, together
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS

SLOT = 900_000
BUSY = 100_000  # mWh in a quarter of an hour: 400 W


def sheet(*energies: int | None, start: int = 0) -> list[Sheet]:
    made = Sheet.empty(start, SLOT, len(energies))
    for place, mwh in enumerate(energies):
        if mwh is not None:
            made.mwh[place], made.measured_ms[place], made.source[place] = mwh, SLOT, Layer.LIVE
    return [made]


def test_an_hour_without_anything_between_what_is_known_is_a_gap() -> None:
    assert gaps(sheet(BUSY, None, None, None, None, BUSY)) == [(SLOT, 5 * SLOT)]
    assert gaps(sheet(BUSY, None, None, None, BUSY)) == []


def test_what_has_not_begun_or_is_not_over_is_no_gap() -> None:
    assert gaps(sheet(*[None] * 20, BUSY, *[None] * 20)) == []


def test_a_silence_at_nothing_is_no_gap_below_a_day() -> None:
    assert gaps(sheet(0, *[None] * 40, 0)) == []
    assert gaps(sheet(0, *[None] * 96, 0)) == [(SLOT, 97 * SLOT)]
    assert gaps(sheet(0, *[None] * 40, BUSY)) == [(SLOT, 41 * SLOT)]


def test_a_gap_is_estimated_by_the_same_time_a_week_before_else_a_day_before() -> None:
    start = 8 * DAY_MS
    day = sheet(*range(96), start=start - DAY_MS)
    week = sheet(*[7] * 96, start=start - 7 * DAY_MS)
    assert estimate(start, start + 4 * SLOT, day) == 0 + 1 + 2 + 3
    assert estimate(start, start + 4 * SLOT, [*week, *day]) == 28
    assert estimate(start, start + 4 * SLOT, sheet(1, None, start=start - DAY_MS)) is None


def test_it_proposes_to_spread_the_estimate_and_nothing_without_one() -> None:
    with_one, without = finding("grid", 0, 4 * SLOT, 28), finding("grid", 0, 4 * SLOT, None)
    assert isinstance(with_one.remedy, Correct)
    assert without.remedy is None
    assert with_one.place == without.place


def test_many_gaps_of_one_month_are_one_finding() -> None:
    made = [finding("plug", n * 10 * SLOT, n * 10 * SLOT + 4 * SLOT, 5) for n in range(11)]
    [one] = together(made)
    assert one.mwh == 55
    assert "longest_gap" in one.text
    assert together(made[:10]) == made[:10]
