"""When somebody wants to hear: quiet hours and digests, in local time."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import from_ms, to_ms

DIGESTS = ("daily", "weekly", "off")
DIGEST_AT = time(8)  # weekly ones on Mondays
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


class Quiet(msgspec.Struct, frozen=True):
    """Hours of every day, from `start` up to `end`, which may lie on the next day."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def until_ms(self, now_ms: int, zone: ZoneInfo) -> int | None:
        """When the quiet that holds now ends, None when none does."""
        now = from_ms(now_ms).astimezone(zone).time()
        within = self.start <= now < self.end if self.start < self.end else now >= self.start or now < self.end
        return following(now_ms, self.end, zone) if within else None


def quiet(text: str) -> Quiet:
    """`22:00-07:00`; ValueError for anything else."""
    match = _HOURS.fullmatch(text.strip())
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise ValueError(text)
    first, second, third, fourth = map(int, match.groups())
    return Quiet(time(first, second), time(third, fourth))


def digest_ms(now_ms: int, digest: str, zone: ZoneInfo) -> int:
    """When the next digest is due after `now_ms`; `digest` is daily or weekly."""
    return following(now_ms, DIGEST_AT, zone, weekday=0 if digest == "weekly" else None)


def following(now_ms: int, at: time, zone: ZoneInfo, weekday: int | None = None) -> int:
    """The first instant after `now_ms` at which clocks in `zone` show `at`; on the night that lacks it, just after the gap."""
    today = from_ms(now_ms).astimezone(zone).date()
    days = (today + timedelta(days) for days in range(-1, 9))
    return min(
        at_ms
        for day in days if weekday is None or day.weekday() == weekday
        for fold in (0, 1)
        if (at_ms := to_ms(datetime.combine(day, at.replace(fold=fold), zone))) > now_ms
    )  # fmt: skip
