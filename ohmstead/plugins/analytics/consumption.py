"""What a location consumed: which meter points say so, by hour, day, month or year, and by category."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.ledger.points.points import LOADS, MeterPoint, MeterPoints, Role
from ohmstead.plugins.ledger.rollups import QUARTER_MS
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

RESOLUTIONS = ("hour", "day", "month", "year")
OTHER = "other"


class Used(msgspec.Struct):
    """One span: mWh, for how long anything was known of it, and the highest mean power of 15 minutes in mW, if that is known."""

    start_ms: int
    end_ms: int
    mwh: int = 0
    covered_ms: int = 0
    points: int = 0
    peak_mw: int | None = None


class Category(msgspec.Struct):
    """What loads of one category took in mWh, and what that cost in 10^-12 of the currency, where it is known."""

    name: str
    mwh: int = 0
    cost: int | None = None

    def add(self, mwh: int, cost: int | None) -> None:
        """Count a load, or what no load metered."""
        self.mwh += mwh
        self.cost = self.cost if cost is None else (self.cost or 0) + cost


def metering(points: MeterPoints, location: str) -> list[str]:
    """The meter points that together say what a location consumed, none of it twice.

    The computed consumption of its premises, else its grid import, else the loads in it that hang under no other of
    them; and of what lies within it the same, where the location itself is not metered. NotFound.
    """
    place = points.locations.get(location)
    if points.premises(location) == location:
        whole = points.consumption(location)
        if whole is not None:
            return [whole.id]
    own = [point for point in points if point.location == location]
    imports = [point.id for point in own if point.role is Role.GRID_IMPORT]
    if imports:
        return imports
    inner = [slug for child in points.locations if child.parent == place.id for slug in metering(points, child.id)]
    return [*_top(points, [point for point in own if point.role in LOADS]), *inner]


def _top(points: MeterPoints, loads: Iterable[MeterPoint]) -> list[str]:
    found = {point.id for point in loads}
    return sorted(slug for slug in found if points.parent(slug) not in found)


class Consumption:
    """Reads the ledger's rollups and slots."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def zone(self, location: str) -> ZoneInfo:
        """The zone of a location; NotFound."""
        return ZoneInfo(self._ledger.points.locations.zone_of(self._ledger.points.locations.get(location).id))

    async def by(self, location: str, resolution: str, start_ms: int, end_ms: int) -> list[Used]:
        """The local spans that touch [start, end), cut there, also those of which nothing is known."""
        return await self.of(metering(self._ledger.points, location), resolution, self.zone(location), start_ms, end_ms)

    async def of(self, slugs: Sequence[str], resolution: str, zone: ZoneInfo, start_ms: int, end_ms: int) -> list[Used]:
        """The same of meter points, added up: whole spans of one from its rollups, cut ones and peaks of several from slots."""
        spans = list(local(resolution, zone, start_ms, end_ms))
        found = {start: Used(max(start, start_ms), min(end, end_ms), points=len(slugs)) for start, end in spans}
        cut = [found[start] for start, end in spans if start < start_ms or end > end_ms]
        if spans:
            for rollups in (await self._ledger.rollups(slugs, resolution, spans[0][0], spans[-1][1])).values():
                for each in rollups:
                    used = found.get(each.start_ms)
                    if used is not None and used not in cut:
                        used.mwh += each.mwh
                        used.covered_ms += each.covered_ms
                        used.peak_mw = None if each.peak_15_mwh is None else each.peak_15_mwh * 4
        for used in cut:
            used.mwh, used.covered_ms = await self._sum(slugs, used.start_ms, used.end_ms)
        for some in [[used] for used in cut] if len(slugs) == 1 else [list(found.values())] if found else []:
            sheets = await self._ledger.sheets(slugs, some[0].start_ms, some[-1].end_ms)
            await asyncio.to_thread(_peaks, list(sheets.values()), some)
        return list(found.values())

    async def by_load(self, location: str, start_ms: int, end_ms: int) -> dict[str, int]:
        """mWh of the loads in a location that hang under no other of them."""
        points = self._ledger.points
        loads = _top(points, [point for point in points.within(location) if point.role in LOADS])
        sheets = await self._ledger.sheets(loads, start_ms, end_ms)
        return {slug: total(sheets[slug], start_ms, end_ms)[0] for slug in loads}

    def categories(self, energy: Mapping[str, int], cost: Mapping[str, int], whole: int, whole_cost: int | None) -> list[Category]:
        """Loads by their category, else by their role; `other` is what is left of the whole: what no load metered."""
        found: dict[str, Category] = {}
        for slug, mwh in energy.items():
            point = self._ledger.points.get(slug)
            name = point.category or point.role.value
            found.setdefault(name, Category(name)).add(mwh, cost.get(slug))
        rest = max(whole - sum(energy.values()), 0)
        rest_cost = None if whole_cost is None else whole_cost - sum(each.cost or 0 for each in found.values())
        if rest or rest_cost:
            found.setdefault(OTHER, Category(OTHER)).add(rest, rest_cost)
        return sorted(found.values(), key=lambda each: -each.mwh)

    async def total(self, location: str, start_ms: int, end_ms: int) -> tuple[int, int]:
        """mWh within [start, end), and for how long anything was known, in ms of all meter points together."""
        return await self._sum(metering(self._ledger.points, location), start_ms, end_ms)

    async def _sum(self, slugs: Sequence[str], start_ms: int, end_ms: int) -> tuple[int, int]:
        sheets = await self._ledger.sheets(slugs, start_ms, end_ms)
        found = [total(sheets[slug], start_ms, end_ms) for slug in slugs]
        return sum(mwh for mwh, _ in found), sum(covered for _, covered in found)


def _peaks(points: Sequence[Iterable[Sheet]], spans: Sequence[Used]) -> None:
    """Put beside each span the highest mean power of meter points together, in quarter-hours within it that all of them know."""
    found: dict[int, list[int]] = {}
    for sheet in chain.from_iterable(points):
        covers = zip(sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)
        for at, (mwh, cover) in enumerate(zip(sheet.mwh, covers, strict=True)):
            begins_ms = sheet.start_ms + at * sheet.slot_ms
            quarter = found.setdefault(begins_ms - begins_ms % QUARTER_MS, [0, 0])
            quarter[0] += mwh
            quarter[1] += sum(cover)
    starts = [used.start_ms for used in spans]
    for used in spans:
        used.peak_mw = None
    for at_ms, (mwh, covered_ms) in found.items():
        used = spans[max(bisect_right(starts, at_ms) - 1, 0)]
        if covered_ms == QUARTER_MS * len(points) and used.start_ms <= at_ms <= used.end_ms - QUARTER_MS:
            used.peak_mw = max(used.peak_mw or 0, mwh * 4)


def total(sheets: Iterable[Sheet], start_ms: int, end_ms: int) -> tuple[int, int]:
    """mWh and covered time of the slots that begin within a span."""
    mwh = covered_ms = 0
    for sheet in sheets:
        low, high = (min(max(-((sheet.start_ms - at_ms) // sheet.slot_ms), 0), len(sheet)) for at_ms in (start_ms, end_ms))
        mwh += sum(sheet.mwh[low:high])
        covered_ms += sum(sheet.measured_ms[low:high]) + sum(sheet.estimated_ms[low:high]) + sum(sheet.reset_ms[low:high])
    return mwh, covered_ms
