"""One track as the hub keeps it, in memory: readings arrive in any order, and what they touch is derived again."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.walk import begin
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid


class Track:
    def __init__(self, rules: Rules, grid: Grid) -> None:
        self.rules, self.grid = rules, grid
        self.days: dict[int, Sheet] = {}
        self.verdicts: list[Verdict] = []
        self.states: dict[int, State] = {}  # checkpoints by day, the head under its own
        self._values: dict[int, Any] = {}
        self._ats: list[int] = []
        self.resumed_ms: int | None = None  # where the last derivation went on

    def arrive(self, rows: list[tuple[int, Any]]) -> None:
        """Store some readings, of which each instant counts once, and derive from there."""
        new = {at: value for at, value in reversed(rows) if at not in self._values}
        if not new:
            return
        self._values |= new
        self._ats = sorted(self._values)
        self.derive(min(new))

    def remove(self, at_ms: int) -> None:
        """A reading is void."""
        del self._values[at_ms]
        self._ats = sorted(self._values)
        self.derive(at_ms)

    def derive(self, changed_ms: int) -> None:
        state = max((state for state in self.states.values() if state.until_ms < changed_ms), key=lambda state: state.kept_ms, default=None)
        self.resumed_ms = state and state.kept_ms
        walk = begin(self.rules, self.grid, state)
        after = self._ats[bisect_right(self._ats, state.kept_ms) :] if state else self._ats
        for start in range(0, len(after), 7):
            walk.feed([(at, self._values[at]) for at in after[start : start + 7]])
        walk.finish()
        self._replace_slots(walk.from_ms, walk.days)
        kept_ms = state.kept_ms if state else self._ats[0] - 1 if self._ats else 0
        self.verdicts = [verdict for verdict in self.verdicts if state and verdict.at_ms <= kept_ms] + walk.verdicts
        self.states = {day: old for day, old in self.states.items() if state and day < kept_ms // DAY_MS}
        for found in [*walk.checkpoints, walk.head]:
            if found:
                self.states[found.kept_ms // DAY_MS] = found

    def _replace_slots(self, from_ms: int | None, derived: dict[int, Sheet]) -> None:
        if from_ms is None:
            self.days = derived
            return
        first = from_ms // DAY_MS
        kept = {day: sheet for day, sheet in self.days.items() if day < first}
        if first in self.days or first in derived:
            kept[first] = self._spliced(self.days.get(first), derived.get(first), from_ms)
        later = {day: sheet for day, sheet in derived.items() if day > first}
        self.days = {day: sheet for day, sheet in (kept | later).items() if any(sheet.measured_ms) or any(sheet.estimated_ms) or any(sheet.reset_ms)}

    def _spliced(self, old: Sheet | None, new: Sheet | None, from_ms: int) -> Sheet:
        slot_ms = self.grid.slot_ms(from_ms)
        empty = Sheet.empty(from_ms // DAY_MS * DAY_MS, slot_ms, DAY_MS // slot_ms)
        before, after = old or empty, new or empty
        place = (from_ms - before.start_ms) // slot_ms
        columns = [getattr(before, name)[:place] + getattr(after, name)[place:] for name in ("mwh", "measured_ms", "estimated_ms", "reset_ms", "source")]
        return Sheet(before.start_ms, slot_ms, *columns)
