"""What a detector found, and the finding that is kept of it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import from_ms
from ohmstead.plugins.ledger.corrections.changes import AnyChange
from ohmstead.plugins.ledger.slots import DAY_MS, midnight

_UTC = ZoneInfo("UTC")


class Cause(StrEnum):
    """What may be wrong; docs/ledger.md gives each rule and its thresholds."""

    RESET = "reset"
    FALL = "fall"
    GLITCH = "glitch"
    SPIKE = "spike"
    SUSPECT = "suspect"
    GAP = "gap"
    STUCK = "stuck"
    NEGATIVE_REST = "negative_rest"
    CHILDREN = "children_above_parent"
    BALANCE = "balance"
    UNIT_SLIP = "unit_slip"
    CLOCK_JUMP = "clock_jump"
    SIGN_FLIP = "sign_flip"
    IMPORTS = "conflicting_imports"
    SETTLED = "settled_under_correction"
    SEALED = "sealed"


class Correct(msgspec.Struct, frozen=True, tag="correct"):
    """Apply this correction."""

    change: AnyChange


class Undo(msgspec.Struct, frozen=True, tag="undo"):
    """Undo the correction of this number."""

    number: int


class Swap(msgspec.Struct, frozen=True, tag="swap"):
    """The meter was swapped at `at_ms`: what the old register showed last and the new one first, as displayed."""

    at_ms: int
    closing: str
    opening: str


Remedy = Correct | Undo | Swap


class Found(msgspec.Struct, frozen=True):
    """One thing a detector found at a meter point, in [start_ms, end_ms).

    `place` makes it the same finding when it is derived again. `mwh` is how much energy it is about. It is told once the
    clock has passed `due_ms`. With `day`, the UTC day since 1970, all days of one month and `place` are one finding.
    """

    cause: Cause
    place: str
    start_ms: int
    end_ms: int
    text: str
    mwh: int | None = None
    series: str | None = None
    remedy: Remedy | None = None
    due_ms: int = 0
    day: int | None = None


class Looked(msgspec.Struct, frozen=True):
    """Where a detector looked, and all that it found there: whatever else is known of it there is mended."""

    detector: str
    start_ms: int
    end_ms: int
    found: tuple[Found, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """A finding as it is kept. `status` is open, dismissed or closed; `days` are those that were merged, with their mWh."""

    number: int
    meter_point: str
    found: Found
    status: str
    found_ms: int
    days: dict[int, int] = {}
    worth: tuple[tuple[str, str, str], ...] = ()  # contract, currency, amount
    notified_ms: int | None = None
    closed_ms: int | None = None
    closed_by: str | None = None
    reason: str | None = None
    news_ms: int | None = None  # when it was said that it opened or closed, as long as somebody may not have heard


def month(at_ms: int) -> str:
    """The UTC month of an instant: 2026-02."""
    return from_ms(at_ms).strftime("%Y-%m")


def month_span(start_ms: int, end_ms: int) -> tuple[int, int]:
    """The whole UTC months that a span touches."""
    last = from_ms(end_ms - 1)
    following = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    return midnight(_UTC, from_ms(start_ms).date().replace(day=1)), midnight(_UTC, following)


def of_day(cause: Cause, day: int, text: str, mwh: int, series: str | None = None, remedy: Remedy | None = None) -> Found:
    """What was found of a whole UTC day; the days of a month are one finding."""
    start_ms = day * DAY_MS
    place = f"{series or ''}:{month(start_ms)}"
    return Found(cause, place, start_ms, start_ms + DAY_MS, text, mwh, series, remedy, day=day)


def merged(first: Found, days: dict[int, int]) -> Found:
    """`first`, standing for all of the days: their span and sum; the remedy reaches as far as the days follow each other."""
    run = [day for _, day in next(iter([list(group) for _, group in groupby(enumerate(sorted(days)), lambda pair: pair[1] - pair[0])]))]
    low, high = min(days) * DAY_MS, (max(days) + 1) * DAY_MS
    remedy: Any = first.remedy
    if isinstance(remedy, Correct):
        remedy = Correct(msgspec.structs.replace(remedy.change, start_ms=low, end_ms=(run[-1] + 1) * DAY_MS))
    return msgspec.structs.replace(first, start_ms=low, end_ms=high, mwh=sum(days.values()), remedy=remedy, day=min(days))
