"""What a correction does: the energy of every meter point it reaches, before and after, by local day, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import from_ms
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.ledger.valuer import Changed, Worth


class Day(msgspec.Struct, frozen=True):
    """A local day: mWh before and after (mL for volumes); None where nothing was, or would be, covered."""

    day: date
    before: int | None
    after: int | None


class Reached(msgspec.Struct, frozen=True):
    """One meter point: the span whose intervals were looked at, their sums, and the days that differ."""

    meter_point: str
    start_ms: int
    end_ms: int
    before: int | None
    after: int | None
    days: tuple[Day, ...]


class Effect(msgspec.Struct, frozen=True):
    """All of it; `closes` are the numbers of findings that would go, `opens` what would be found instead."""

    reached: tuple[Reached, ...]
    worth: tuple[Worth, ...] = ()
    closes: tuple[int, ...] = ()
    opens: tuple[str, ...] = ()


def reached(changed: Changed, zone: ZoneInfo) -> Reached:
    """The sums of a changed meter point, and its days in `zone` that differ."""
    start_ms, end_ms = changed.before[0].start_ms, changed.before[-1].end_ms
    days = []
    for low, high in local("day", zone, start_ms, end_ms):
        before, after = _sum(changed.before, low, high), _sum(changed.after, low, high)
        if before != after:
            days.append(Day(from_ms(low).astimezone(zone).date(), before, after))
    whole = [_sum(sheets, start_ms, end_ms) for sheets in (changed.before, changed.after)]
    return Reached(changed.meter_point, start_ms, end_ms, whole[0], whole[1], tuple(days))


def differs(changed: Changed) -> bool:
    """Whether any slot is not what it was."""
    return any(_columns(one) != _columns(other) for one, other in zip(changed.before, changed.after, strict=True))


def _columns(sheet: Sheet) -> tuple[object, ...]:
    return sheet.mwh, sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, sheet.source


def _sum(sheets: Iterable[Sheet], start_ms: int, end_ms: int) -> int | None:
    found = list(_covered(sheets, start_ms, end_ms))
    return sum(found) if found else None


def _covered(sheets: Iterable[Sheet], start_ms: int, end_ms: int) -> Iterator[int]:
    for sheet in sheets:
        low = max(0, (start_ms - sheet.start_ms) // sheet.slot_ms)
        high = max(low, min(len(sheet), -(-(end_ms - sheet.start_ms) // sheet.slot_ms)))
        for slot in range(low, high):
            if sheet.measured_ms[slot] or sheet.estimated_ms[slot] or sheet.reset_ms[slot]:
                yield sheet.mwh[slot]


def total(sheets: Sequence[Sheet]) -> int:
    """All their energy, in mWh."""
    return sum(sum(sheet.mwh) for sheet in sheets)
