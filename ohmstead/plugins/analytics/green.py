"""The green balance of premises over a span: flows by local hours, days, months or years, or over all of it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from ohmstead.plugins.analytics.carbon import Carbon, Intensity
from ohmstead.plugins.analytics.flows import Flows, Slot
from ohmstead.plugins.analytics.sources import Sources, Toggled
from ohmstead.plugins.ledger.points.points import MeterPoints, Role
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local

PLACES = {Role.PV: 0, Role.BATTERY_OUT: 1, Role.GRID_IMPORT: 2, Role.BATTERY_IN: 3, Role.GRID_EXPORT: 4}  # of Slot
TOTAL = "total"

Span = tuple[int, int]


class Slots(Protocol):
    """What analytics ask of the ledger; see Ledger."""

    points: MeterPoints

    async def sheets(self, slugs: Sequence[str], start_ms: int, end_ms: int, known_at_ms: int | None = None) -> dict[str, list[Sheet]]: ...


class Green:
    """Balances. `carbon` is what the YAML states."""

    def __init__(self, slots: Slots, sources: Sources) -> None:
        self._slots, self.sources = slots, sources
        self.carbon = Carbon()

    def points(self, location: str) -> dict[str, int]:
        """The meter points of the balance of a location's premises, each with its place in Slot."""
        return {point.id: PLACES[point.role] for point in self._slots.points.by_role(location, *PLACES)}

    async def usage(self, location: str, start_ms: int, end_ms: int, resolution: str = TOTAL) -> list[tuple[Span, Flows]]:
        """The flows of each span. A slot in which any of the meter points is incomplete is left out and counted as missing."""
        zone = ZoneInfo(self._slots.points.locations.zone_of(location))
        points = self.points(location)
        sheets = await self._slots.sheets(list(points), start_ms, end_ms)
        toggled = await self._toggled(location)
        whole = [(start_ms, end_ms)] if resolution == TOTAL else local(resolution, zone, start_ms, end_ms)
        spans = [(max(start, start_ms), min(end, end_ms)) for start, end in whole]
        return await asyncio.to_thread(_gathered, sheets, points, toggled, spans, self.carbon.in_zone(zone), (start_ms, end_ms))

    async def _toggled(self, location: str) -> dict[str, Toggled]:
        """By meter point: a battery's toggle takes its charge along."""
        known = await self.sources.toggled()
        found = {source.id: known[source.id] for source in self.sources.of(location) if source.id in known}
        return found | {point: known[s.id] for s in self.sources.of(location) if s.id in known for point in s.charging}


def _gathered(sheets: Mapping[str, Sequence[Sheet]], points: Mapping[str, int], toggled: Mapping[str, Toggled], spans: Sequence[Span],
              intensity: Intensity, asked: Span) -> list[tuple[Span, Flows]]:  # fmt: skip
    found = [(span, Flows()) for span in spans]
    starts = [start for start, _ in spans]
    for part in range(min(map(len, sheets.values()), default=0)):
        columns = [(sheets[point][part], place, toggled.get(point)) for point, place in points.items()]
        first = columns[0][0]
        for number in range(len(first)):
            at_ms = first.start_ms + number * first.slot_ms
            if asked[0] <= at_ms < asked[1]:
                flows = found[max(0, bisect_right(starts, at_ms) - 1)][1]
                _add(flows, columns, number, at_ms, intensity)
    return found


def _add(flows: Flows, columns: Sequence[tuple[Sheet, int, Toggled | None]], number: int, at_ms: int, intensity: Intensity) -> None:
    metered = [0] * len(Slot._fields)
    for sheet, place, toggle in columns:
        if toggle is not None and not toggle.at(at_ms):
            continue
        if sheet.measured_ms[number] + sheet.estimated_ms[number] + sheet.reset_ms[number] < sheet.slot_ms:
            flows.missing += 1
            return
        metered[place] += sheet.mwh[number]
    flows.add(Slot(*metered), intensity.at(at_ms))
