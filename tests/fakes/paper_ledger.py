"""A ledger on paper: slots as a test writes them down, in the form the real one gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ohmstead.plugins.devices.locations import Locations
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role
from ohmstead.plugins.ledger.rollups import Rollup
from ohmstead.plugins.ledger.sheet import Layer, Sheet

SLOT_MS = 900_000


class PaperLedger:
    """Quarter-hours only. `lay` writes kWh as mWh; what was never written is missing."""

    def __init__(self, locations: Locations) -> None:
        self.points = MeterPoints(locations)
        self._slots: dict[str, dict[int, tuple[int, int, int, int, Layer]]] = {}
        self._registers: dict[str, dict[str, Sheet]] = {}
        self.reads = 0

    def point(self, slug: str, role: Role = Role.GRID_IMPORT, location: str = "home") -> MeterPoint:
        point = MeterPoint(len(self.points) + 1, slug, slug, role, location)
        self.points.put(point, ())
        self._slots[slug] = {}
        return point

    def lay(self, slug: str, start_ms: int, mwh: Iterable[int], quality: str = "measured", source: Layer = Layer.LIVE) -> None:
        place = ("measured", "estimated", "reset").index(quality)
        cover = [0, 0, 0]
        cover[place] = SLOT_MS
        for number, each in enumerate(mwh):
            self._slots[slug][start_ms + number * SLOT_MS] = (each, *cover, source)  # type: ignore[assignment]

    def register(self, slug: str, name: str, sheet: Sheet) -> None:
        self._registers.setdefault(slug, {})[name] = sheet

    def drop(self, slug: str, at_ms: int) -> None:
        self._slots[slug].pop(at_ms, None)

    async def sheets(self, slugs: Sequence[str], start_ms: int, end_ms: int, known_at_ms: int | None = None) -> dict[str, list[Sheet]]:
        self.reads += 1
        return {slug: [self._sheet(self.points.get(slug).id, start_ms, end_ms)] for slug in slugs}

    def _sheet(self, slug: str, start_ms: int, end_ms: int) -> Sheet:
        start_ms -= start_ms % SLOT_MS
        sheet = Sheet.empty(start_ms, SLOT_MS, -(-(end_ms - start_ms) // SLOT_MS))
        kept = self._slots[slug]
        for place in range(len(sheet)):
            found = kept.get(start_ms + place * SLOT_MS)
            if found is not None:
                sheet.mwh[place], sheet.measured_ms[place], sheet.estimated_ms[place], sheet.reset_ms[place], source = found
                sheet.source[place] = source
        return sheet

    async def layers(self, slug: str, start_ms: int, end_ms: int) -> Mapping[Layer, list[Sheet]]:
        return {Layer.LIVE: [self._sheet(slug, start_ms, end_ms)]}

    async def corrected(self, slug: str, start_ms: int, end_ms: int) -> Sequence[Correction]:
        return ()

    async def registers(self, slug: str, start_ms: int, end_ms: int) -> Mapping[str, list[Sheet]]:
        return {name: [sheet] for name, sheet in self._registers.get(slug, {}).items()}

    async def rollups(self, slugs: Sequence[str], resolution: str, start_ms: int, end_ms: int) -> dict[str, list[Rollup]]:
        found: dict[str, list[Rollup]] = {}
        for slug in slugs:
            slots = [at_ms for at_ms in self._slots[slug] if start_ms <= at_ms < end_ms]
            whole = Rollup(min(slots, default=0), end_ms, 0, len(slots) * SLOT_MS, 0, 0, Layer.LIVE, None, None, None, None)
            found[slug] = [whole] if slots else []
        return found
