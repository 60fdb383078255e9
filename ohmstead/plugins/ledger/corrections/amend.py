"""Corrections below the live layer: the readings of a series as they count, streamed in order of time.

All functions are pure and take the changes of one series, in order of their numbers. Where a moved reading meets one
that is there already, the one that is there counts: applying a shift refuses that, but a late reading may bring it about.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from ohmstead.plugins.ledger.corrections.changes import ReadingChange, ReadingScale, Shift, Void

Value = float | Fraction  # a scaled value is an exact Fraction, all others are as they were sent
Reading = tuple[int, Value]  # at_ms, value
Delta = tuple[int, int, Value]  # at_ms (the end of the period), from_ms, value


def amend(changes: Sequence[ReadingChange], readings: Iterable[Reading]) -> Iterator[Reading]:
    """The readings of a gauge or counter as they count. Both are in order of time; holds as many as lie in a shift's way."""
    stream = iter(readings)
    for change in changes:
        stream = _step(change, stream)
    return stream


def amend_deltas(changes: Sequence[ReadingChange], deltas: Iterable[Delta]) -> Iterator[Delta]:
    """The deltas as they count, by end and beginning of their periods. Of one series they are few: they are held whole."""
    found = list(deltas)
    for change in changes:
        found = _of_deltas(change, found)
    return iter(found)


def source(changes: Sequence[ReadingChange], start_ms: int, end_ms: int) -> tuple[int, int]:
    """The span of sent readings in which all lie that count in a half-open span; feed at least these to `amend`."""
    for change in reversed(changes):
        if isinstance(change, Shift) and _landing(change)[0] < end_ms and start_ms < _landing(change)[1]:
            low, high = max(start_ms, _landing(change)[0]) - change.by_ms, min(end_ms, _landing(change)[1]) - change.by_ms
            start_ms, end_ms = min(start_ms, low), max(end_ms, high)
    return start_ms, end_ms


def target(changes: Sequence[ReadingChange], start_ms: int, end_ms: int) -> tuple[int, int]:
    """The span in which all count that were sent in a half-open span: what a new reading there may change."""
    for change in changes:
        if isinstance(change, Shift) and change.overlaps(start_ms, end_ms):
            low, high = max(start_ms, change.start_ms) + change.by_ms, min(end_ms, change.end_ms) + change.by_ms
            start_ms, end_ms = min(start_ms, low), max(end_ms, high)
    return start_ms, end_ms


def touched(change: ReadingChange) -> tuple[int, int]:
    """The span of readings that the change itself takes away, moves or alters."""
    if isinstance(change, Shift):
        low, high = _landing(change)
        return min(change.start_ms, low), max(change.end_ms, high)
    return change.start_ms, change.end_ms


def _landing(change: Shift) -> tuple[int, int]:
    return change.start_ms + change.by_ms, change.end_ms + change.by_ms


def _step(change: ReadingChange, readings: Iterator[Reading]) -> Iterator[Reading]:
    if isinstance(change, Void):
        return (reading for reading in readings if not change.holds(reading[0]))
    if isinstance(change, ReadingScale):
        ratio = change.ratio
        return ((at, exact(value) * ratio) if change.holds(at) else (at, value) for at, value in readings)
    return _shifted(change, readings)


def _shifted(change: Shift, readings: Iterator[Reading]) -> Iterator[Reading]:
    """Merge what moves with what stays; a reading waits until nothing can come before it any more."""
    waiting: list[tuple[int, bool, Value]] = []  # at_ms, whether it moved: one that stays comes before one that moved there
    last_ms: int | None = None
    for at_ms, value in readings:
        moves = change.holds(at_ms)
        heapq.heappush(waiting, (at_ms + change.by_ms if moves else at_ms, moves, value))
        settled_ms = at_ms + min(0, change.by_ms) if at_ms < change.end_ms else at_ms
        while waiting and waiting[0][0] < settled_ms:
            landed_ms, _, kept = heapq.heappop(waiting)
            if landed_ms != last_ms:
                last_ms = landed_ms
                yield landed_ms, kept
    while waiting:
        landed_ms, _, kept = heapq.heappop(waiting)
        if landed_ms != last_ms:
            last_ms = landed_ms
            yield landed_ms, kept


def _of_deltas(change: ReadingChange, deltas: list[Delta]) -> list[Delta]:
    meant = [change.holds_period(from_ms, at_ms) for at_ms, from_ms, _ in deltas]
    stay = [delta for delta, is_meant in zip(deltas, meant, strict=True) if not is_meant]
    found = [delta for delta, is_meant in zip(deltas, meant, strict=True) if is_meant]
    if isinstance(change, Void):
        return stay
    if isinstance(change, ReadingScale):
        found = [(at_ms, from_ms, exact(value) * change.ratio) for at_ms, from_ms, value in found]
    else:
        taken = {delta[:2] for delta in stay}
        moved = [(at_ms + change.by_ms, from_ms + change.by_ms, value) for at_ms, from_ms, value in found]
        found = [delta for delta in moved if delta[:2] not in taken]
    return sorted([*stay, *found], key=_period)


def _period(delta: Delta) -> tuple[int, int]:
    return delta[:2]


def exact(value: Any) -> Fraction:
    """A value as the shortest decimal that stands for it, exactly."""
    return value if isinstance(value, Fraction) else Fraction(repr(value))
