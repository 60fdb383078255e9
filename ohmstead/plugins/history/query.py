"""`POST /query`: several series over a span, one number per interval. Never SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind
from ohmstead.core.route import Call, Route
from ohmstead.plugins.history.instant import instant, span
from ohmstead.plugins.history.readings import DEFAULT, Readings, limit
from ohmstead.plugins.storage.buckets import RESOLUTIONS
from ohmstead.plugins.storage.history import FUNCTIONS, History

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices

MOST_SERIES = 50


def address(value: Any) -> tuple[str, str]:
    """device.quantity, in its two parts."""
    device, dot, quantity = value.partition(".") if isinstance(value, str) else ("", "", "")
    if not dot:
        raise vol.Invalid("expected device.quantity, such as heatpump.power")
    return validate.slug(device), validate.slug(quantity)


BODY: dict[Any, Any] = {
    vol.Required("series", description="what to read, as device.quantity; at most 50"): vol.All([address], vol.Length(1, MOST_SERIES)),
    vol.Required("start", description="from this instant on"): instant,
    vol.Optional("end", description="up to this instant, not included; now unless given"): instant,
    vol.Required("interval", description=f"{', '.join(RESOLUTIONS)}"): validate.one_of(*RESOLUTIONS),
    vol.Optional("aggregate", default="mean", description=f"{', '.join(FUNCTIONS)}"): validate.one_of(*FUNCTIONS),
    vol.Optional("tz", description="zone whose hours and days are meant; that of each device's location unless given"): validate.time_zone,
    vol.Optional("limit", default=DEFAULT, description="at most so many points of each series, up to 5,000"): limit,
}


class Query:
    """Answers questions over several series."""

    def __init__(self, history: History, readings: Readings, devices: Devices, clock: Clock) -> None:
        self._history, self._readings, self._devices, self._clock = history, readings, devices, clock

    def route(self) -> Route:
        """The operation, with its schema."""
        return Route("POST", "/query", self.answer, "read", "Series over a span, one number per interval", body=BODY, tags=("history",))

    async def answer(self, call: Call) -> list[dict[str, Any]]:
        """Each series with its points; `next` is the start to go on with when there were more than the limit."""
        asked = call.body
        start, end = span(asked["start"], asked.get("end"), self._clock)
        return [await self._series(device, quantity, start, end, asked) for device, quantity in asked["series"]]

    async def _series(self, device: str, quantity: str, start: int, end: int, asked: dict[str, Any]) -> dict[str, Any]:
        series = await self._readings.series(device, quantity)
        if series is None:
            return {"series": f"{device}.{quantity}", "unit": None, "points": [], "next": None}
        if series.kind is Kind.TEXT:
            raise Invalid(f"{device}.{quantity} is a text and has no {asked['aggregate']}")
        zone, most = ZoneInfo(asked.get("tz") or self._devices.zone_of(device)), asked["limit"]
        found = await self._history.aggregate(series.key, series.kind, asked["aggregate"], start, end, asked["interval"], zone, most + 1)
        return {
            "series": f"{device}.{quantity}",
            "unit": "" if asked["aggregate"] == "count" else series.unit,
            "points": [{"start": iso(at_ms), "value": value} for at_ms, value in found[:most]],
            "next": iso(found[most][0]) if len(found) > most else None,
        }
