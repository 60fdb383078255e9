"""Durations are counted by upper bound."""

from __future__ import annotations

from ohmstead.core.durations import BUCKETS_S, Durations


def test_counts() -> None:
    durations = Durations()
    for took_s in (0.0, 0.001, 0.0011, 10.0, 11.0):
        durations.add(took_s)
    found = dict(durations.cumulated())
    assert found["0.001"] == 2
    assert found["0.0025"] == 3
    assert found["10.0"] == 4
    assert found["+Inf"] == 5
    assert len(found) == len(BUCKETS_S) + 1
    assert durations.sum_s == 21.0021
