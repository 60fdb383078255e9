"""`/meter-points/{id}/intervals`: what a meter point measured, slot by slot or by the local hour, day, month or year."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, Clock, from_ms
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.ledger.layers import interval, intervals, kwh
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.ledger.rollups import Rollup
from ohmstead.plugins.ledger.slots import DAY_MS, DEFAULT_MS, local

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

RESOLUTIONS = ("slot", "hour", "day", "month", "year")
MOST = 10_000
QUERY: dict[Any, Any] = {
    vol.Optional("start", description="where it begins: a day where the meter point is, or an instant with its offset; "
                                      "a day before the end unless given"): moment,
    vol.Optional("end", description="where it ends, not included; now unless given"): moment,
    vol.Optional("resolution", default="slot", description=", ".join(RESOLUTIONS)): validate.one_of(*RESOLUTIONS),
    vol.Optional("layers", default=False, description="true: of each slot also what every layer says"): validate.boolean,
    vol.Optional("limit", default=1000, description="at most so many, up to 10,000"): validate.integer(1, MOST),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.integer(EARLIEST_MS, LATEST_MS),
}  # fmt: skip


class IntervalRoutes:
    """Reading the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    def all(self) -> list[Route]:
        """The operation, with its schema."""
        summary = "What it measured, in order of time"
        return [Route("GET", "/meter-points/{id}/intervals", self.intervals, "read", summary, query=QUERY, tags=("meter points",))]

    async def intervals(self, call: Call) -> Reply:
        """A page of intervals; their times are those of the meter point's zone."""
        slug, query, limit = self._ledger.points.get(call.path["id"]).id, call.query, call.query["limit"]
        zone = self._ledger.points.zone_of(slug)
        start_ms, end_ms = self._span(query, zone)
        start_ms = query.get("cursor", start_ms)
        if query["resolution"] == "slot":
            found = await self._slots(slug, start_ms, end_ms, limit, ZoneInfo(zone), query["layers"])
        elif query["layers"]:
            raise _wrong("layers", "only slots have layers; ask with resolution=slot")
        else:
            found = await self._longer(slug, query["resolution"], start_ms, end_ms, limit, ZoneInfo(zone))
        return Reply([item for _, item in found[:limit]], next_cursor=str(found[limit][0]) if len(found) > limit else None)

    def _span(self, query: Any, zone: str) -> tuple[int, int]:
        end_ms = instant_ms(query["end"], zone) if "end" in query else self._clock.now_ms()
        start_ms = instant_ms(query["start"], zone) if "start" in query else end_ms - DAY_MS
        if start_ms >= end_ms:
            raise _wrong("start", "expected a day or instant before the end")
        return start_ms, end_ms

    async def _slots(
        self, slug: str, start_ms: int, end_ms: int, limit: int, zone: ZoneInfo, layers: bool
    ) -> list[tuple[int, dict[str, Any]]]:
        """One more than a page; each with the instant at which it begins."""
        until_ms = min(end_ms, start_ms + (limit + 1) * DEFAULT_MS)
        sheets = (await self._ledger.sheets([slug], start_ms, until_ms))[slug]
        begins = [sheet.start_ms + at * sheet.slot_ms for sheet in sheets for at in range(len(sheet))]
        shown = list(zip(begins, intervals(sheets, zone), strict=True))
        if layers:
            said = await self._ledger.layers(slug, start_ms, until_ms)
            each = {layer: list(intervals(sheets, zone)) for layer, sheets in said.items()}
            for place, (_, item) in enumerate(shown):
                item["layers"] = {
                    layer.name.lower(): {key: items[place][key] for key in ("kwh", "quality", "covered_s")}
                    for layer, items in each.items() if items[place]["kwh"] is not None
                }  # fmt: skip
        return shown

    async def _longer(
        self, slug: str, resolution: str, start_ms: int, end_ms: int, limit: int, zone: ZoneInfo
    ) -> list[tuple[int, dict[str, Any]]]:
        """One more than a page; those of which nothing is known are there too."""
        spans = list(islice(local(resolution, zone, start_ms, end_ms), limit + 1))
        known = await self._ledger.rollups([slug], resolution, spans[0][0], spans[-1][1])
        by_start = {rollup.start_ms: rollup for rollup in known[slug]}
        power = self._ledger.points.get(slug).unit == "kWh"
        return [(span[0], _shown(*span, by_start.get(span[0]), zone, power)) for span in spans]


def _shown(start_ms: int, end_ms: int, rollup: Rollup | None, zone: ZoneInfo, power: bool) -> dict[str, Any]:
    if rollup is None:
        return interval(start_ms, end_ms, 0, (0, 0, 0), 0, zone)
    cover = rollup.measured_ms, rollup.estimated_ms, rollup.reset_ms
    return {**interval(start_ms, end_ms, rollup.mwh, cover, rollup.source, zone), **dict(_peaks(rollup, zone, power))}


def _peaks(rollup: Rollup, zone: ZoneInfo, power: bool) -> Iterator[tuple[str, Any]]:
    """The greatest mean power over a quarter-hour and an hour, in kW, and when that began; null for a volume, which has no power."""
    for minutes, mwh, at_ms in ((15, rollup.peak_15_mwh, rollup.peak_15_ms), (60, rollup.peak_60_mwh, rollup.peak_60_ms)):
        if power and mwh is not None and at_ms is not None:
            yield f"peak_{minutes}_kw", kwh(mwh * 60 // minutes)
            yield f"peak_{minutes}_at", from_ms(at_ms).astimezone(zone).isoformat()
        else:
            yield from ((f"peak_{minutes}_{what}", None) for what in ("kw", "at"))


def _wrong(path: str, message: str) -> Invalid:
    return Invalid(f"{path}: {message}", [{"path": path, "message": message}])
