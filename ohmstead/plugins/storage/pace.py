"""How long the writer rests after a commit, so that those who were answered and send again come into one group."""

from __future__ import annotations

import time

REST, LONGEST_REST_S = 0.5, 0.05  # of the time a commit took; one that had to wait for the database took very long


class Pace:
    """What is to be expected after the last commit, and until when."""

    def __init__(self, most: int) -> None:
        self._most = most  # rows of a group
        self._usual, self._rested = 0, 0.0  # rows that were under way, and when to wait for them no longer

    def is_due(self, waiting: int) -> bool:
        """Whether the rows that wait are all that is to be expected, or were waited for long enough."""
        return waiting >= self._usual or time.perf_counter() >= self._rested

    def rest(self, rows: int, took_s: float) -> float:
        """Expect as many rows again as were committed or came meanwhile; for how many seconds, after a commit that took so long."""
        rest_s = min(REST * took_s, LONGEST_REST_S)
        self._usual, self._rested = min(rows, self._most), time.perf_counter() + rest_s
        return rest_s
