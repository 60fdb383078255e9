"""Corrections of readings, as a stream: what counts, in which order, and that undoing leaves nothing behind."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.plugins.ledger.corrections.amend import amend, amend_deltas, source, target
from ohmstead.plugins.ledger.corrections.changes import ReadingScale, Shift, Void

SERIES = "meter.energy_import"


def void(start: int, end: int, *instants: int) -> Void:
    return Void(start, end, SERIES, instants)


def shift(start: int, end: int, by: int) -> Shift:
    return Shift(start, end, SERIES, by_ms=by)


def test_a_void_leaves_out_a_span_or_single_instants() -> None:
    readings = [(at, float(at)) for at in range(0, 60, 10)]
    assert [at for at, _ in amend([void(10, 30)], readings)] == [0, 30, 40, 50]
    assert [at for at, _ in amend([void(10, 41, 10, 40)], readings)] == [0, 20, 30, 50]


def test_a_scaled_value_is_exact() -> None:
    [(_, value)] = amend([ReadingScale(0, 10, SERIES, factor="1/1000")], [(5, 45_321_000.1)])
    assert value == Fraction("45321.0001")


def test_a_shift_moves_both_ways_and_keeps_the_order_of_time() -> None:
    readings = [(at, float(at)) for at in range(0, 60, 10)]
    assert list(amend([shift(10, 30, 25)], readings)) == [(0, 0.0), (30, 30.0), (35, 10.0), (40, 40.0), (45, 20.0), (50, 50.0)]
    assert list(amend([shift(30, 50, -25)], readings)) == [(0, 0.0), (5, 30.0), (10, 10.0), (15, 40.0), (20, 20.0), (50, 50.0)]


def test_what_was_there_counts_where_a_moved_reading_lands_on_it() -> None:
    assert list(amend([shift(10, 20, 10)], [(10, 1.0), (20, 2.0)])) == [(20, 2.0)]
    assert list(amend([shift(20, 30, -10)], [(10, 1.0), (20, 2.0)])) == [(10, 1.0)]


def test_changes_apply_in_order_of_their_numbers() -> None:
    later = [shift(0, 10, 100), ReadingScale(100, 110, SERIES, factor="2")]
    assert list(amend(later, [(5, 1.5)])) == [(105, Fraction(3))]
    assert list(amend(later[::-1], [(5, 1.5)])) == [(105, 1.5)]


def test_deltas_are_meant_by_their_whole_period() -> None:
    deltas = [(10, 0, 1.0), (20, 10, 2.0), (30, 20, 4.0)]
    assert list(amend_deltas([void(10, 20)], deltas)) == [(10, 0, 1.0), (30, 20, 4.0)]
    assert list(amend_deltas([void(5, 20)], deltas)) == [(10, 0, 1.0), (30, 20, 4.0)]
    assert list(amend_deltas([shift(0, 10, 10)], deltas)) == [(20, 10, 2.0), (30, 20, 4.0)]
    assert list(amend_deltas([shift(0, 10, 5)], deltas)) == [(15, 5, 1.0), (20, 10, 2.0), (30, 20, 4.0)]


spans = st.tuples(st.integers(0, 200), st.integers(1, 80)).map(lambda pair: (pair[0], pair[0] + pair[1]))
changes = st.lists(
    st.one_of(
        spans.map(lambda s: void(*s)),
        st.tuples(spans, st.integers(-90, 90)).map(lambda p: shift(*p[0], p[1])),
        st.tuples(spans, st.sampled_from(["2", "1/3", "-1"])).map(lambda p: ReadingScale(*p[0], SERIES, factor=p[1])),
    ),
    max_size=4,
)
readings_of = st.dictionaries(st.integers(0, 300), st.sampled_from([1.5, 2.0, 7.25]), max_size=40).map(lambda found: sorted(found.items()))


@settings(max_examples=120, deadline=None)
@given(changes, readings_of)
def test_amended_readings_are_in_order_and_one_each_instant(made: list, readings: list) -> None:
    found = [at for at, _ in amend(made, readings)]
    assert found == sorted(set(found))


@settings(max_examples=120, deadline=None)
@given(changes, readings_of, spans)
def test_the_source_of_a_span_is_all_that_counts_in_it(made: list, readings: list, span: tuple[int, int]) -> None:
    low, high = source(made, *span)
    part = [reading for reading in readings if low <= reading[0] < high]
    here = [r for r in amend(made, readings) if span[0] <= r[0] < span[1]]
    assert [r for r in amend(made, part) if span[0] <= r[0] < span[1]] == here


@settings(max_examples=120, deadline=None)
@given(changes, readings_of, st.integers(0, 300))
def test_the_target_of_an_instant_is_all_a_reading_there_may_change(made: list, readings: list, at: int) -> None:
    low, high = target(made, at, at + 1)
    without = [reading for reading in readings if reading[0] != at]
    with_it = sorted([*without, (at, 9.0)])
    outside = [[r for r in amend(made, each) if not low <= r[0] < high] for each in (without, with_it)]
    assert outside[0] == outside[1]
