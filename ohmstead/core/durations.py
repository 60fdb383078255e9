"""How long something takes, counted as Prometheus counts: by upper bound, cheap enough for every query and request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Durations:
    """Counts by upper bound, and the sum in seconds. Belongs to the event loop's thread."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, took_s: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BUCKETS_S, took_s)] += 1
        self.sum_s += took_s

    def cumulated(self) -> Iterator[tuple[str, int]]:
        """How many took at most so long, for each bound in seconds; the last is "+Inf"."""
        total = 0
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self.counts, strict=True):
            total += count
            yield bound, total
