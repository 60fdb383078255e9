"""`/states` and the live half of `/telemetry`: what every series says now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.model import State
from ohmstead.core.route import Call, Reply, Route
from ohmstead.core.states import States
from ohmstead.plugins.history.readings import DEFAULT, limit

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.history import History

PAGE: dict[Any, Any] = {
    vol.Optional("limit", default=DEFAULT, description="at most so many, up to 5,000"): limit,
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.text,
}
OF_DEVICE: dict[Any, Any] = {vol.Optional("device", description="only those of this device"): validate.slug, **PAGE}
OF_DEVICE_ID: dict[Any, Any] = {vol.Optional("device_id", description="only this device"): validate.slug, **PAGE}


class Live:
    """Shows live states, sorted by address."""

    def __init__(self, states: States, devices: Devices, history: History) -> None:
        self._states, self._devices, self._history = states, devices, history

    def routes(self) -> list[Route]:
        """The operations, with their schemas."""
        tags, one = ("live",), OF_DEVICE_ID
        return [
            Route("GET", "/states", self.states, "read", "The latest reading of each series", query=OF_DEVICE, tags=tags),
            Route("GET", "/telemetry/realtime", self.realtime, "read", "The latest readings, device by device", query=one, tags=tags),
            Route("GET", "/telemetry/devices", self.devices, "read", "Devices of which anything is stored", query=PAGE, tags=tags),
        ]

    async def states(self, call: Call) -> Reply:
        """A page of states with their three times."""
        return page(call, ((state.series.address, state) for state in self.of(call.query.get("device"))), shown)

    async def realtime(self, call: Call) -> Reply:
        """A page of devices with what they say now."""
        by_device: dict[str, list[State]] = {}
        for state in self.of(call.query.get("device_id")):
            by_device.setdefault(state.series.device, []).append(state)
        return page(call, by_device.items(), self._now)

    async def devices(self, call: Call) -> Reply:
        """A page of devices with the quantities that are stored of them."""
        quantities: dict[str, list[str]] = {}
        for series in await self._history.find():
            quantities.setdefault(series.device, []).append(series.quantity)
        return page(call, ((device, (device, names)) for device, names in quantities.items()), self._stored)

    def of(self, device: str | None) -> Iterable[State]:
        """The states of a device, or all."""
        return (state for state in self._states if device is None or state.series.device == device)

    def _now(self, states: list[State]) -> dict[str, Any]:
        device = states[0].series.device
        entry = self._devices.find(device)
        return {
            "device_id": device,
            "timestamp": iso(max(state.updated_ms for state in states)),
            "status": entry.status.value if entry else None,
            "readings": {state.series.quantity: state.value for state in states},
        }

    def _stored(self, found: tuple[str, list[str]]) -> dict[str, Any]:
        device, quantities = found
        entry = self._devices.find(device)
        seen_ms = entry.feed.heard_ms if entry else 0
        return {
            "device_id": device,
            "name": entry.device.name if entry else device,
            "status": entry.status.value if entry else None,
            "last_seen": iso(seen_ms) if seen_ms else None,
            "quantities": quantities,
        }


def shown(state: State) -> dict[str, Any]:
    """A state for the API."""
    return {
        "device": state.series.device,
        "quantity": state.series.quantity,
        "value": state.value,
        "unit": state.series.unit,
        "at": iso(state.updated_ms),
        "changed": iso(state.changed_ms),
        "reported": iso(state.reported_ms),
        "restored": state.restored,
    }


def page(call: Call, found: Iterable[tuple[str, Any]], show: Any) -> Reply:
    """The page that follows the cursor of things named by a text, in the order of their names."""
    after, most = call.query.get("cursor", ""), call.query.get("limit", DEFAULT)
    rest = sorted(((name, thing) for name, thing in found if name > after), key=lambda pair: pair[0])
    more = rest[most - 1][0] if len(rest) > most else None
    return Reply([show(thing) for _, thing in rest[:most]], next_cursor=more)
