"""The live state: the latest reading of each series, with the three times a reader needs."""

from __future__ import annotations

from collections.abc import Iterator

from ohmstead.core.bus import Bus
from ohmstead.core.events import StateChanged, StateReported
from ohmstead.core.model import Series, State


class States:
    """The latest State of every series, and the events that say it moved."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._by_series: dict[Series, State] = {}

    def get(self, series: Series) -> State | None:
        """The state of a series, or None before its first reading."""
        return self._by_series.get(series)

    def __iter__(self) -> Iterator[State]:
        return iter(self._by_series.values())

    def __len__(self) -> int:
        return len(self._by_series)

    def set(self, series: Series, value: float | str, at_ms: int, now_ms: int) -> None:
        """Take one reading that arrived at `now_ms`. Only one newer than the state moves it and is published."""
        old = self._by_series.get(series)
        if old is None:
            new = State(series, value, at_ms, at_ms, now_ms)
        elif at_ms <= old.updated_ms:
            self._by_series[series] = State(series, old.value, old.changed_ms, old.updated_ms, now_ms, old.restored)
            return
        elif old.value == value:
            self._by_series[series] = new = State(series, value, old.changed_ms, at_ms, now_ms)
            self._bus.publish(StateReported(new, old))
            return
        else:
            new = State(series, value, at_ms, at_ms, now_ms)
        self._by_series[series] = new
        self._bus.publish(StateChanged(new, old))

    def seed(self, series: Series, value: float | str, at_ms: int) -> None:
        """Fill an empty state with a value whose own time nobody knows; a state that is there stays."""
        if series not in self._by_series:
            self._by_series[series] = new = State(series, value, at_ms, at_ms, at_ms)
            self._bus.publish(StateChanged(new, None))

    def restore(self, state: State) -> None:
        """Put back a state after a restart; nothing is published."""
        self._by_series.setdefault(state.series, state)

    def forget(self, device: str) -> None:
        """Drop the states of a device that left the registry."""
        for series in [series for series in self._by_series if series.device == device]:
            del self._by_series[series]
