"""State changes a second with one listener, against Home Assistant."""

from __future__ import annotations

import statistics
import time

from bench.peer import peer
from bench.row import Beside, Row, rounds
from ohmstead.core.bus import Bus
from ohmstead.core.events import StateChanged
from ohmstead.core.model import Series
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States

ROUNDS = rounds(7)
SERIES = 1000
CHANGES = 200


def changes_a_second() -> float:
    """Every set changes the value and reaches the listener."""
    bus = Bus()
    states = States(bus)
    power = Quantities().get("power")
    assert power is not None
    series = [Series(f"meter-{number}", power) for number in range(SERIES)]

    def listener(event: StateChanged) -> None:
        pass

    bus.subscribe(StateChanged, listener)
    for one in series:
        states.set(one, 0.0, 0, 0)
    start = time.perf_counter()
    for change in range(1, CHANGES + 1):
        value = float(change)
        for one in series:
            states.set(one, value, change, change)
    return SERIES * CHANGES / (time.perf_counter() - start)


def measure() -> list[Row]:
    """One row."""
    rate = statistics.median(changes_a_second() for _ in range(ROUNDS))
    theirs = peer("states").get("states 1")
    return [Row("state set, 1 listener", "sets/s", rate, 400_000, (Beside("Home Assistant 2024.3.3", theirs, 4),))]


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
