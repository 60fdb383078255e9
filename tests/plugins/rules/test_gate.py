"""Gates: durations are decided on the instants of readings, whoever brings it to light that one has passed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn

ABOVE = Comparison("above", 50.0, clear_below=47.0)


def run(readings: list[tuple[int, float]], for_ms: int = 30_000) -> list[tuple[bool, int]]:
    """The turns that readings make, without any clock."""
    turns: list[Turn] = []
    gate = Gate("k", ABOVE, turns.append, for_ms)
    for at_ms, value in readings:
        gate.look(value, at_ms)
    return [(turn.on, turn.at_ms) for turn in turns]


def test_at_once_without_a_duration() -> None:
    assert run([(0, 40), (1, 51), (2, 60), (3, 48), (4, 46), (5, 49), (6, 51)], 0) == [(True, 1), (False, 4), (True, 6)]


def test_it_must_hold_all_the_time() -> None:
    assert run([(0, 51), (20_000, 49), (25_000, 51), (50_000, 52), (55_000, 53)]) == [(True, 55_000)]


def test_the_instant_is_when_it_had_held_long_enough_not_when_that_was_heard() -> None:
    assert run([(0, 51), (100_000, 52)]) == [(True, 30_000)]


def test_a_reading_that_ends_it_later_still_tells_that_it_had_held() -> None:
    assert run([(0, 51), (100_000, 20)]) == [(True, 30_000), (False, 100_000)]


def test_waiting_takes_the_comparison_itself_and_not_its_hysteresis() -> None:
    assert run([(0, 51), (10_000, 48), (20_000, 48), (40_000, 48)]) == []


def test_after_a_restart_the_first_reading_may_say_that_it_was_over() -> None:
    turns: list[Turn] = []
    gate = Gate("k", ABOVE, turns.append, 30_000)
    gate.restore(0, on=False, value=51)
    gate.look(20.0, 100_000)
    assert turns == []
    assert not gate.waiting
    gate.restore(0, on=False, value=51)
    gate.look(51.0, 29_000)
    gate.look(20.0, 100_000)
    assert [(turn.on, turn.at_ms) for turn in turns] == [(True, 30_000), (False, 100_000)]


READINGS = st.lists(st.tuples(st.integers(1, 40_000), st.sampled_from([40.0, 46.0, 48.0, 51.0, 60.0])), max_size=30)


@settings(max_examples=100)
@given(READINGS, st.lists(st.integers(0, 1_200_000), max_size=30))
def test_a_clock_that_rings_changes_nothing_but_when_it_is_heard(steps: list[tuple[int, float]], rings: list[int]) -> None:
    readings, at_ms = [], 0
    for step, value in steps:
        at_ms += step
        readings.append((at_ms, value))
    turns: list[Turn] = []
    gate = Gate("k", ABOVE, turns.append, 30_000)
    for now_ms, value in sorted([*readings, *((ring, None) for ring in rings if ring <= at_ms)], key=lambda each: (each[0], each[1] is None)):
        if value is not None:
            gate.look(value, now_ms)
        elif gate.since_ms is not None and now_ms >= gate.since_ms + 30_000:
            gate.ring()
    assert [(turn.on, turn.at_ms) for turn in turns] == run(readings)
