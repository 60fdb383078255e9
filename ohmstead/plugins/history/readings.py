"""`/devices/{id}/energy/readings`: the readings of one series, raw or gathered into buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.history.instant import cursor, instant, span
from ohmstead.plugins.storage.buckets import RESOLUTIONS, Bucket
from ohmstead.plugins.storage.history import History, SeriesInfo

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.devices.registry import Devices

DEFAULT, MOST = 1000, 5000  # readings on a page
limit = validate.integer(1, MOST)
RANGE: dict[Any, Any] = {
    vol.Optional("start", description="from this instant on; a day before the end unless given"): instant,
    vol.Optional("end", description="up to this instant, not included; now unless given"): instant,
}
QUERY: dict[Any, Any] = {
    vol.Optional("quantity", default="power", description="what was measured"): validate.slug,
    **RANGE,
    vol.Optional("resolution", default="raw", description=f"raw, {', '.join(RESOLUTIONS)}"): validate.one_of("raw", *RESOLUTIONS),
    vol.Optional("tz", description="zone whose hours and days are meant; that of the device's location unless given"): validate.time_zone,
    vol.Optional("limit", default=DEFAULT, description="at most so many, up to 5,000"): limit,
    vol.Optional("cursor", description="meta.nextCursor of the page before"): cursor,
}


class Readings:
    """Finds series and reads them."""

    def __init__(self, history: History, devices: Devices, quantities: Quantities, clock: Clock) -> None:
        self._history, self._devices, self._quantities, self._clock = history, devices, quantities, clock

    def route(self) -> Route:
        """The operation, with its schema."""
        path, summary = "/devices/{id}/energy/readings", "Readings of a device, oldest first"
        return Route("GET", path, self.page, "read", summary, query=QUERY, tags=("history",))

    async def page(self, call: Call) -> Reply:
        """A page of readings, raw as at and value or gathered as start, min, mean, max, first, last, count."""
        asked, device = call.query, call.path["id"]
        start, end = span(asked.get("start"), asked.get("end"), self._clock)
        series = await self.series(device, asked["quantity"])
        if series is None:
            return Reply([])
        most, after = asked["limit"], asked.get("cursor")
        if asked["resolution"] == "raw":
            return await self._raw(series, start, end, most, after)
        zone = ZoneInfo(asked.get("tz") or self._devices.zone_of(device))
        found = await self._history.buckets(series.key, series.kind, start, end, asked["resolution"], zone, most + 1, after)
        more = str(found[most - 1].start_ms) if len(found) > most else None
        return Reply([_gathered(bucket) for bucket in found[:most]], next_cursor=more)

    async def series(self, device: str, quantity: str) -> SeriesInfo | None:
        """A series, None when nothing of it is stored. NotFound for a device, Invalid for a quantity nobody knows."""
        found = await self._history.find(device, quantity)
        if found:
            return found[0]
        if device not in self._devices and not await self._history.find(device):
            raise NotFound(f"there is no device {device[:64]!r}")
        if quantity not in self._quantities:
            hint = validate.did_you_mean(quantity, self._quantities)
            raise Invalid(f"there is no quantity {quantity!r}.{hint}", [{"path": "quantity", "message": f"unknown quantity.{hint}"}])
        return None

    async def _raw(self, series: SeriesInfo, start: int, end: int, most: int, after: int | None) -> Reply:
        if series.kind is Kind.DELTA:
            return _periods(await self._history.deltas(series.key, start, end, most + 1, after), most)
        found = await self._history.raw(series.key, start, end, most + 1, after, series.kind)
        more = str(found[most - 1][0]) if len(found) > most else None
        return Reply([{"at": iso(at_ms), "value": value} for at_ms, value in found[:most]], next_cursor=more)


def _periods(found: Sequence[tuple[int, int, float]], most: int) -> Reply:
    """A page of deltas; periods that end together stay on one page, because the cursor is their end."""
    page, more = list(found[:most]), None
    if len(found) > most:
        page = [period for period in page if period[1] < found[most][1]] or page
        more = str(page[-1][1])
    return Reply([{"start": iso(start), "at": iso(end), "value": value} for start, end, value in page], next_cursor=more)


def _gathered(bucket: Bucket) -> dict[str, Any]:
    return {"start": iso(bucket.start_ms), "min": bucket.min, "mean": bucket.mean, "max": bucket.max,
            "first": bucket.first, "last": bucket.last, "count": bucket.count}  # fmt: skip
