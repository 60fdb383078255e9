"""A register that may fall by design (net metering): every step counts, up as the positive part, down as the negative one.

There is no register to be wound back, so no rule but plausibility: a step that is not plausible is suspect, in either
direction. Every state is firm.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ohmstead.plugins.ledger.derive.counter import LONGEST_SPREAD_MS, SURE, TOO_LARGE
from ohmstead.plugins.ledger.derive.register import integers
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.tally import Quality, Tally
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid


class NetWalk:
    """See walk.py."""

    def __init__(self, rules: Rules, grid: Grid, state: State | None) -> None:
        self._rules = rules
        self._tally = Tally(grid)
        self.checkpoints: list[State] = []
        self.verdicts: list[Verdict] = []
        if state is None and rules.opening is not None:
            state = State(rules.start_ms, rules.start_ms, rules.opening, rules.start_ms)
        if state is not None:
            self._tally.resume(state)
        self.from_ms = None if state is None else grid.start(state.kept_ms)
        self.head = state

    @property
    def days(self) -> dict[int, Sheet]:
        """See walk.py."""
        return self._tally.days

    def feed(self, readings: Sequence[tuple[int, float | Fraction]]) -> None:
        """See walk.py."""
        values = integers((value for _, value in readings), self._rules.factor)
        for (at_ms, _), value in zip(readings, values, strict=True):
            self._step(at_ms, value)

    def finish(self) -> None:
        """See walk.py."""
        head = self.head
        if self._rules.closing is not None and self._rules.end_ms is not None:
            self._step(self._rules.end_ms, self._rules.closing)
        self._tally.write()
        self.head = head

    def _step(self, at_ms: int, value: int) -> None:
        if abs(value) >= TOO_LARGE:
            return
        tally, before = self._tally, self.head
        if before is None:
            tally.kept_ms = at_ms
            tally.open(at_ms)
        else:
            self._move(before, at_ms, value)
        self.head = tally.state(value, at_ms, at_ms)

    def _move(self, before: State, at_ms: int, value: int) -> None:
        span_ms, step = at_ms - before.kept_ms, value - before.value
        if at_ms // DAY_MS != before.kept_ms // DAY_MS:
            self.checkpoints.append(before)
        plausible = abs(step) <= SURE or abs(step) * HOUR_MS <= self._rules.plausible_per_h * span_ms
        late = span_ms > self._rules.longest_gap_ms
        amount = self._rules.part_of(step)
        if not plausible or late:
            self.verdicts.append(Verdict(at_ms, "gap" if plausible else "suspect", before.kept_ms, before.value, value, amount))
        if plausible and span_ms <= LONGEST_SPREAD_MS:
            self._tally.spread(at_ms, amount, Quality.ESTIMATED if late else Quality.MEASURED)
        else:
            self._tally.skip(at_ms)
