"""The demo house under automations, lived through at a stride: its physics, and its devices, which obey."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ohmstead.config import blueprints
from ohmstead.core.clock import ManualClock, from_ms, settle
from ohmstead.core.model import Command, Reading, Series
from ohmstead.core.plugin import Integration
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.core.runner import Entry
from ohmstead.integrations.demo_house.faults import Faults
from ohmstead.integrations.demo_house.house import SWITCHED, House
from ohmstead.integrations.demo_house.player import Message, Player
from tests.fakes.automated_house import AutomatedHouse

HOUR_MS = 3_600_000


class LivedHouse(AutomatedHouse):
    """`live` lets hours pass. `commands_of` is what a device was told, with the hours since the beginning."""

    def __init__(self, url: str, folder: Path, start_ms: int, every_s: float = 60.0) -> None:
        super().__init__(url, folder, ManualClock(start_ms))
        self.begun_ms, self.every_s = start_ms, every_s
        self.player = Player(House(1, start_ms), round(every_s * 1000), Faults(1, 0))
        self.told_devices: list[tuple[float, str, Any]] = []
        self.automations.blueprints.read = lambda: blueprints.read(folder)

    async def __aenter__(self) -> LivedHouse:
        await super().__aenter__()
        link = Integration("demo_house", {}, connect=self._connect, capabilities=frozenset({"switch"}))
        await self.hub.runners.apply({device: Entry(device, link, {}) for device in SWITCHED})
        await settle()
        return self

    @asynccontextmanager
    async def _connect(self, options: Mapping[str, Any], context: Any) -> AsyncIterator[LivedHouse]:
        yield self

    async def readings(self) -> AsyncIterator[Reading]:
        """None: what the devices say is heard in `live`, all at once."""
        await self.clock.sleep(10.0**9)
        yield Reading("power", 0)

    async def command(self, command: Command) -> None:
        """As over MQTT."""
        now_ms = self.clock.now_ms()
        self.told_devices.append((round((now_ms - self.begun_ms) / HOUR_MS, 2), command.device, command.value))
        payload = json.dumps({"switch": command.value}).encode()
        self._hear(self.player.obey(f"devices/{command.device}/command", payload, now_ms))

    def commands_of(self, device: str) -> list[Any]:
        """What a device was told."""
        return [value for _, told, value in self.told_devices if told == device]

    async def live(self, hours: float) -> None:
        """Let hours pass; the automations `listen`."""
        for _ in range(round(hours * 3600 / self.every_s)):
            await self.skip(self.every_s / 3600, self.every_s)
            self._hear(self.player.play(self.clock.now_ms()))
            await settle()

    def _hear(self, messages: list[Message]) -> None:
        batch = self.ingest.batch("demo house", "demo_house")
        for message in messages:
            if message.topic.endswith("/readings"):
                continue
            feed = batch.feed(message.topic.split("/")[1])
            for quantity, value in json.loads(message.payload).items():
                if quantity not in ("device_id", "timestamp"):
                    batch.add(feed, quantity, value)
        self.ingest.send(batch)

    def price(self, night: float, day: float, hours: int = 36) -> None:
        """What a kWh costs from this hour on: cheap from 22 to 6 o'clock by the clocks of UTC."""
        start_ms = self.clock.now_ms() // HOUR_MS * HOUR_MS
        spans = []
        for at_ms in range(start_ms, start_ms + hours * HOUR_MS, HOUR_MS):
            cheap = not 6 <= at_ms // HOUR_MS % 24 < 22
            end = from_ms(at_ms + HOUR_MS).isoformat()
            spans.append({"start": from_ms(at_ms).isoformat(), "end": end, "price": night if cheap else day})
        series = Series("tariff", Quantity("price_ahead", "", Kind.TEXT, ""))
        self.hub.states.set(series, json.dumps(spans), self.clock.now_ms(), self.clock.now_ms())
