"""What an export is of: the query of `/exports`, turned into a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.reports import bill_lines, intervals, readings
from ohmstead.plugins.reports.formats import FORMATS
from ohmstead.plugins.reports.table import Table

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.billing.bills import Bills
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.ledger.points.points import MeterPoint
    from ohmstead.plugins.storage.history import History

WHAT = ("readings", "intervals", "rollups", "bill")
DAY_MS = 86_400_000


def _some(value: Any) -> tuple[str, ...]:
    """Ids, separated by commas."""
    return tuple(validate.slug(part.strip()) for part in str(value).split(","))


QUERY: dict[Any, Any] = {
    vol.Required("what", description=", ".join(WHAT)): validate.one_of(*WHAT),
    vol.Optional("format", default="csv", description=", ".join(FORMATS)): validate.one_of(*FORMATS),
    vol.Optional("start", description="from this day, or instant with its offset, on; a day before the end unless given"): moment,
    vol.Optional("end", description="up to this day or instant, not included; now unless given"): moment,
    vol.Optional("device", description="readings: of these devices, separated by commas; of all unless given"): _some,
    vol.Optional("quantity", description="readings: of these quantities; of all unless given"): _some,
    vol.Optional("meter_point", description="intervals, rollups: of these meter points; of all unless given"): _some,
    vol.Optional("resolution", default="day", description=f"rollups: {', '.join(intervals.ROLLUPS_MS)}"):
        validate.one_of(*intervals.ROLLUPS_MS),
    vol.Optional("bill", description="bill: its id"): validate.text,
    vol.Optional("contract", description="bill: of this contract"): validate.slug,
    vol.Optional("period", default="last", description="bill: of this period: last, current, 2026-03 or 2026-03-20"): validate.text,
}  # fmt: skip


class Asked:
    """Finds what is asked for."""

    def __init__(self, history: History, devices: Devices, ledger: Ledger, bills: Bills, clock: Clock) -> None:
        self._history, self._devices, self._ledger, self._bills, self._clock = history, devices, ledger, bills, clock

    async def table(self, query: Mapping[str, Any]) -> Table:
        """The table, of which nothing is read yet but what it takes to refuse. NotFound, Invalid."""
        if query["what"] == "bill":
            return await self._bill(query)
        start_ms, end_ms = self._span(query)
        if query["what"] == "readings":
            return await self._readings(query, start_ms, end_ms)
        points = self._points(query)
        if query["what"] == "intervals":
            return intervals.slots(self._ledger, points, start_ms, end_ms)
        return intervals.rollups(self._ledger, points, query["resolution"], start_ms, end_ms)

    def _span(self, query: Mapping[str, Any]) -> tuple[int, int]:
        zone = self._devices.locations.zone_of("home")
        end_ms = instant_ms(query["end"], zone) if "end" in query else self._clock.now_ms()
        start_ms = instant_ms(query["start"], zone) if "start" in query else end_ms - DAY_MS
        if start_ms >= end_ms:
            raise Invalid("start must lie before end", [{"path": "start", "message": "expected a day or instant before end"}])
        return start_ms, end_ms

    async def _readings(self, query: Mapping[str, Any], start_ms: int, end_ms: int) -> Table:
        devices, quantities = query.get("device"), query.get("quantity")
        known = await self._history.find()
        for device in devices or ():
            if device not in self._devices and all(series.device != device for series in known):
                raise NotFound(f"there is no device {device!r}.{validate.did_you_mean(device, {series.device for series in known})}")
        wanted = [
            series for series in known
            if (devices is None or series.device in devices) and (quantities is None or series.quantity in quantities)
        ]  # fmt: skip
        return readings.table(self._history, wanted, start_ms, end_ms)

    def _points(self, query: Mapping[str, Any]) -> list[MeterPoint]:
        given = query.get("meter_point")
        return list(self._ledger.points) if given is None else [self._ledger.points.get(slug) for slug in given]

    async def _bill(self, query: Mapping[str, Any]) -> Table:
        if "bill" in query:
            return bill_lines.table(await self._bills.show(query["bill"]))
        if "contract" not in query:
            raise Invalid("say which bill: its id, or a contract and a period", [{"path": "bill", "message": "is missing"}])
        return bill_lines.table(await self._bills.of(query["contract"], query["period"]))
