"""Corrections of intervals: nothing is lost, order counts, and what nobody spoke for stays untouched."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.plugins.ledger.corrections.changes import Confirm, IntervalScale, Replace, SetTotal, Spread
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.corrections.overlay import extent, overlay
from ohmstead.plugins.ledger.sheet import Layer, Sheet

SLOT = 900_000


def sheet(*energies: int | None, start: int = 0, slot: int = SLOT) -> Sheet:
    """Measured slots; None is missing."""
    made = Sheet.empty(start, slot, len(energies))
    for place, mwh in enumerate(energies):
        if mwh is not None:
            made.mwh[place], made.measured_ms[place], made.source[place] = mwh, slot, Layer.LIVE
    return made


def signed(*changes: object) -> list[Correction]:
    return [Correction(number, change, "because", "anna", 0) for number, change in enumerate(changes, 1)]  # type: ignore[arg-type]


def test_a_total_keeps_the_profile_and_fills_missing_time_at_its_mean() -> None:
    [laid] = overlay(signed(SetTotal(0, 4 * SLOT, "grid", 800)), [sheet(100, None, 300, None)], {})
    assert list(laid.sheet.mwh) == [100, 200, 300, 200]
    assert list(laid.sheet.estimated_ms) == [SLOT] * 4
    assert list(laid.origin) == [1] * 4
    assert list(laid.sheet.source) == [Layer.CORRECTION] * 4


def test_a_total_of_one_slot_is_measured() -> None:
    [laid] = overlay(signed(SetTotal(SLOT, 2 * SLOT, "grid", 7)), [sheet(1, None, 1)], {})
    assert (list(laid.sheet.mwh), list(laid.sheet.measured_ms)) == ([1, 7, 1], [SLOT, SLOT, SLOT])
    assert list(laid.origin) == [0, 1, 0]


def test_a_spread_goes_by_the_layer_below_only_where_that_is_complete_and_not_zero() -> None:
    spread = signed(Spread(0, 3 * SLOT, "grid", 100))
    assert list(overlay(spread, [sheet(1, 1, 2)], {})[0].sheet.mwh) == [25, 25, 50]
    assert list(overlay(spread, [sheet(1, None, 2)], {})[0].sheet.mwh) == [33, 33, 34]
    assert list(overlay(spread, [sheet(0, 0, 0)], {})[0].sheet.mwh) == [33, 33, 34]


def test_a_spread_by_time_over_slots_of_two_lengths() -> None:
    below = [sheet(None, None), sheet(None, None, None, start=2 * SLOT, slot=300_000)]
    laid = overlay(signed(Spread(0, 3 * SLOT, "grid", 90)), below, {})
    assert [list(each.sheet.mwh) for each in laid] == [[30, 30], [10, 10, 10]]


def test_a_scale_is_exact_in_sum_and_leaves_missing_slots_alone() -> None:
    [laid] = overlay(signed(IntervalScale(0, 4 * SLOT, "grid", "1/3")), [sheet(10, None, 10, 10)], {})
    assert list(laid.sheet.mwh) == [3, 0, 3, 4]
    assert list(laid.origin) == [1, 0, 1, 1]


def test_replace_takes_what_the_other_has() -> None:
    other = {"check": [sheet(2, None, 6)]}
    [laid] = overlay(signed(Replace(0, 3 * SLOT, "grid", "check", "1.5")), [sheet(10, 10, 10)], other)
    assert list(laid.sheet.mwh) == [3, 10, 9]
    assert list(laid.origin) == [1, 0, 1]


def test_confirm_books_exactly_the_step_into_the_time_that_is_free() -> None:
    below = sheet(10, None, None, 10)
    below.measured_ms[0] = below.measured_ms[3] = SLOT // 2
    step = Confirm(0, 4 * SLOT, "grid", SLOT // 2, 3 * SLOT + SLOT // 2, 1000)
    [laid] = overlay(signed(step), [below], {})
    assert sum(laid.sheet.mwh) == 1020
    assert list(laid.sheet.measured_ms) == [SLOT] * 4
    [again] = overlay(signed(step), [sheet(10, 20, 30, 40)], {})
    assert (list(again.sheet.mwh), list(again.origin)) == ([10, 20, 30, 40], [0] * 4)  # booked below by now: not twice


def test_corrections_apply_in_order_of_their_numbers() -> None:
    total, scale = SetTotal(0, SLOT, "grid", 100), IntervalScale(0, SLOT, "grid", "2")
    assert overlay(signed(total, scale), [sheet(5)], {})[0].sheet.mwh[0] == 200
    assert overlay(signed(scale, total), [sheet(5)], {})[0].sheet.mwh[0] == 100


def test_an_extent_takes_in_what_reaches_into_it_and_what_reaches_into_that() -> None:
    made = signed(SetTotal(0, 40, "g", 1), SetTotal(30, 80, "g", 1), SetTotal(90, 99, "g", 1))
    assert extent(made, 10, 20) == (0, 80)
    assert extent(made, 80, 85) == (80, 85)


slots = st.lists(st.one_of(st.none(), st.integers(0, 10**7)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(slots, st.integers(0, 10**9), st.booleans(), st.data())
def test_the_energy_stated_is_there_to_the_last_mwh_and_none_is_negative(below: list, mwh: int, flat: bool, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(below) - 1))
    high = data.draw(st.integers(low + 1, len(below)))
    kind = Spread if flat else SetTotal
    [laid] = overlay(signed(kind(low * SLOT, high * SLOT, "grid", mwh)), [sheet(*below)], {})
    assert sum(laid.sheet.mwh[low:high]) == mwh
    assert min(laid.sheet.mwh) >= 0
    assert laid.sheet.mwh[:low] == sheet(*below).mwh[:low]
    assert laid.sheet.mwh[high:] == sheet(*below).mwh[high:]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 3 * SLOT), st.integers(1, 9 * SLOT))
def test_a_confirmed_step_is_booked_exactly_when_all_its_time_is_free(mwh: int, from_ms: int, long_ms: int) -> None:
    count = -(-(from_ms + long_ms) // SLOT)
    below = sheet(*[None] * count)
    [laid] = overlay(signed(Confirm(0, count * SLOT, "grid", from_ms, from_ms + long_ms, mwh)), [below], {})
    assert sum(laid.sheet.mwh) == mwh
    assert sum(laid.sheet.measured_ms) == long_ms
    assert below.mwh == array("q", [0] * count)
