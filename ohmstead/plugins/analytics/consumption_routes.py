"""`/locations/{id}/energy/{consumption,comparison}` and `/buildings/{id}/energy`: what a place consumed, and what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.route import Call, Route
from ohmstead.plugins.analytics import shown
from ohmstead.plugins.analytics.comparison import Pair, pairs
from ohmstead.plugins.analytics.consumption import RESOLUTIONS, Category, Consumption, Used
from ohmstead.plugins.analytics.cost import Cost, Costs
from ohmstead.plugins.analytics.flows import ratio
from ohmstead.plugins.analytics.green_routes import SPAN, span
from ohmstead.plugins.ledger.layers import kwh
from ohmstead.plugins.ledger.slots import midnight
from ohmstead.plugins.tariffs.moment import day

if TYPE_CHECKING:
    from ohmstead.plugins.devices.locations import Locations

BUILDINGS = ("building", "facility")
CONSUMPTION = {**SPAN, vol.Optional("resolution", default="day", description=", ".join(RESOLUTIONS)): validate.one_of(*RESOLUTIONS)}
BUILDING = {
    vol.Optional("start_date", description="first day; that of the running month unless given"): day,
    vol.Optional("end_date", description="last day, included; today unless given"): day,
    vol.Optional("resolution", default="day", description="hour, day or month"): validate.one_of("hour", "day", "month"),
}


class ConsumptionRoutes:
    """The operations on consumption."""

    def __init__(self, consumption: Consumption, costs: Costs, locations: Locations, clock: Clock) -> None:
        self._consumption, self._costs, self._locations, self._clock = consumption, costs, locations, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        place, tags = "/locations/{id}/energy", ("consumption",)
        return [
            Route("GET", f"{place}/consumption", self.consumption, "read", "What it consumed, in all, by span, category and m²",
                  query=CONSUMPTION, tags=tags),
            Route("GET", f"{place}/comparison", self.comparison, "read", "This day, week and month beside those before", tags=tags),
            Route("GET", "/buildings/{id}/energy", self.building, "read", "Consumption, peak and cost of a building",
                  query=BUILDING, tags=tags),
        ]  # fmt: skip

    async def consumption(self, call: Call) -> dict[str, Any]:
        """Spans, the whole, categories."""
        place = self._locations.get(call.path["id"])
        zone = self._consumption.zone(place.id)
        start_ms, end_ms = span(call.query, zone.key, self._clock)
        found = await self._consumption.by(place.id, call.query["resolution"], start_ms, end_ms)
        cost = await self._costs.of(place.id, start_ms, end_ms)
        mwh, _ = await self._consumption.total(place.id, start_ms, end_ms)
        loads = await self._consumption.by_load(place.id, start_ms, end_ms)
        categories = self._consumption.categories(loads, cost.loads if cost.currency else {}, mwh, cost.total)
        whole = Fraction(mwh, 1_000_000)
        per_m2 = None if not place.area_m2 else str(round(float(whole) / place.area_m2, 6))
        return {
            "location": place.id, "start": shown.at(start_ms, zone), "end": shown.at(end_ms, zone),
            "consumption_kwh": kwh(mwh), "kwh_per_m2": per_m2, **shown.cost(cost, zone, (start_ms, end_ms)),
            "categories": _categories(categories, mwh), "items": _items(found, cost, zone),
        }  # fmt: skip

    async def comparison(self, call: Call) -> list[dict[str, Any]]:
        """Each pair with the change, up to now and the same point of the period before."""
        place = self._locations.get(call.path["id"])
        zone = self._consumption.zone(place.id)
        return [await self._compared(place.id, pair, zone) for pair in pairs(self._clock.now_ms(), zone)]

    async def _compared(self, location: str, pair: Pair, zone: ZoneInfo) -> dict[str, Any]:
        now = await self._part(location, pair.start_ms, pair.now_ms, zone)
        same = await self._part(location, pair.before_ms, pair.same_ms, zone)
        whole = await self._part(location, pair.before_ms, pair.end_ms, zone)
        change = None
        if now["mwh"] is not None and same["mwh"]:
            change = f"{(now['mwh'] - same['mwh']) / same['mwh']:.4f}"
        for part in (now, same, whole):
            del part["mwh"]
        return {"compared_with": pair.name, "change": change, "now": now, "same_time_before": same, "before": whole}

    async def _part(self, location: str, start_ms: int, end_ms: int, zone: ZoneInfo) -> dict[str, Any]:
        mwh, covered_ms = await self._consumption.total(location, start_ms, end_ms) if start_ms < end_ms else (0, 0)
        known = covered_ms > 0
        return {"start": shown.at(start_ms, zone), "end": shown.at(end_ms, zone), "consumption_kwh": kwh(mwh) if known else None,
                "mwh": mwh if known else None}  # fmt: skip

    async def building(self, call: Call) -> dict[str, Any]:
        """Items by hour, day or month."""
        place = self._locations.get(call.path["id"])
        if place.kind not in BUILDINGS and place.kind != "home":
            raise NotFound(f"location {place.id!r} is no building; its kind is {place.kind}")
        zone = self._consumption.zone(place.id)
        first, last = self._days(call.query, zone)
        start_ms, end_ms = midnight(zone, first), midnight(zone, last + timedelta(days=1))
        found = await self._consumption.by(place.id, call.query["resolution"], start_ms, end_ms)
        cost = await self._costs.of(place.id, start_ms, end_ms)
        return {"building": place.id, "start_date": first.isoformat(), "end_date": last.isoformat(), "resolution": call.query["resolution"],
                **shown.cost(cost, zone, (start_ms, end_ms)), "items": _items(found, cost, zone)}  # fmt: skip

    def _days(self, query: Any, zone: ZoneInfo) -> tuple[date, date]:
        today = self._clock.now().astimezone(zone).date()
        last = query.get("end_date", today)
        first = query.get("start_date", last.replace(day=1))
        if not first <= last <= first + timedelta(days=800):
            message = "expected a day not before start_date, at most 800 days later"
            raise Invalid("the days are not right", [{"path": "end_date", "message": message}])
        return first, last


def _items(found: Sequence[Used], cost: Cost, zone: ZoneInfo) -> list[dict[str, Any]]:
    amounts = cost.within([(used.start_ms, used.end_ms) for used in found])
    return [shown.used(used, zone, amount if used.covered_ms else None) for used, amount in zip(found, amounts, strict=True)]


def _categories(found: Sequence[Category], mwh: int) -> list[dict[str, Any]]:
    """Each with its share of the energy. Costs are rounded so that together they are the whole."""
    costs = shown.together({each.name: each.cost for each in found if each.cost is not None})
    return [
        {"category": each.name, "consumption_kwh": kwh(each.mwh), "share": ratio(each.mwh, mwh), "cost": costs.get(each.name)}
        for each in found
    ]
