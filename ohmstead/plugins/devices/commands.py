"""Telling a device what to do, and believing it only by the device's own report. Every command of the house goes this way."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, OhmsteadError, Unavailable
from ohmstead.core.events import CommandBegun, CommandDone, StateChanged, StateReported
from ohmstead.core.model import Command, DeviceStatus, State
from ohmstead.plugins.devices.arbiter import Arbiter
from ohmstead.plugins.devices.limits import Limits
from ohmstead.plugins.devices.registry import Devices

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

REPORT_WITHIN_S = 10.0
RETRY_AFTER_S = 2.0
CLOSE = 0.01  # a device that rounds what it is set to still did it
ABSOLUTE = ("switch", "set")  # done twice these come to the same, so they may be tried again


class Commands:
    """Commands to the devices of this house. `limits` are asked before every one."""

    def __init__(self, hub: Hub, devices: Devices, within_s: float = REPORT_WITHIN_S) -> None:
        self._hub, self._devices, self._within_s = hub, devices, within_s
        self.arbiter = Arbiter(hub.clock)
        self.limits = Limits(hub.clock, self._state, self._silent)
        self._turns: dict[str, asyncio.Lock] = {}  # by device

    async def send(self, command: Command, who: str = "api", attempts: int = 1) -> dict[str, Any]:
        """Send it and wait for the report: result `acknowledged` with what was reported, or `unconfirmed`.

        Commands to one device go out one after the other. What is absolute is tried up to `attempts` times. NotFound
        when nobody runs it, Conflict when it is decommissioned or a limit forbids it, Unsupported when it cannot do
        this, Unavailable when it is not there.
        """
        began = self._hub.clock.monotonic()
        self._hub.bus.publish(CommandBegun(command.device, command.capability, command.quantity, command.value, who))
        result, reason = "failed", "it was given up"
        try:
            self._devices.entry(command.device)
            async with self._turns.setdefault(command.device, asyncio.Lock()):
                state = await self._tried(command, attempts if command.capability in ABSOLUTE else 1)
            result, reason = ("unconfirmed", "it did not report it") if state is None else ("acknowledged", "")
        except OhmsteadError as error:
            result, reason = ("failed" if isinstance(error, Unavailable) else "refused"), str(error)
            raise
        finally:
            took_ms = round((self._hub.clock.monotonic() - began) * 1000)
            done = CommandDone(command.device, command.capability, command.quantity, command.value, who, result, reason, took_ms)
            self._hub.bus.publish(done)
        shown = None if state is None else {"quantity": state.series.quantity, "value": state.value, "at": iso(state.updated_ms)}
        return {"device": command.device, "result": result, "state": shown}

    def _state(self, address: str) -> State | None:
        device, _, quantity = address.partition(".")
        entry = self._devices.find(device)
        series = None if entry is None else entry.feed.series.get(quantity)
        return None if series is None else self._hub.states.get(series)

    def _silent(self, device: str) -> bool:
        entry = self._devices.find(device)
        return entry is None or entry.status is DeviceStatus.OFFLINE

    async def _tried(self, command: Command, attempts: int) -> State | None:
        for attempt in range(1, attempts + 1):
            try:
                state = await self._once(command)
            except Unavailable:
                if attempt == attempts:
                    raise
                state = None
            if state is not None or attempt == attempts:
                return state
            await self._hub.clock.sleep(RETRY_AFTER_S)
        return None

    async def _once(self, command: Command) -> State | None:
        if self._devices.entry(command.device).status is DeviceStatus.DECOMMISSIONED:
            raise Conflict(f"device {command.device} is decommissioned")
        self.limits(command)
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
            return await self._hub.clock.timeout(seen, self._within_s)
        except TimeoutError:
            return None
        finally:
            for end in ends:
                end()


def _done(command: Command, value: float | str) -> bool:
    if isinstance(command.value, str) or isinstance(value, str):
        return command.value == value
    return math.isclose(command.value, value, rel_tol=CLOSE, abs_tol=CLOSE)
