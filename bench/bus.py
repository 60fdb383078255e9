"""Events a second through the bus, against a bare loop over the listeners and against Home Assistant."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.peer import peer
from bench.row import Beside, Row, rounds, side_by_side
from ohmstead.core.bus import Bus
from ohmstead.core.events import Event

ROUNDS = rounds(7)
MAKE = 200_000  # events that are made and published in one round


class Ticked(Event, frozen=True, gc=False):
    """The event that is published."""

    value: int


def through_bus(listeners: list[Callable[[Ticked], None]], count: int) -> float:
    """Events a second: each is made and published."""
    bus = Bus()
    for listener in listeners:
        bus.subscribe(Ticked, listener)
    publish = bus.publish
    start = time.perf_counter()
    for value in range(count):
        publish(Ticked(value))
    return count / (time.perf_counter() - start)


def through_loop(listeners: list[Callable[[Ticked], None]], count: int) -> float:
    """The limit: the same events, made and handed to each listener in a bare loop, a raising one not contained."""
    held = tuple(listeners)
    start = time.perf_counter()
    for value in range(count):
        event = Ticked(value)
        for listener in held:
            listener(event)
    return count / (time.perf_counter() - start)


def measure() -> list[Row]:
    """One row for one listener, one for ten."""
    theirs = peer("bus")
    return [_row(1, 1_000_000, theirs), _row(10, 400_000, theirs)]


def _row(number: int, wanted: float, theirs: dict[str, float]) -> Row:
    count = MAKE if number == 1 else MAKE // 2
    listeners: list[Callable[[Ticked], None]] = [_plain() for _ in range(number)]
    pairs = [(through_bus(listeners, count), through_loop(listeners, count)) for _ in range(ROUNDS)]
    limit, ratios = side_by_side("a bare loop", [ours for ours, _ in pairs], [bare for _, bare in pairs], 0.4)
    return Row(
        f"bus, {number} listener{'s' if number > 1 else ''}", "events/s", statistics.median(ours for ours, _ in pairs), wanted,
        (limit, Beside("Home Assistant 2024.3.3", theirs.get(f"bus {number}"), 5)), ratios=ratios,
    )  # fmt: skip


def _plain() -> Callable[[Ticked], None]:
    def listener(event: Ticked) -> None:
        pass

    return listener


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
