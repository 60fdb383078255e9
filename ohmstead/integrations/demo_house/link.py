"""The demo house under a hub: its devices speak to the house's broker as real ones do, and the hub hears them there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.core.clock import from_ms
from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.core.ingest import Ingest
from ohmstead.core.model import Command, DeviceInfo, Reading
from ohmstead.core.plugin import Item
from ohmstead.integrations.demo_house import history
from ohmstead.integrations.demo_house.devices import DEVICES, Values
from ohmstead.integrations.demo_house.faults import Faults
from ohmstead.integrations.demo_house.house import SWITCHED, House
from ohmstead.integrations.demo_house.player import COMMANDS, Message, Player, rounds
from ohmstead.plugins.protocols.context import Context

log = logging.getLogger(__name__)

KEPT = "demo_house.json"
KEEP_EVERY_MS = 60_000
BROKER_WITHIN_S = 20.0


class DemoLink:
    """The connection to a house that is not there."""

    def __init__(self, options: Mapping[str, Any], context: Context, ingest: Ingest, data_dir: Path) -> None:
        self._options, self._context, self._ingest = options, context, ingest
        self._clock = context.clock
        self._kept = data_dir / KEPT
        self._every_ms = round(options["every"] * 1000)
        self._began: dict[str, Values] = {}  # what the registers showed when they were last reset

    async def readings(self) -> AsyncIterator[Item]:
        """The weather over the house; the devices themselves are heard over MQTT."""
        yield DeviceInfo(None, "Demo house", "gateway", "Ohmstead", "Simulated house", "1.0")
        for info in DEVICES:
            yield info
        house = await self._house()
        faults = Faults(house.seed, self._options["faults"])
        faults.began = self._began
        player = Player(house, self._every_ms, faults)
        await self._broker()
        listening = asyncio.create_task(self._listen(player), name="demo house commands")
        try:
            await self._publish(player.hello("online"))
            async for _, at_ms in rounds([player], self._every_ms, self._clock):
                await self._publish(player.play(at_ms))
                if at_ms % KEEP_EVERY_MS < self._every_ms:
                    self._keep(house)
                at, weather = from_ms(at_ms), house.weather
                yield Reading("temperature", round(weather.temperature_c(at_ms / 1000), 2), at)
                yield Reading("irradiance", round(weather.irradiance_w_m2(at_ms / 1000), 1), at)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, Unavailable):
                await listening
            self._keep(house)

    async def command(self, command: Command) -> None:
        """Publish the command where the device listens. Unsupported for a device that cannot be switched."""
        if command.device not in SWITCHED or command.value not in ("on", "off"):
            raise Unsupported(f"{command.device} cannot be switched; {', '.join(SWITCHED)} can, on or off")
        await self._context.mqtt.publish(f"devices/{command.device}/command", msgspec.json.encode({"switch": command.value}), qos=1)

    async def _house(self) -> House:
        """The house as it was left, or one with a history when this is the first time."""
        house = self._left()
        if house is None:
            house = await self._with_history()
        await history.catch_up(house, self._clock.now_ms() // self._every_ms * self._every_ms, self._every_ms)
        self._keep(house)
        return house

    async def _with_history(self) -> House:
        now_ms = self._clock.now_ms()
        start_ms = now_ms - round(self._options["days"] * history.DAY_MS)
        house = House(self._options["seed"], start_ms // history.STEP_MS * history.STEP_MS)
        begun = self._clock.monotonic()
        readings = await history.write(self._ingest, house, now_ms)
        if readings:
            log.info("wrote %g days of history, %d readings, in %.1f s", self._options["days"], readings, self._clock.monotonic() - begun)
        return house

    def _left(self) -> House | None:
        try:
            kept = msgspec.json.decode(self._kept.read_bytes())
            house, self._began = House.restore(kept), dict(kept["began"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read (%s); the demo house begins anew, without another history", self._kept, error)
            return House(self._options["seed"], self._clock.now_ms() // history.STEP_MS * history.STEP_MS)
        return house if house.seed == self._options["seed"] else House(self._options["seed"], house.at_ms)

    def _keep(self, house: House) -> None:
        draft = self._kept.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode({**house.keep(), "began": self._began}))
        draft.replace(self._kept)

    async def _broker(self) -> None:
        """Wait until the house's connection stands, so that a hub that just started does not report a failure."""
        until = self._clock.monotonic() + BROKER_WITHIN_S
        while not self._context.mqtt.connected and self._clock.monotonic() < until:
            await self._clock.sleep(0.1)

    async def _publish(self, messages: list[Message]) -> None:
        for message in messages:
            await self._context.mqtt.publish(message.topic, message.payload, qos=1)

    async def _listen(self, player: Player) -> None:
        async for message in self._context.mqtt.messages(COMMANDS):
            await self._publish(player.obey(message.topic, message.payload, self._clock.now_ms()))
            message.ack()
