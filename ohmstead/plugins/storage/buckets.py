"""Spans of time that readings are gathered in: minutes and five minutes of UTC, hours and days of a zone.

Hours are aligned to local time and cut where the offset changes, so that zones of 30 and 45 minutes are right and no
hour hides two. A day is as long as it is: 23, 24 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import Invalid

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
FIXED_MS = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS}
PART_MS = 30 * DAY_MS
RESOLUTIONS = ("1m", "5m", "1h", "1d")

Span = tuple[int, int]


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """What the readings of a span come to. `first` is None where only rollups are left of it: of gauges."""

    start_ms: int
    min: float
    max: float
    sum: float
    first: float | None
    last: float
    count: int

    @property
    def mean(self) -> float:
        """The mean of the readings, each counting the same."""
        return self.sum / self.count


def spans(resolution: str, zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Span]:
    """The buckets, in order and without gaps, that touch [start_ms, end_ms); the first and last may reach beyond."""
    if resolution in FIXED_MS:
        yield from _even(FIXED_MS[resolution], start_ms, end_ms, 0)
    elif resolution == "1h":
        yield from aligned(HOUR_MS, zone, start_ms, end_ms)
    elif resolution == "1d":
        yield from _days(zone, start_ms, end_ms)
    else:
        raise Invalid(f"resolution {resolution!r}: choose raw, {', '.join(RESOLUTIONS)}")


def span_of(resolution: str, zone: ZoneInfo, at_ms: int) -> Span:
    """The bucket an instant lies in."""
    return next(spans(resolution, zone, at_ms, at_ms + 1))


def whole_hours(found: Iterable[Span]) -> bool:
    """Whether all spans begin and end with an hour of UTC."""
    return all(start % HOUR_MS == 0 and end % HOUR_MS == 0 for start, end in found)


def gather(found: Sequence[Bucket], into: Iterable[Span]) -> list[Bucket]:
    """Finer buckets, in order, gathered into spans; spans without any are left out."""
    gathered, place = [], 0
    for start_ms, end_ms in into:
        first = place
        while place < len(found) and found[place].start_ms < end_ms:
            place += 1
        if parts := found[first:place]:
            gathered.append(_sum(start_ms, parts))
    return gathered


def _sum(start_ms: int, parts: Sequence[Bucket]) -> Bucket:
    return Bucket(
        start_ms,
        min(part.min for part in parts),
        max(part.max for part in parts),
        reduce(lambda total, part: total + part.sum, parts, 0.0),
        None,
        parts[-1].last,
        sum(part.count for part in parts),
    )


def _even(size_ms: int, start_ms: int, end_ms: int, offset_ms: int) -> Iterator[Span]:
    first = (start_ms + offset_ms) // size_ms * size_ms - offset_ms
    for start in range(first, end_ms, size_ms):
        yield start, start + size_ms


def aligned(size_ms: int, zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Span]:
    """Spans of an hour or a fraction of it, aligned to local time and cut where the offset changes; as `spans`."""
    # Begin half a day early: an hour that the offset's change cuts must be found to begin there.
    for from_ms_, to_ms_, offset_ms in _offsets(zone, start_ms - DAY_MS // 2, end_ms + DAY_MS // 2):
        low, high = max(from_ms_, start_ms - size_ms), min(to_ms_, end_ms)
        for start, end in _even(size_ms, low, high, offset_ms):
            cut = max(start, from_ms_), min(end, to_ms_)
            if cut[1] > start_ms and cut[0] < end_ms:
                yield cut


def _offsets(zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
    """Spans of one offset from UTC: (start, end, offset). Looked for day by day, as no zone changes twice within one.

    A long span comes in parts, cut at a whole hour: who asks for few hours up to the year 9999 need not wait for its end.
    """
    begun, offset = start_ms, _offset_ms(zone, start_ms)
    low = start_ms
    while low < end_ms:
        high = min(low + DAY_MS, end_ms)
        after = _offset_ms(zone, high)
        if after != offset:
            change = _change(zone, low, high, offset)
            yield begun, change, offset
            begun, offset = change, after
        elif high - begun > PART_MS:
            hour = high - (high + offset) % HOUR_MS
            yield begun, hour, offset
            begun = hour
        low = high
    yield begun, end_ms, offset


def _change(zone: ZoneInfo, low_ms: int, high_ms: int, offset_ms: int) -> int:
    """The instant between the two at which the offset ceases, to the minute."""
    low, high = low_ms // MINUTE_MS, -(-high_ms // MINUTE_MS)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_ms(zone, middle * MINUTE_MS) == offset_ms:
            low = middle
        else:
            high = middle
    return high * MINUTE_MS


def _offset_ms(zone: ZoneInfo, at_ms: int) -> int:
    offset = from_ms(at_ms).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() * 1000)


def _days(zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Span]:
    day = from_ms(start_ms).astimezone(zone).date()
    start = _midnight(zone, day)
    while start < end_ms:
        day += timedelta(days=1)
        end = _midnight(zone, day)
        if end > max(start, start_ms):
            yield start, end
        start = end


def _midnight(zone: ZoneInfo, day: date) -> int:
    """The first instant of a local day; where midnight is skipped, the instant of the change."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))
