"""Telling a device what to do, and believing it only by the device's own report."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict
from ohmstead.core.events import StateChanged, StateReported
from ohmstead.core.model import Command, DeviceStatus, State
from ohmstead.plugins.devices.registry import Devices

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

REPORT_WITHIN_S = 10.0
CLOSE = 0.01  # a device that rounds what it is set to still did it


class Commands:
    """Commands to the devices of this house."""

    def __init__(self, hub: Hub, devices: Devices, within_s: float = REPORT_WITHIN_S) -> None:
        self._hub, self._devices, self._within_s = hub, devices, within_s

    async def send(self, command: Command) -> dict[str, Any]:
        """Send it and wait for the report: result `acknowledged` with what was reported, or `unconfirmed`.

        NotFound when nobody runs it, Conflict when it is decommissioned, Unsupported when it cannot do this, Unavailable
        when it is not there.
        """
        if self._devices.entry(command.device).status is DeviceStatus.DECOMMISSIONED:
            raise Conflict(f"device {command.device} is decommissioned")
        seen: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        quantity = command.quantity or command.capability

        def look(event: Any) -> None:
            series = event.new.series
            if series.device == command.device and series.quantity == quantity and not seen.done() and _done(command, event.new.value):
                seen.set_result(event.new)

        bus = self._hub.bus
        ends = [bus.subscribe(StateChanged, look), bus.subscribe(StateReported, look)]
        try:
            await self._hub.runners.command(command)
            state = await self._hub.clock.timeout(seen, self._within_s)
        except TimeoutError:
            return {"device": command.device, "result": "unconfirmed", "state": None}
        finally:
            for end in ends:
                end()
        reported = {"quantity": state.series.quantity, "value": state.value, "at": iso(state.updated_ms)}
        return {"device": command.device, "result": "acknowledged", "state": reported}


def _done(command: Command, value: float | str) -> bool:
    if isinstance(command.value, str) or isinstance(value, str):
        return command.value == value
    return math.isclose(command.value, value, rel_tol=CLOSE, abs_tol=CLOSE)
