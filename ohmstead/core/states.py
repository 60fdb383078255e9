"""The live state: the latest reading of each series, with the three times a reader needs."""

from __future__ import annotations

from collections.abc import Iterator

from ohmstead.core.bus import Bus
from ohmstead.core.events import StateChanged, StateNoted, StateReported
from ohmstead.core.model import Cell, Series, State


class States:
    """The latest State of every series, and the events that say it moved."""

    def __init__(self, bus: Bus) -> None:
        self._publish, self._heard = bus.publish, bus.heard
        self._cells: dict[Series, Cell] = {}

    def get(self, series: Series) -> State | None:
        """The state of a series, or None before its first reading."""
        cell = self._cells.get(series)
        return None if cell is None else cell.state

    def __iter__(self) -> Iterator[State]:
        return (cell.state for cell in self._cells.values())

    def __len__(self) -> int:
        return len(self._cells)

    def set(self, series: Series, value: float | str, at_ms: int, now_ms: int) -> None:
        """Take one reading that arrived at `now_ms`. Only one newer than the state moves it and is published."""
        cell = self._cells.get(series)
        if cell is None:
            self._begin(series, value, at_ms, now_ms)
            return
        old = cell.state
        if at_ms <= old.updated_ms:
            cell.state = State(series, old.value, old.changed_ms, old.updated_ms, now_ms, old.restored)
            return
        if old.value == value:
            cell.state = new = State(series, value, old.changed_ms, at_ms, now_ms)
            if StateReported in self._heard:
                self._publish(StateReported(new, old))
        else:
            cell.state = new = State(series, value, at_ms, at_ms, now_ms)
            if StateChanged in self._heard:
                self._publish(StateChanged(new, old))
        if not (value.__class__ is float and cell.low <= value <= cell.high) and StateNoted in self._heard:
            self._publish(StateNoted(new, old, cell))

    def seed(self, series: Series, value: float | str, at_ms: int) -> None:
        """Fill an empty state with a value whose own time nobody knows; a state that is there stays."""
        if series not in self._cells:
            self._begin(series, value, at_ms, at_ms)

    def restore(self, state: State) -> None:
        """Put back a state after a restart; nothing is published."""
        self._cells.setdefault(state.series, Cell(state))

    def forget(self, device: str) -> None:
        """Drop the states of a device that left the registry."""
        for series in [series for series in self._cells if series.device == device]:
            del self._cells[series]

    def _begin(self, series: Series, value: float | str, at_ms: int, now_ms: int) -> None:
        new = State(series, value, at_ms, at_ms, now_ms)
        cell = self._cells[series] = Cell(new)
        self._publish(StateChanged(new, None))
        self._publish(StateNoted(new, None, cell))
