"""The index, deadlines on the clock, and what of them outlives a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.bus import Bus
from ohmstead.core.clock import ManualClock
from ohmstead.core.events import StateNoted
from ohmstead.core.model import Series
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.core.states import States
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.tables import TABLES
from ohmstead.plugins.rules.watch import SETTLE_S, Watches
from tests.fakes.stored_house import StoredHouse

POWER = Quantity("power", "W", Kind.GAUGE, "power")
ABOVE = Comparison("above", 50.0)


class Room:
    """Watches over live states."""

    def __init__(self, house: StoredHouse) -> None:
        self.house, self.clock = house, house.clock
        self.turns: list[Turn] = []
        self.begin()

    def begin(self) -> None:
        """As after a restart."""
        self.bus = Bus()
        self.states = States(self.bus)
        self.watches = Watches(self.clock, self.house.storage)
        self.watches.listen(self.bus)
        self.series = Series("D1", POWER)

    def gate(self, for_ms: int = 30_000) -> Gate:
        gate = self.watches.gate("k", ABOVE, self.turns.append, for_ms)
        self.watches.watch("D1.power", gate)
        return gate

    def say(self, value: float, at_ms: int | None = None) -> None:
        now = self.clock.now_ms()
        self.states.set(self.series, value, now if at_ms is None else at_ms, now)

    async def wait(self, for_s: float) -> None:
        assert isinstance(self.clock, ManualClock)
        await self.clock.advance(for_s)
        self.watches.ring()

    async def restart(self) -> None:
        await self.watches.flush()
        self.begin()
        await self.watches.open()


@pytest.fixture
async def room(storage_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    house = StoredHouse(storage_url, tmp_path / "data")
    await house.storage.open([DEVICES, TABLES])
    yield Room(house)
    await house.storage.close()


def test_a_reading_costs_only_the_rules_of_its_own_series() -> None:
    watches, bus, calls = Watches(ManualClock()), Bus(), []
    watches.listen(bus)
    states, here = States(bus), Series("D1", POWER)
    for number in range(1000):
        watches.watch(f"D{number}.power", lambda new, old, number=number: calls.append(number))
    states.set(here, 1.0, 1, 1)
    states.set(here, 1.0, 2, 2)
    assert calls == [1, 1]
    unwatch = watches.watch("D1.power", lambda new, old: calls.append("late"))
    states.set(here, 2.0, 3, 3)
    unwatch()
    states.set(here, 3.0, 4, 4)
    assert calls == [1, 1, 1, "late", 1]


def test_a_device_that_left_and_came_back_is_still_watched() -> None:
    watches, bus, calls = Watches(ManualClock()), Bus(), []
    watches.listen(bus)
    watches.watch("D1.power", lambda new, old: calls.append(new.value))
    for series in (Series("D1", POWER), Series("D1", POWER)):
        States(bus).set(series, 5.0, 1, 1)
    assert calls == [5.0, 5.0]


def test_late_readings_move_nothing() -> None:
    watches, bus, calls = Watches(ManualClock()), Bus(), []
    watches.listen(bus)
    watches.watch("D1.power", lambda new, old: calls.append(new.value))
    states, series = States(bus), Series("D1", POWER)
    states.set(series, 1.0, 100, 100)
    states.set(series, 99.0, 50, 101)
    assert calls == [1.0]


def test_what_lies_between_the_thresholds_is_not_even_heard() -> None:
    watches, bus, heard, turns = Watches(ManualClock()), Bus(), [], []
    bus.subscribe(StateNoted, lambda event: heard.append(event.new.value))
    watches.listen(bus)
    states, series = States(bus), Series("D1", POWER)
    for number, comparison in enumerate((ABOVE, Comparison("below", 10.0), Comparison("between", 20.0, 30.0))):
        watches.watch("D1.power", watches.gate(str(number), comparison, lambda turn: turns.append((turn.key, turn.on))))
    for at_ms, value in enumerate([40.0, 41.0, 50.0, 50.1, 90.0, 50.0, 30.5, 30.0, 25.0, 20.0, 5.0, 40.0, 41.0]):
        states.set(series, value, at_ms, at_ms)
    assert heard == [40.0, 50.1, 90.0, 50.0, 30.5, 30.0, 25.0, 5.0, 40.0, 41.0]  # one after each turn sets the band anew
    assert turns == [("0", True), ("0", False), ("2", True), ("1", True), ("2", False), ("1", False)]


NUMBERS = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 5e-324, 1.0, 2.0, 3.0])
COMPARISONS = st.one_of(
    st.builds(Comparison, st.sampled_from(["above", "at_least", "below", "at_most", "equals", "differs"]), NUMBERS),
    st.builds(lambda low: Comparison("between", low, low + 1), NUMBERS),
    st.builds(lambda x, by: Comparison("above", x, clear_below=x - by), NUMBERS, st.sampled_from([0.0, 1.0])),
    st.builds(lambda x, by: Comparison("at_most", x, clear_above=x + by), NUMBERS, st.sampled_from([0.0, 1.0])),
    st.builds(lambda x: Comparison("between", x, x + 1, x - 1, x + 2), NUMBERS),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(COMPARISONS, st.sampled_from([0, 2])), max_size=4), st.lists(NUMBERS, max_size=25))
def test_bands_change_nothing_of_what_gates_decide(stated: list[tuple[Comparison, int]], values: list[float]) -> None:
    watches, bus = Watches(ManualClock()), Bus()
    watches.listen(bus)
    states, series, told, plain = States(bus), Series("D1", POWER), list[Turn](), list[Turn]()
    gates = [Gate(str(number), comparison, plain.append, for_ms) for number, (comparison, for_ms) in enumerate(stated)]
    for number, (comparison, for_ms) in enumerate(stated):
        watches.watch("D1.power", watches.gate(str(number), comparison, told.append, for_ms))
    for at_ms, value in enumerate(values):
        states.set(series, value, at_ms, at_ms)
        for gate in gates:
            gate.look(value, at_ms)
    assert told == plain


def test_a_gate_that_is_changed_from_outside_hears_the_next_reading() -> None:
    watches, bus, turns = Watches(ManualClock()), Bus(), []
    watches.listen(bus)
    states, series = States(bus), Series("D1", POWER)
    gate = watches.gate("k", ABOVE, lambda turn: turns.append(turn.on))
    watches.watch("D1.power", gate)
    states.set(series, 60.0, 1, 1)
    gate.reset()
    states.set(series, 61.0, 2, 2)
    gate.look(40.0, 3)
    states.set(series, 62.0, 4, 4)
    assert turns == [True, True, False, True]


async def test_a_value_that_holds_without_another_reading_rings(room: Room) -> None:
    room.gate()
    began = room.clock.now_ms()
    room.say(60)
    await room.wait(29)
    assert room.turns == []
    await room.wait(2)
    assert [(turn.on, turn.at_ms, turn.value) for turn in room.turns] == [(True, began + 30_000, 60.0)]


async def test_half_a_duration_outlives_a_restart(room: Room) -> None:
    room.gate()
    began = room.clock.now_ms()
    room.say(60)
    await room.wait(15)
    await room.restart()
    gate = room.gate()
    assert gate.waiting
    await room.wait(14)
    assert room.turns == []
    await room.wait(2)
    assert [(turn.on, turn.at_ms) for turn in room.turns] == [(True, began + 30_000)]


async def test_what_was_settled_is_not_told_again_and_what_was_not_is(room: Room) -> None:
    room.gate()
    room.say(60)
    await room.wait(15)
    await room.watches.flush()
    await room.wait(16)
    await room.restart()
    room.gate()
    await room.wait(SETTLE_S + 1)
    assert [turn.on for turn in room.turns] == [True, True]  # nobody had acted on the first

    async def act(tx: AsyncConnection) -> None:
        await room.watches.settle(tx, room.turns[-1:])

    await room.house.storage.write(act)
    await room.restart()
    gate = room.gate()
    assert gate.on
    room.say(61)
    await room.wait(100)
    assert len(room.turns) == 2
    room.say(10)
    assert [turn.on for turn in room.turns] == [True, True, False]


async def test_a_gate_that_waits_again_before_its_end_is_settled_keeps_its_row(room: Room) -> None:
    room.gate()
    room.say(60)
    await room.wait(31)
    room.say(10)
    await room.wait(1)
    room.say(60)
    await room.watches.flush()
    await room.house.storage.write(lambda tx: room.watches.settle(tx, room.turns))
    await room.wait(15)
    await room.restart()
    assert room.gate().waiting


async def test_setting_the_clock_moves_no_deadline(room: Room) -> None:
    assert isinstance(room.clock, ManualClock)
    room.gate()
    room.say(60)
    room.clock.set(room.clock.now_ms() + 86_400_000)
    await room.wait(1)
    assert room.turns == []
    room.clock.set(room.clock.now_ms() - 2 * 86_400_000)
    await room.wait(28)
    assert room.turns == []
    await room.wait(2)
    assert len(room.turns) == 1


async def test_a_reading_that_comes_late_waits_for_those_behind_it(room: Room) -> None:
    room.gate()
    now = room.clock.now_ms()
    room.say(60, now - 3_600_000)
    await room.wait(0.5)
    assert room.turns == []
    room.say(10, now - 3_599_000)
    await room.wait(10)
    assert room.turns == []
    room.say(60, now - 60_000)
    await room.wait(SETTLE_S + 0.1)
    assert [turn.at_ms for turn in room.turns] == [now - 30_000]


async def test_gates_that_no_rule_has_any_more_leave_no_row(room: Room) -> None:
    gate = room.gate()
    room.say(60)
    await room.watches.flush()
    room.watches.drop(gate)
    await room.restart()
    assert not room.gate().waiting
