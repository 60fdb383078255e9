"""Energy put into slots as time goes on: one slot is open, those before it are written."""

from __future__ import annotations

from enum import IntEnum

from ohmstead.plugins.ledger.derive.state import State
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid


class Quality(IntEnum):
    """How energy came to be known; the greater the worse."""

    MEASURED = 0
    ESTIMATED = 1
    RESET = 2


class Tally:
    """The open slot, and `days`: a sheet for every UTC day (counted from 1970) into which something was written.

    An amount is in mWh times `per`: gauges count mW × ms and round once, half to even, when a slot is written.
    """

    __slots__ = ("_grid", "_per", "_slot_ms", "_start_ms", "amount", "days", "end_ms", "estimated_ms", "kept_ms", "measured_ms", "reset_ms")

    def __init__(self, grid: Grid, per: int = 1) -> None:
        self.days: dict[int, Sheet] = {}
        self._grid = grid
        self._per = per
        self.kept_ms = 0
        self.open(0)

    def open(self, at_ms: int) -> None:
        """Open the slot of an instant, empty."""
        self._slot_ms = self._grid.slot_ms(at_ms)
        self._start_ms = at_ms - at_ms % self._slot_ms
        self.end_ms = self._start_ms + self._slot_ms
        self.amount = self.measured_ms = self.estimated_ms = self.reset_ms = 0

    def resume(self, state: State) -> None:
        """Open the slot of the last kept reading as it was then."""
        self.kept_ms = state.kept_ms
        self.open(state.kept_ms)
        self.amount, self.measured_ms = state.amount, state.measured_ms
        self.estimated_ms, self.reset_ms = state.estimated_ms, state.reset_ms

    def state(self, value: int, rose_ms: int, until_ms: int) -> State:
        """What `resume` takes."""
        return State(self.kept_ms, until_ms, value, rose_ms, self.amount, self.measured_ms, self.estimated_ms, self.reset_ms)

    def spread(self, to_ms: int, amount: int, quality: Quality) -> None:
        """Put an amount between the last kept instant and this one, in proportion to time.

        What the slots up to one get together is rounded down, so nothing is lost.
        """
        from_ms = position = self.kept_ms
        done = 0
        while position < to_ms:
            edge = min(self.end_ms, to_ms)
            upto = amount * (edge - from_ms) // (to_ms - from_ms)
            self.amount += upto - done
            self._cover(edge - position, quality)
            done, position = upto, edge
            if edge == self.end_ms:
                self._turn(edge)
        self.kept_ms = to_ms

    def skip(self, to_ms: int) -> None:
        """Leave the time until an instant uncovered."""
        if to_ms >= self.end_ms:
            self._turn(to_ms)
        self.kept_ms = to_ms

    def write(self) -> None:
        """Write the open slot into its day; it stays open."""
        if not (self.measured_ms or self.estimated_ms or self.reset_ms):
            return
        sheet, at = place(self.days, self._grid, self._start_ms)
        sheet.mwh[at] = self.amount if self._per == 1 else half_even(self.amount, self._per)
        sheet.measured_ms[at], sheet.estimated_ms[at], sheet.reset_ms[at] = self.measured_ms, self.estimated_ms, self.reset_ms

    def _turn(self, at_ms: int) -> None:
        self.write()
        self.open(at_ms)

    def _cover(self, time_ms: int, quality: Quality) -> None:
        if quality is Quality.MEASURED:
            self.measured_ms += time_ms
        elif quality is Quality.ESTIMATED:
            self.estimated_ms += time_ms
        else:
            self.reset_ms += time_ms


def place(days: dict[int, Sheet], grid: Grid, at_ms: int) -> tuple[Sheet, int]:
    """The sheet of an instant's UTC day, made when there is none, and which of its slots the instant lies in."""
    day, within = divmod(at_ms, DAY_MS)
    sheet = days.get(day)
    if sheet is None:
        slot_ms = grid.slot_ms(at_ms)
        sheet = days[day] = Sheet.empty(day * DAY_MS, slot_ms, DAY_MS // slot_ms)
    return sheet, within // sheet.slot_ms


def half_even(amount: int, per: int) -> int:
    """amount / per, rounded half to even."""
    whole, rest = divmod(amount, per)
    return whole + (2 * rest > per or (2 * rest == per and whole % 2))
