"""A register that rises: the seven rules of docs/ledger.md, in order of time, the first that fits decides.

m is the register's maximum since it last started anew, τ = min(0.1 kWh, m/10), W one hour after the reading judged.
Rules 1 and 3 are final at once. The others look at readings within W: they are final when one there decides them, or
when a reading behind W has been seen. Everything is an integer, so m/10 is rounded down, which decides the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction

from ohmstead.core.clock import EARLIEST_MS
from ohmstead.plugins.ledger.derive.register import integers
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.tally import Quality, Tally
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid

WINDOW_MS = HOUR_MS  # W
SURE = 100_000  # mWh: a step this small is plausible however fast it came
LONGEST_SPREAD_MS = 366 * DAY_MS
TOO_LARGE = 4 * 10**18  # no register: it would not fit into 64 bits


class CounterWalk:
    """See walk.py."""

    def __init__(self, rules: Rules, grid: Grid, state: State | None) -> None:
        self._rules = rules
        self._tally = Tally(grid)
        self._ats: list[int] = []  # readings not yet decided
        self._values: list[int] = []
        self._firm = True
        self._begun = False
        self._until_ms = EARLIEST_MS
        self._m, self._rose_ms = TOO_LARGE, 0
        self.checkpoints: list[State] = []
        self.verdicts: list[Verdict] = []
        if state is None and rules.opening is not None:
            state = State(rules.start_ms, rules.start_ms, rules.opening, rules.start_ms)
        if state is not None:
            self._begun = True
            self._m, self._rose_ms, self._until_ms = state.value, state.rose_ms, state.until_ms
            self._tally.resume(state)
        self.from_ms = None if state is None else grid.start(state.kept_ms)
        self.head = state

    @property
    def days(self) -> dict[int, Sheet]:
        """See walk.py."""
        return self._tally.days

    def feed(self, readings: Sequence[tuple[int, float | Fraction]]) -> None:
        """See walk.py."""
        self._ats += [at for at, _ in readings]
        self._values += integers((value for _, value in readings), self._rules.factor)
        done = self._run()
        del self._ats[:done], self._values[:done]
        self.head = self._state() if self._begun else None

    def finish(self) -> None:
        """See walk.py."""
        self._firm = False
        if self._rules.closing is not None and self._rules.end_ms is not None:
            self._ats.append(self._rules.end_ms)
            self._values.append(self._rules.closing)
        self._run()
        self._tally.write()

    def _run(self) -> int:
        """Decide what can be decided; how many readings that was. The loop itself knows rule 1 within one slot only."""
        tally, gap_ms, limit = self._tally, self._rules.longest_gap_ms, self._rules.plausible_per_h
        m, rose_ms, kept_ms, end_ms = self._m, self._rose_ms, tally.kept_ms, tally.end_ms
        amount, measured_ms = tally.amount, tally.measured_ms
        for place, (at_ms, value) in enumerate(zip(self._ats, self._values, strict=True)):
            step = value - m
            if step >= 0 and at_ms < end_ms and at_ms - kept_ms <= gap_ms and (step <= SURE or step * HOUR_MS <= limit * (at_ms - rose_ms)):
                amount += step
                measured_ms += at_ms - kept_ms
                kept_ms = at_ms
                if step:
                    m, rose_ms = value, at_ms
                continue
            self._m, self._rose_ms, tally.kept_ms = m, rose_ms, kept_ms
            tally.amount, tally.measured_ms = amount, measured_ms
            if not self._judge(place, at_ms, value):
                return place
            m, rose_ms, kept_ms, end_ms = self._m, self._rose_ms, tally.kept_ms, tally.end_ms
            amount, measured_ms = tally.amount, tally.measured_ms
        self._m, self._rose_ms, tally.kept_ms = m, rose_ms, kept_ms
        tally.amount, tally.measured_ms = amount, measured_ms
        return len(self._ats)

    def _judge(self, place: int, at_ms: int, value: int) -> bool:
        """Rules 1 to 3, and the first reading of all; whether it is decided."""
        if not 0 <= value < TOO_LARGE:
            self._note("glitch", at_ms, value, 0)
        elif not self._begun:
            self._begun = True
            self._m, self._rose_ms = value, at_ms
            self._tally.kept_ms = at_ms
            self._tally.open(at_ms)
        elif value >= self._m and not self._plausible(value - self._m, at_ms):
            return self._leap(place, at_ms, value)
        elif value >= self._m - self._tau() and (value >= self._m or not self._rules.resets):
            self._book(at_ms, value, max(value - self._m, 0))
        else:
            return self._drop(place, at_ms, value)
        return True

    def _leap(self, place: int, at_ms: int, value: int) -> bool:
        """Rule 2: more than can be."""
        low, high = self._m - self._tau(), value - self._tau()
        window = self._window(place, at_ms)
        proof = next((then_ms for then_ms, later in window if low <= later < high and self._plausible(later - self._m, then_ms)), None)
        if not self._decided(place, at_ms, proof):
            return False
        if proof is None:
            self._lose("suspect", at_ms, value, value - self._m)
        else:
            self._note("spike", at_ms, value, 0)
        return True

    def _drop(self, place: int, at_ms: int, value: int) -> bool:
        """Rules 4 to 7: less than it was."""
        if not self._rules.resets:
            low = self._m - self._tau()
            proof = next((then_ms for then_ms, later in self._window(place, at_ms) if later >= low), None)
            if not self._decided(place, at_ms, proof):
                return False
            if proof is not None:
                self._note("glitch", at_ms, value, 0)
                return True
        rolled = self._rolled(value)
        if rolled is not None and self._plausible(rolled, at_ms):
            self._anew(at_ms, value, rolled, "rollover", Quality.MEASURED)
        elif value <= self._m // 10:
            self._reset(at_ms, value)
        else:
            self._lose("fall", at_ms, value, 0)
        return True

    def _rolled(self, value: int) -> int | None:
        """The step, were it a rollover."""
        modulus = self._rules.modulus
        if modulus is None or not 9 * modulus <= 10 * self._m <= 10 * modulus or 10 * value > modulus:
            return None
        return modulus - self._m + value

    def _reset(self, at_ms: int, value: int) -> None:
        if not self._plausible(value, at_ms):
            self._lose("suspect", at_ms, value, value)
        else:
            self._anew(at_ms, value, value, None if self._rules.resets else "reset", Quality.RESET)

    def _anew(self, at_ms: int, value: int, step: int, cause: str | None, quality: Quality) -> None:
        """The register began again: book the step, and count from here."""
        self._book(at_ms, value, step, cause, quality)
        self._m, self._rose_ms = value, at_ms

    def _book(self, at_ms: int, value: int, step: int, cause: str | None = None, quality: Quality = Quality.MEASURED) -> None:
        span_ms = at_ms - self._tally.kept_ms
        if span_ms > LONGEST_SPREAD_MS:
            self._lose("suspect", at_ms, value, step)
            return
        if span_ms > self._rules.longest_gap_ms:
            cause = cause or "gap"
            quality = max(quality, Quality.ESTIMATED)
        if cause:
            self._note(cause, at_ms, value, step)
        self._pass(at_ms)
        self._tally.spread(at_ms, step, quality)
        if value > self._m:
            self._m, self._rose_ms = value, at_ms

    def _lose(self, cause: str, at_ms: int, value: int, energy: int) -> None:
        """Book nothing since the last kept reading, and go on from this one."""
        self._note(cause, at_ms, value, energy)
        self._pass(at_ms)
        self._tally.skip(at_ms)
        self._m, self._rose_ms = value, at_ms

    def _pass(self, at_ms: int) -> None:
        """Keep the state of a day that is left."""
        if self._firm and at_ms // DAY_MS != self._tally.kept_ms // DAY_MS:
            self.checkpoints.append(self._state())

    def _note(self, cause: str, at_ms: int, value: int, energy: int) -> None:
        from_ms, before = (self._tally.kept_ms, self._m) if self._begun else (at_ms, value)
        self.verdicts.append(Verdict(at_ms, cause, from_ms, before, value, energy, self._firm))

    def _tau(self) -> int:
        return min(SURE, self._m // 10)

    def _plausible(self, step: int, at_ms: int) -> bool:
        return step <= SURE or step * HOUR_MS <= self._rules.plausible_per_h * (at_ms - self._rose_ms)

    def _window(self, place: int, at_ms: int) -> Iterator[tuple[int, int]]:
        """The readings within W after this one."""
        until = bisect_right(self._ats, at_ms + WINDOW_MS, place + 1)
        return zip(self._ats[place + 1 : until], self._values[place + 1 : until], strict=True)

    def _decided(self, place: int, at_ms: int, proof_ms: int | None) -> bool:
        """Whether no reading still to come could decide otherwise: there is one that proves it, or one behind W."""
        if not self._firm:
            return True
        if proof_ms is None:
            behind = bisect_right(self._ats, at_ms + WINDOW_MS, place + 1)
            if behind == len(self._ats):
                return False
            proof_ms = self._ats[behind]
        self._until_ms = max(self._until_ms, proof_ms)
        return True

    def _state(self) -> State:
        return self._tally.state(self._m, self._rose_ms, max(self._tally.kept_ms, self._until_ms))
