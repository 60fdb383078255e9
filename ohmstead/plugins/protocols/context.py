"""What an integration is given beside its options: its device's id, the clock, a logger, and the ways to speak."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unsupported
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.protocols.discovery import Discovery
from ohmstead.plugins.protocols.home import Home
from ohmstead.plugins.protocols.http import Http, Sessions
from ohmstead.plugins.protocols.modbus import PORT, TIMEOUT_S, Modbus, ModbusBus
from ohmstead.plugins.protocols.tcp import ByteStream, Tcp

if TYPE_CHECKING:
    from ohmstead.plugins.protocols.mqtt import Mqtt

AfterStored = Callable[[Callable[[], None]], None]


class Context:
    """One device's. The hub makes it anew each time it starts the device's stream."""

    def __init__(self, device: str, protocols: Protocols, after_stored: AfterStored) -> None:
        self.device = device
        self.clock = protocols.clock
        self.quantities = protocols.quantities
        self.log = logging.getLogger(f"ohmstead.device.{device}")
        self.http = Http(protocols.sessions, protocols.clock, protocols.home)
        self._protocols = protocols
        self._after_stored = after_stored
        self._hurry = asyncio.Event()

    @property
    def mqtt(self) -> Mqtt:
        """The house's MQTT connection."""
        return self._protocols.mqtt

    def modbus(self, host: str, port: int = PORT, timeout_s: float = TIMEOUT_S) -> AbstractAsyncContextManager[ModbusBus]:
        """The Modbus TCP bus at `host`, shared with every device there; use it in an `async with` block."""
        return self._protocols.modbus.bus(host, port, timeout_s)

    def tcp(self, host: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A stream of bytes; use it in an `async with` block."""
        return self._protocols.tcp.open(host, port)

    async def poll(self, every_s: float) -> AsyncIterator[datetime]:
        """Now, and then every `every_s` seconds, without drift; gives the instant. Rounds that were missed are left out."""
        due = self.clock.monotonic()
        while True:
            self._hurry.clear()
            yield self.clock.now()
            late = self.clock.monotonic() - due
            if late >= 0:
                due += every_s * max(1, math.ceil(late / every_s))
            await self._wait_until(due)

    async def _wait_until(self, due: float) -> None:
        wait_s = due - self.clock.monotonic()
        if wait_s > 0:
            with suppress(TimeoutError):  # the usual case
                await self.clock.timeout(self._hurry.wait(), wait_s)

    def poll_now(self) -> None:
        """Make `poll` give one more round at once: after a command, say, to see what the device made of it."""
        self._hurry.set()

    async def poll_json(self, url: str, every_s: float, **request: Any) -> AsyncIterator[Any]:
        """The JSON of `url`, now and every `every_s` seconds; `request` as for `http.get_json`."""
        async for _ in self.poll(every_s):
            yield await self.http.get_json(url, **request)

    def after_stored(self, callback: Callable[[], None]) -> None:
        """Call back on this loop once everything yielded so far is committed: the moment to tell the device so."""
        here = asyncio.get_running_loop()

        def stored() -> None:
            if asyncio.get_running_loop() is here:
                callback()
            else:
                here.call_soon_threadsafe(callback)

        self._after_stored(stored)


class Protocols:
    """The transports of the house, shared by all devices: nothing is opened before somebody needs it."""

    def __init__(self, clock: Clock, mqtt: Mqtt | None = None, quantities: Quantities | None = None,
                 interfaces: list[str] | None = None) -> None:  # fmt: skip
        self.clock = clock
        self.quantities = quantities or Quantities()
        self.home = Home()
        self.sessions = Sessions()
        self.modbus = Modbus(clock, self.home)
        self.tcp = Tcp(clock, self.home)
        self.discovery = Discovery(clock, self.home, interfaces)
        self._mqtt = mqtt

    @property
    def mqtt(self) -> Mqtt:
        """The MQTT connection; Unsupported when this house has none."""
        if self._mqtt is None:
            raise Unsupported("this house has no MQTT broker; add mqtt: to the configuration")
        return self._mqtt

    def context(self, device: str, after_stored: AfterStored | None = None, foreign: bool = False) -> Context:
        """What the integration of `device` gets. Without a hub, as in a plugin's own tests, all is stored at once."""
        self.home.bind()
        return Context(device, self, after_stored or (lambda callback: callback()))

    def http(self) -> Http:
        """A way to speak HTTP that is no device's."""
        return Http(self.sessions, self.clock, self.home)

    async def close(self) -> None:
        """Close every connection of every device."""
        self.modbus.close()
        await self.sessions.close()
        await self.discovery.close()

    async def __aenter__(self) -> Protocols:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
