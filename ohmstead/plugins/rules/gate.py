"""One comparison of one series, and for how long it must hold: off, waiting, on. Pure: it knows no clock and no database.

It decides on the instants of readings. A value holds until the next reading, so a comparison with `for_ms` is on at
`since + for_ms` when no reading in [since, since + for_ms) failed to meet it, whatever the next one says, and whether
that reading or the clock brought it to light: a replay of the same readings comes to the same. While it waits, the
comparison itself must hold; once on, only what ends it (see compare.py) turns it off.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import msgspec

from ohmstead.core.model import State
from ohmstead.plugins.rules.compare import Comparison, Test, Value


class Turn(msgspec.Struct, frozen=True, gc=False):
    """A comparison that began to hold (`on`) or ended.

    `at_ms` is the instant it was so: since + for_ms, or that of the reading that ended it. `value` is the latest one
    then. `since_ms` is the instant of the reading from which it held.
    """

    key: str
    on: bool
    value: Value
    at_ms: int
    since_ms: int


Turned = Callable[[Turn], object]
Waits = Callable[["Gate"], object]


NONE = inf, -inf  # a band that holds nothing


def _always(value: Any) -> bool:
    return True


def _nothing() -> None:
    pass


class Gate:
    """A plain callable for readings; one that changes nothing costs a call of the comparison.

    `turned` is told of every turn, at once. `waits` is told when it begins to wait. `doubtful`: it waited before a
    restart, so the first reading may say that it was over while nobody listened. `stirred` is called whenever `band`
    has become another.
    """

    __slots__ = ("_comparison", "_enters", "_leaves", "_test", "_turned", "_waits", "armed", "deadline", "doubtful", "for_ms", "key", "on",
                 "since_ms", "stirred", "value")  # fmt: skip

    def __init__(self, key: str, comparison: Comparison, turned: Turned, for_ms: int = 0, waits: Waits | None = None) -> None:
        self.key, self.for_ms = key, for_ms
        self._comparison = comparison
        self._enters, self._leaves, self._turned, self._waits = comparison.enters(), comparison.leaves(), turned, waits
        self._test: Test = self._enters
        self.on = False
        self.since_ms: int | None = None  # None while off
        self.value: Value = 0.0
        self.doubtful = False
        self.deadline: float | None = None  # for whoever waits: monotonic time at which it rings
        self.armed: float | None = None
        self.stirred: Callable[[], object] = _nothing

    @property
    def waiting(self) -> bool:
        """Whether it holds, and not yet for long enough."""
        return self.since_ms is not None and not self.on

    def band(self, value: Value) -> tuple[float, float]:
        """The numbers around the latest value, both ends included, that change nothing; the first is greater where there are none."""
        if self.waiting or isinstance(value, str) or isinstance(self._comparison.value, str):
            return NONE
        return self._comparison.band(self.on, value)

    def __call__(self, new: State, old: State | None = None) -> None:
        """Take a live state that advanced."""
        if self._test(new.value):
            self._take(new.value, new.updated_ms)

    def look(self, value: Value, at_ms: int) -> None:
        """The same for what is no series."""
        if self._test(value):
            self._take(value, at_ms)

    def ring(self) -> None:
        """The time it waits for has passed without another reading."""
        if self.since_ms is not None and not self.on:
            self._turn_on(self.since_ms + self.for_ms)

    def restore(self, since_ms: int, on: bool, value: Value = 0.0) -> None:
        """Stand as it did before a restart; nothing is told."""
        self.since_ms, self.on, self.value = since_ms, on, value
        self.doubtful = not on
        self._feel(self._leaves if on else _always)
        if not on and self._waits is not None:
            self._waits(self)

    def reset(self) -> None:
        """Off, without telling: the next value that meets it turns it on again."""
        self.on, self.since_ms = False, None
        self._feel(self._enters)

    def _feel(self, test: Test) -> None:
        """From now on only a value that passes this changes anything."""
        self._test = test
        self.stirred()

    def _take(self, value: Value, at_ms: int) -> None:
        if self.on:
            self._turn_off(value, at_ms)
        elif self.since_ms is None:
            self._begin(value, at_ms)
        else:
            self._wait(self.since_ms + self.for_ms, value, at_ms)

    def _begin(self, value: Value, at_ms: int) -> None:
        self.since_ms, self.value = at_ms, value
        if not self.for_ms:
            self._turn_on(at_ms)
            return
        self._feel(_always)
        if self._waits is not None:
            self._waits(self)

    def _wait(self, due_ms: int, value: Value, at_ms: int) -> None:
        holds = self._enters(value)
        if at_ms >= due_ms and (holds or not self.doubtful):
            self._turn_on(due_ms)
            self.look(value, at_ms)
        elif holds:
            self.value, self.doubtful = value, False
        else:
            self.reset()
            if self._waits is not None:
                self._waits(self)

    def _turn_on(self, at_ms: int) -> None:
        assert self.since_ms is not None
        self.on = True
        self._feel(self._leaves)
        self._turned(Turn(self.key, True, self.value, at_ms, self.since_ms))

    def _turn_off(self, value: Value, at_ms: int) -> None:
        assert self.since_ms is not None
        since_ms = self.since_ms
        self.reset()
        self._turned(Turn(self.key, False, value, at_ms, since_ms))
