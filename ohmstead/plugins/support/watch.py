"""Decides what is trouble and when it is over: looks in, decisions out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from ohmstead.core.events import SystemTrouble, SystemTroubleOver
from ohmstead.plugins.support.conditions import (
    CONDITIONS,
    ERRORS_S,
    LONGEST_S,
    SIGN_INS_S,
    SLOW_FOR_S,
    Condition,
    Window,
)
from ohmstead.plugins.support.facts import Facts

CLEAR_S = 60.0  # how long all must be well again before trouble is over


class Standing(msgspec.Struct):
    """Where one condition stands. `raised` None: nobody knows what was before this run of the hub."""

    since_s: float | None = None  # it says that something is wrong
    well_s: float | None = None  # it says that all is well
    raised: bool | None = None


class Watch:
    """Is shown one look after the other, in order of time."""

    def __init__(self, conditions: Sequence[Condition] = CONDITIONS) -> None:
        self._conditions = conditions
        self._looks: deque[Facts] = deque()
        self._standing = {condition.key: Standing() for condition in conditions}
        self.troubles: dict[str, SystemTrouble] = {}  # what is wrong now

    def look(self, facts: Facts) -> list[SystemTrouble | SystemTroubleOver]:
        """What begins and what is over, with this look."""
        window = self._window(facts)
        found = (self._decide(condition, window, facts.at_s) for condition in self._conditions)
        return [event for event in found if event is not None]

    def _window(self, facts: Facts) -> Window:
        self._looks.append(facts)
        while len(self._looks) > 1 and self._looks[1].at_s <= facts.at_s - LONGEST_S:
            self._looks.popleft()  # one look from before the longest span is kept, to count from
        errors, slow, sign_ins = (self._before(facts.at_s - span_s) for span_s in (ERRORS_S, SLOW_FOR_S, SIGN_INS_S))
        return Window(
            facts, facts.traffic.since(errors.traffic), facts.traffic.since(slow.traffic), facts.sign_ins - sign_ins.sign_ins,
            facts.at_s - errors.at_s >= ERRORS_S, facts.at_s - slow.at_s >= SLOW_FOR_S,
        )  # fmt: skip

    def _before(self, at_s: float) -> Facts:
        """The newest look that is not younger than that; the oldest where there is none."""
        return next((look for look in reversed(self._looks) if look.at_s <= at_s), self._looks[0])

    def _decide(self, condition: Condition, window: Window, now_s: float) -> SystemTrouble | SystemTroubleOver | None:
        standing, wrong = self._standing[condition.key], condition.look(window)
        if wrong is None:
            standing.since_s = None
            standing.well_s = now_s if standing.well_s is None else standing.well_s
            if standing.raised is False or now_s - standing.well_s < CLEAR_S:
                return None
            heard, standing.raised = standing.raised is True, False
            self.troubles.pop(condition.key, None)
            return SystemTroubleOver(condition.key, heard)
        standing.well_s = None
        standing.since_s = now_s if standing.since_s is None else standing.since_s
        if standing.raised or now_s - standing.since_s < condition.for_s:
            return None
        standing.raised = True
        trouble = self.troubles[condition.key] = SystemTrouble(condition.key, condition.severity, condition.title, wrong)
        return trouble
