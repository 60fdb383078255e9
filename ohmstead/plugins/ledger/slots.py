"""Where slots, hours, days, months and years begin and end.

Slots are 5 or 15 minutes of UTC, and a new length begins with a UTC day: so slots tile every UTC day, and every local
day too, since all zones are whole quarters of an hour away from UTC. Everything longer is a view in a zone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import Invalid
from ohmstead.plugins.storage.buckets import Span, aligned, spans

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
LENGTHS_MS = (5 * MINUTE_MS, 15 * MINUTE_MS)
DEFAULT_MS = 15 * MINUTE_MS


class Grid:
    """The slots of a house. `lengths` are (first UTC day since 1970, length in ms); before the first of them it is 15 minutes."""

    def __init__(self, lengths: Sequence[tuple[int, int]] = ()) -> None:
        self._days = [day for day, _ in sorted(lengths)]
        self._lengths = [DEFAULT_MS, *(length for _, length in sorted(lengths))]
        if wrong := set(self._lengths) - set(LENGTHS_MS):
            raise Invalid(f"a slot of {wrong.pop() / MINUTE_MS:g} minutes: choose 5 or 15")

    def slot_ms(self, at_ms: int) -> int:
        """How long the slot is that an instant lies in."""
        return self._lengths[bisect_right(self._days, at_ms // DAY_MS)]

    def start(self, at_ms: int) -> int:
        """Where the slot begins that an instant lies in."""
        return at_ms - at_ms % self.slot_ms(at_ms)

    def end(self, at_ms: int) -> int:
        """Where the first slot ends that ends at or after an instant."""
        start = self.start(at_ms)
        return at_ms if start == at_ms else start + self.slot_ms(at_ms)

    def stretches(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
        """The slots that touch a span, as (start, length, count): one for each length of slot."""
        position, end_ms = self.start(start_ms), self.end(end_ms)
        while position < end_ms:
            later = bisect_right(self._days, position // DAY_MS)
            change = self._days[later] * DAY_MS if later < len(self._days) else end_ms
            length, until = self._lengths[later], min(change, end_ms)
            yield position, length, (until - position) // length
            position = until


def local(resolution: str, zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Span]:
    """The local 15m, 30m, hour, day, month or year spans, in order and without gaps, that touch [start_ms, end_ms).

    Quarters, half-hours and hours are aligned to local time and cut where the offset changes.
    """
    if resolution in ("15m", "30m"):
        return aligned(int(resolution[:2]) * MINUTE_MS, zone, start_ms, end_ms)
    if resolution in ("hour", "day"):
        return spans("1h" if resolution == "hour" else "1d", zone, start_ms, end_ms)
    if resolution in ("month", "year"):
        return _calendar(resolution, zone, start_ms, end_ms)
    raise Invalid(f"resolution {resolution!r}: choose 15m, 30m, hour, day, month or year")


def _calendar(resolution: str, zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[Span]:
    day = from_ms(start_ms).astimezone(zone).date().replace(day=1)
    day = day if resolution == "month" else day.replace(month=1)
    start = midnight(zone, day)
    while start < end_ms:
        wrap = resolution == "year" or day.month == 12
        day = date(day.year + 1, 1, 1) if wrap else day.replace(month=day.month + 1)
        end = midnight(zone, day)
        yield start, end
        start = end


def midnight(zone: ZoneInfo, day: date) -> int:
    """The first instant of a local day; where midnight is skipped, the instant of the change."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))
