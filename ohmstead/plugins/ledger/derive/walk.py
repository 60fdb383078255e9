"""From readings to slots, one track (a term of a binding) at a time, streamed and resumable.

    walk = begin(rules, grid, state)   # state: of a checkpoint; None: from the beginning of the binding
    for chunk in chunks:               # stored readings after state.kept_ms for which rules.counts(at_ms), strictly in order of time
        walk.feed(chunk)
    walk.finish()
    walk.days, walk.head, walk.checkpoints, walk.verdicts

What is derived replaces, in the track, all slots from `walk.from_ms` on (all of the track when it is None): the slot of
the last kept reading comes with what the state said of it, later ones begin from zero, and a slot or day that is not
among `walk.days` is empty. Verdicts replace those with `at_ms` > state.kept_ms, checkpoints those of days >= its day.
`head` is the state up to which nothing can change as long as readings arrive in order of time; what lies behind it was
derived from the readings that are there, and is derived again when more arrive. So resuming from any checkpoint, or
from the head after every single reading, gives the same as deriving everything at once.

When a reading at t comes or goes, resume from the newest state, head or checkpoint, with state.until_ms < t: for readings
that arrive in order of time that is always the head. As soon as a checkpoint of a day behind the last changed reading equals
the one stored for that day, all that follows is as it was: what was derived from the slot of its kept_ms on may be
dropped, and the stored kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from ohmstead.core.errors import Unsupported
from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive.counter import CounterWalk
from ohmstead.plugins.ledger.derive.gauge import GaugeWalk
from ohmstead.plugins.ledger.derive.net import NetWalk
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.points.bindings import Part
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import Grid

Readings = Sequence[tuple[int, float | Fraction]]


class Walk(Protocol):
    """One derivation; `days`, `verdicts` and `head` are complete after `finish`."""

    @property
    def from_ms(self) -> int | None:
        """Where the slots begin that are derived; None: at the beginning of the binding."""

    @property
    def days(self) -> dict[int, Sheet]:
        """UTC day since 1970 -> its slots, for every day in which a slot has any covered time."""

    @property
    def head(self) -> State | None:
        """The firm state; None while there is no reading."""

    @property
    def checkpoints(self) -> list[State]:
        """The state at the last kept reading of every UTC day that firmly ended, in order; a day without one has none."""

    @property
    def verdicts(self) -> list[Verdict]:
        """What was no plain step, in order; at most one for an instant."""

    def feed(self, readings: Readings) -> None:
        """More readings (instant in ms, value), strictly in order of time."""

    def finish(self) -> None:
        """There are no more readings; derive what waited for more."""


def begin(rules: Rules, grid: Grid, state: State | None = None) -> Walk:
    """A walk for counters, gauges, and registers that may fall by design; Unsupported for others (deltas: delta.py)."""
    if rules.kind is Kind.GAUGE:
        return GaugeWalk(rules, grid, state)
    if rules.kind is not Kind.COUNTER:
        raise Unsupported(f"{rules.kind.value} series are not walked reading by reading")
    return CounterWalk(rules, grid, state) if rules.part is Part.ALL else NetWalk(rules, grid, state)
