from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.bus import Bus
from ohmstead.core.events import StateChanged, StateReported
from ohmstead.core.model import Series, State
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States

POWER = Quantities()["power"]


def house() -> tuple[States, Series, list[object]]:
    bus, seen = Bus(), []
    for kind in (StateChanged, StateReported):
        bus.subscribe(kind, seen.append)
    return States(bus), Series("plug", POWER), seen


def test_three_times() -> None:
    states, plug, seen = house()
    states.set(plug, 5.0, 1000, 1001)
    states.set(plug, 5.0, 2000, 2002)
    states.set(plug, 6.0, 3000, 3003)
    assert [type(event) for event in seen] == [StateChanged, StateReported, StateChanged]
    assert seen[1].new == State(plug, 5.0, 1000, 2000, 2002)
    assert states.get(plug) == State(plug, 6.0, 3000, 3000, 3003)
    assert list(states) == [states.get(plug)]


def test_a_late_reading_moves_only_the_time_of_arrival() -> None:
    states, plug, seen = house()
    states.set(plug, 5.0, 2000, 2001)
    states.set(plug, 9.0, 1000, 5000)
    states.set(plug, 9.0, 2000, 6000)
    assert states.get(plug) == State(plug, 5.0, 2000, 2000, 6000)
    assert len(seen) == 1


def test_a_restored_state_fires_nothing_and_the_next_reading_clears_the_mark() -> None:
    states, plug, seen = house()
    states.restore(State(plug, 5.0, 1000, 2000, 2000, restored=True))
    states.restore(State(plug, 7.0, 1000, 2000, 2000, restored=True))
    states.set(plug, 5.0, 2000, 9000)
    assert states.get(plug) == State(plug, 5.0, 1000, 2000, 9000, restored=True)
    assert not seen
    states.set(plug, 5.0, 3000, 9001)
    assert states.get(plug) == State(plug, 5.0, 1000, 3000, 9001)
    assert len(states) == 1


def test_a_seed_fills_only_an_empty_state() -> None:
    states, plug, seen = house()
    states.seed(plug, 5.0, 1000)
    states.seed(plug, 6.0, 2000)
    assert states.get(plug).value == 5.0
    assert len(seen) == 1
    states.forget("plug")
    assert len(states) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-10, 10)), min_size=1))
def test_the_live_state_only_ever_goes_forward(readings: list[tuple[int, float]]) -> None:
    states, plug, seen = house()
    for now_ms, (at_ms, value) in enumerate(readings):
        states.set(plug, value, at_ms, now_ms)
    instants = [event.new.updated_ms for event in seen]
    assert instants == sorted(set(instants))
    newest = max(at_ms for at_ms, _ in readings)
    assert states.get(plug).updated_ms == newest
    assert states.get(plug).value == next(value for at_ms, value in readings if at_ms == newest)
    assert states.get(plug).reported_ms == len(readings) - 1
