"""Findings where meter points contradict each other: children above their parent, and more going out than comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ohmstead.plugins.ledger.corrections.asked import kwh
from ohmstead.plugins.ledger.findings.finding import Cause, Found, of_day
from ohmstead.plugins.ledger.findings.gaps import slots
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS

SHARE, LEAST_MWH = 20, 100_000  # a day may be off by a twentieth and 0.1 kWh
KNOWN_DAYS = 7  # loads that met consumption on so many days before are taken to be all there are

Days = Mapping[int, tuple[int, bool]]  # UTC day -> mWh, whether all of it is known


def days(sheets: Sequence[Sheet]) -> dict[int, tuple[int, bool]]:
    """The energy of each UTC day and whether nothing is missing."""
    found: dict[int, tuple[int, bool]] = {}
    for start_ms, _, mwh, missing_ms, _ in slots(sheets):
        had, whole = found.get(start_ms // DAY_MS, (0, True))
        found[start_ms // DAY_MS] = had + mwh, whole and not missing_ms
    return found


def tolerance(mwh: int) -> int:
    """How much a day of that energy may be off."""
    return abs(mwh) // SHARE + LEAST_MWH


def children(parent: str, of_parent: Days, of_children: Mapping[str, Days]) -> list[Found]:
    """Days on which the children have more than their parent, which is known in full; a child may be known in part."""
    found = []
    for day, (mwh, whole) in sorted(of_parent.items()):
        below = {slug: each[day][0] for slug, each in of_children.items() if day in each}
        if whole and sum(below.values()) > mwh + tolerance(mwh):
            most = max(sorted(below), key=lambda slug: below[slug])
            text = f"what hangs under {parent} has {kwh(sum(below.values()))} where {parent} has {kwh(mwh)}; most of it is {most}"
            found.append(of_day(Cause.CHILDREN, day, text, sum(below.values()) - mwh))
    return found


def balance(consumption: str, parts: Mapping[str, Days], signs: Mapping[str, int], loads: Mapping[str, Days]) -> list[Found]:
    """Days on which more is exported and charged than arrives; and, where loads are all metered, on which they do not meet consumption.

    Judged where every part is known in full. Loads count as all there are after KNOWN_DAYS days on which they met it.
    """
    known = {day for each in parts.values() for day in each}
    sums = {
        day: sum(signs[slug] * each[day][0] for slug, each in parts.items())
        for day in sorted(known) if all(day in each and each[day][1] for each in parts.values())
    }  # fmt: skip
    found = []
    for day, mwh in sums.items():
        if mwh < -LEAST_MWH - sum(each[day][0] for each in parts.values()) // SHARE:
            text = f"{kwh(-mwh)} more went out and into the battery than came in: is a source not metered, or a direction turned round?"
            found.append(of_day(Cause.BALANCE, day, text, -mwh))
        elif loads and all(_met(sums, loads, earlier) for earlier in range(day - KNOWN_DAYS, day)) and _missed(mwh, loads, day):
            of_loads = sum(each[day][0] for each in loads.values())
            text = f"the loads under {consumption} have {kwh(of_loads)} where it has {kwh(mwh)}; they met it on the days before"
            found.append(of_day(Cause.BALANCE, day, text, abs(mwh - of_loads)))
    return found


def _met(sums: Mapping[int, int], loads: Mapping[str, Days], day: int) -> bool:
    whole = all(day in each and each[day][1] for each in loads.values())
    return day in sums and whole and not _missed(sums[day], loads, day)


def _missed(mwh: int, loads: Mapping[str, Days], day: int) -> bool:
    if not all(day in each and each[day][1] for each in loads.values()):
        return False
    return abs(mwh - sum(each[day][0] for each in loads.values())) > tolerance(mwh)
