"""`/green-energy`: sources, what they gave, taking one out of the balance; and the balance of a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, NotFound, Unavailable, Unsupported
from ohmstead.core.model import Command
from ohmstead.core.route import Call, Route
from ohmstead.plugins.analytics import shown
from ohmstead.plugins.analytics.green import TOTAL, Green
from ohmstead.plugins.analytics.sources import Source, Toggled
from ohmstead.plugins.ledger.layers import kwh
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.ledger.slots import DAY_MS, local

if TYPE_CHECKING:
    from ohmstead.plugins.devices.commands import Commands
    from ohmstead.plugins.ledger.ledger import Ledger

LONGEST_MS = 800 * DAY_MS
MOST = 20_000  # more than the hours of the longest span
SPAN: dict[Any, Any] = {
    vol.Optional("start", description="from this day, or instant, on; a day before the end unless given"): moment,
    vol.Optional("end", description="up to this day, or instant, not included; now unless given"): moment,
}
USAGE = {**SPAN, vol.Optional("resolution", default=TOTAL, description="total, hour, day, month or year"):
         validate.one_of(TOTAL, "hour", "day", "month", "year")}  # fmt: skip
GENERATION = {**SPAN, vol.Optional("resolution", default="hour", description="hour, day, month or year"):
              validate.one_of("hour", "day", "month", "year")}  # fmt: skip
TOGGLE = {
    vol.Required("enabled", description="false: out of the balance from now on; true: back in"): validate.boolean,
    vol.Optional("command", default=True, description="also switch its device, where that can be switched"): validate.boolean,
}


def span(query: Any, zone: str, clock: Clock) -> tuple[int, int]:
    """Start and end as instants. Invalid when they are turned round or too far apart."""
    end_ms = instant_ms(query["end"], zone) if "end" in query else clock.now_ms()
    start_ms = instant_ms(query["start"], zone) if "start" in query else end_ms - DAY_MS
    if not start_ms < end_ms <= start_ms + LONGEST_MS:
        raise Invalid("the span is not right", [{"path": "start", "message": "expected a day or instant before the end, at most 800 days"}])
    return start_ms, end_ms


class GreenRoutes:
    """The operations on green energy."""

    def __init__(self, green: Green, ledger: Ledger, commands: Commands, clock: Clock) -> None:
        self._green, self._ledger, self._commands, self._clock = green, ledger, commands, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        place, source, tags = "/locations/{id}/green-energy", "/green-energy/sources/{id}", ("green energy",)
        return [
            Route("GET", f"{place}/sources", self.sources, "read", "Sources of the location's premises", tags=tags),
            Route("GET", f"{place}/usage", self.usage, "read", "Where each kWh came from and went", query=USAGE, tags=tags),
            Route("GET", f"{source}/generation", self.generation, "read", "What a source gave", query=GENERATION, tags=tags),
            Route("POST", f"{source}/toggle", self.toggle, "write", "Take a source out of the balance, or back in", body=TOGGLE, tags=tags),
        ]

    async def sources(self, call: Call) -> list[dict[str, Any]]:
        """The sources with whether they count now."""
        toggled = await self._green.sources.toggled()
        return [self._source(each, toggled.get(each.id, Toggled())) for each in self._green.sources.of(call.path["id"])]

    async def usage(self, call: Call) -> list[dict[str, Any]]:
        """The balance by span."""
        location = self._ledger.points.locations.get(call.path["id"]).id
        zone = self._ledger.points.locations.zone_of(location)
        found = await self._green.usage(location, *span(call.query, zone, self._clock), call.query["resolution"])
        return [shown.flows(each, flows, ZoneInfo(zone), bool(self._green.carbon)) for each, flows in found[:MOST]]

    async def generation(self, call: Call) -> list[dict[str, Any]]:
        """Energy and highest power of each span; `capacity_factor` is the mean power over the source's capacity."""
        source, resolution = self._green.sources.get(call.path["id"]), call.query["resolution"]
        zone = self._ledger.points.zone_of(source.id)
        spans = list(local(resolution, ZoneInfo(zone), *span(call.query, zone, self._clock)))[:MOST]
        known = await self._ledger.rollups([source.id], resolution, spans[0][0], spans[-1][1])
        by_start = {each.start_ms: each for each in known[source.id]}
        rows = []
        for start_ms, end_ms in spans:
            each = by_start.get(start_ms)
            peak = None if each is None or each.peak_15_mwh is None else kwh(each.peak_15_mwh * 4)
            full = None if each is None or not source.capacity_kw else each.mwh / (source.capacity_kw * (end_ms - start_ms) / 3.6)
            rows.append({"start": shown.at(start_ms, ZoneInfo(zone)), "end": shown.at(end_ms, ZoneInfo(zone)),
                         "generation_kwh": None if each is None else kwh(each.mwh), "peak_kw": peak,
                         "capacity_factor": None if full is None else round(full, 4)})  # fmt: skip
        return rows

    async def toggle(self, call: Call) -> dict[str, Any]:
        """From now on; with what became of the command to its device, null where none could be given."""
        source, enabled = self._green.sources.get(call.path["id"]), call.body["enabled"]
        at_ms = await self._green.sources.toggle(source, enabled, call.who.id)
        done = await self._command(source, enabled) if call.body["command"] else None
        return {"id": source.id, "enabled": enabled, "since": iso(at_ms), "command": done}

    async def _command(self, source: Source, enabled: bool) -> dict[str, Any] | None:
        if source.device is None:
            return None
        try:
            return await self._commands.send(Command(source.device, "switch", "on" if enabled else "off"))
        except (Unsupported, NotFound):
            return None  # it has no such command
        except Unavailable as error:
            return {"device": source.device, "result": "unavailable", "reason": str(error), "state": None}

    def _source(self, source: Source, toggled: Toggled) -> dict[str, Any]:
        return {"id": source.id, "name": source.point.name, "kind": source.kind, "location": source.point.location, "device": source.device,
                "capacity_kw": source.capacity_kw, "capacity_kwh": source.capacity_kwh, "enabled": toggled.at(self._clock.now_ms()),
                "toggles": [{"at": iso(at_ms), "enabled": enabled} for at_ms, enabled in toggled.changes]}  # fmt: skip
