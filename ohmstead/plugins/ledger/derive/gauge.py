"""Power, integrated exactly: a value holds until the next reading, at most the longest gap; the rest is missing.

mW × ms are added up as integers, of the part that counts, and rounded once for every slot. What is held after the last
reading is not booked, so nothing ever has to be taken back and every state is firm. A power beyond the plausible
maximum is suspect: what it would come to is not booked, and its time is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ohmstead.plugins.ledger.derive.register import integers
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.tally import Quality, Tally, half_even
from ohmstead.plugins.ledger.points.bindings import Part
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid


class GaugeWalk:
    """See walk.py."""

    def __init__(self, rules: Rules, grid: Grid, state: State | None) -> None:
        self._rules = rules
        self._tally = Tally(grid, HOUR_MS)
        self._held: int | None = None
        self.checkpoints: list[State] = []
        self.verdicts: list[Verdict] = []
        if state is not None:
            self._held = state.value
            self._tally.resume(state)
        self.from_ms = None if state is None else grid.start(state.kept_ms)

    @property
    def days(self) -> dict[int, Sheet]:
        """See walk.py."""
        return self._tally.days

    @property
    def head(self) -> State | None:
        """See walk.py."""
        return None if self._held is None else self._tally.state(self._held, 0, self._tally.kept_ms)

    def feed(self, readings: Sequence[tuple[int, float | Fraction]]) -> None:
        """See walk.py."""
        if not readings:
            return
        powers = integers((value for _, value in readings), self._rules.factor)
        if self._held is None:
            self._tally.kept_ms = readings[0][0]
            self._tally.open(readings[0][0])
            self._held = powers[0]
            readings, powers = readings[1:], powers[1:]
        self._run([at for at, _ in readings], powers)

    def finish(self) -> None:
        """See walk.py."""
        self._tally.write()

    def _run(self, ats: list[int], powers: list[int]) -> None:
        """The loop itself knows short holds within one slot only."""
        tally, gap_ms, limit = self._tally, self._rules.longest_gap_ms, self._rules.plausible_per_h
        assert self._held is not None
        held, counted = self._held, self._rules.part_of(self._held)
        kept_ms, end_ms, amount, measured_ms = tally.kept_ms, tally.end_ms, tally.amount, tally.measured_ms
        for at_ms, power, counts in zip(ats, powers, self._counted(powers), strict=True):
            hold_ms = at_ms - kept_ms
            if at_ms < end_ms and hold_ms <= gap_ms and -limit <= held <= limit:
                amount += counted * hold_ms
                measured_ms += hold_ms
            else:
                tally.kept_ms, tally.amount, tally.measured_ms = kept_ms, amount, measured_ms
                self._hold(at_ms, held, power)
                end_ms, amount, measured_ms = tally.end_ms, tally.amount, tally.measured_ms
            kept_ms, held, counted = at_ms, power, counts
        self._held = held
        tally.kept_ms, tally.amount, tally.measured_ms = kept_ms, amount, measured_ms

    def _counted(self, powers: list[int]) -> list[int]:
        """What of each power counts."""
        if self._rules.part is not Part.NEGATIVE and min(powers, default=0) >= 0:
            return powers
        return [self._rules.part_of(power) for power in powers]

    def _hold(self, at_ms: int, held: int, power: int) -> None:
        """Book the power held until the reading at `at_ms`."""
        tally, kept_ms = self._tally, self._tally.kept_ms
        if at_ms // DAY_MS != kept_ms // DAY_MS:
            self.checkpoints.append(tally.state(held, 0, kept_ms))
        hold_ms = min(at_ms - kept_ms, self._rules.longest_gap_ms)
        amount = self._rules.part_of(held) * hold_ms
        if abs(held) > self._rules.plausible_per_h:
            self.verdicts.append(Verdict(at_ms, "suspect", kept_ms, held, power, half_even(amount, HOUR_MS)))
        else:
            tally.spread(kept_ms + hold_ms, amount, Quality.MEASURED)
            if kept_ms + hold_ms < at_ms:
                self.verdicts.append(Verdict(at_ms, "gap", kept_ms + hold_ms, held, power, 0))
        tally.skip(at_ms)
