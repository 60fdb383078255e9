"""Too many alerts at once: beyond so many in a minute the rest is folded under one alert that says so."""

from __future__ import annotations

from collections import deque

from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import STORM, own

MOST, WINDOW_S = 100, 60.0
SUBJECT = "house"


class Storm:
    """Counts the alerts that people were told of. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._told: deque[float] = deque(maxlen=MOST)
        self._last = 0.0

    def folds(self, now: float) -> bool:
        """Whether one more is too many; one that is not is counted."""
        if len(self._told) == MOST and now - self._told[0] < WINDOW_S:
            self._last = now
            return True
        self._told.append(now)
        return False

    def over(self, now: float) -> bool:
        """Whether nothing was folded for a minute."""
        return now - self._last >= WINDOW_S


def fact(now_ms: int) -> Fact:
    """That there is one."""
    message = f"More than {MOST} alerts within a minute. The others are on the list of alerts; nobody is told of each of them."
    return Fact(own(STORM, "high"), SUBJECT, True, now_ms, title="Too many alerts at once", message=message)
