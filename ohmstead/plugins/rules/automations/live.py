"""The world of a running hub: its live states, its devices, people, broker and the web."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.errors import Invalid
from ohmstead.core.events import ConfigReloaded, SeriesAdded
from ohmstead.core.model import Command, Series, State
from ohmstead.core.notice import Notice
from ohmstead.core.quantity import Kind
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.protocols.http import Http
from ohmstead.plugins.protocols.mqtt import Mqtt
from ohmstead.plugins.rules.automations.functions import Energies

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.core.ingest import Batch, Feed

SOURCE = "automations"
ATTEMPTS = 3  # of a command that may be repeated
TEXT = Kind.TEXT
CALL_S, ANSWER_MOST = 10.0, 64_000


class LiveFacts:
    """What the hub knows now."""

    def __init__(self, hub: Hub, devices: Devices, energies: Energies) -> None:
        self._states, self._devices = hub.states, devices
        self.energy, self.want = energies.kwh, energies.want
        self._known: dict[str, Series] = {}
        self._looked = -1
        hub.bus.subscribe(SeriesAdded, self._added)

    def state(self, address: str) -> State | None:
        """The live state of `device.quantity`."""
        series = self._known.get(address)
        found = None if series is None else self._states.get(series)
        if found is None and len(self._states) != self._looked:  # some states are of no device, such as those of tariffs
            self._looked = len(self._states)
            self._known = {state.series.address: state.series for state in self._states}
            series = self._known.get(address)
            found = None if series is None else self._states.get(series)
        return found

    def _added(self, event: SeriesAdded) -> None:
        self._known[event.series.address] = event.series

    @property
    def zone(self) -> ZoneInfo:
        """That of the home."""
        return ZoneInfo(self._devices.locations.zone_of(HOME))

    @property
    def position(self) -> tuple[float, float] | None:
        """Degrees north and east of the home."""
        home = self._devices.locations.get(HOME)
        return None if home.latitude is None or home.longitude is None else (home.latitude, home.longitude)


class LiveHands:
    """What the hub can do."""

    def __init__(self, hub: Hub, commands: Commands, notifiers: Notifiers, mqtt: Mqtt, http: Http) -> None:
        self._hub, self._commands, self._notifiers, self._mqtt, self._http = hub, commands, notifiers, mqtt, http
        self._virtual: set[str] = set()
        self._batch: Batch | None = None  # the live state of what is in it has moved already
        hub.bus.subscribe(ConfigReloaded, lambda _: self._virtual.clear())

    def command(self, command: Command, holder: str, name: str, priority: int, hold_s: float | None) -> Awaitable[str]:
        """Tell a device, tried again while that changes nothing."""
        self._commands.arbiter.take(command, holder, name, priority, hold_s)

        async def send() -> str:
            return str((await self._commands.send(command, f"automation {name}", ATTEMPTS))["result"])

        return send()

    def release(self, holder: str) -> None:
        """What a run held is free."""
        self._commands.arbiter.release(holder)

    def set(self, device: str, quantity: str, value: float | str) -> Awaitable[str] | None:
        """A reading like any other: stored, and back after a restart. It is later than the one before, by a millisecond at least."""
        if device not in self._virtual:
            self._look(device)
        hub, batch = self._hub, self._batch
        if batch is None:
            batch = self._batch = hub.ingest.batch(SOURCE, "reading", live=False)
            asyncio.get_running_loop().call_soon(self._store)
        now_ms = batch.now_ms
        feed: Feed = hub.ingest.feed(device, SOURCE, now_ms)
        series = feed.series.get(quantity)
        state = None if series is None else hub.states.get(series)
        at_ms = now_ms if state is None else max(now_ms, state.updated_ms + 1)
        reason = batch.add(feed, quantity, value, at_ms)
        if reason is not None:
            raise Invalid(reason)
        row = (batch.texts if feed.series[quantity].kind is TEXT else batch.rows)[-1]
        hub.states.set(row.series, row.value, at_ms, now_ms)
        return None

    def _store(self) -> None:
        """Have all stored together that was set before others got their turn."""
        batch, self._batch = self._batch, None
        if batch is not None and batch.size:
            self._hub.ingest.send(batch)

    def _look(self, device: str) -> None:
        """Remember that nobody runs a device. Invalid when somebody does."""
        for runner, _ in self._hub.runners:
            if device in runner.devices:
                raise Invalid(f"{device} is no virtual device: {runner.entry.integration.type} runs it; use command")
        self._virtual.add(device)

    async def notify(self, notice: Notice) -> str:
        """Put it into the outbox."""
        await self._notifiers.send(notice)
        return "sent"

    async def publish(self, topic: str, payload: bytes, retain: bool) -> str:
        """Publish at QoS 1."""
        await self._mqtt.publish(topic, payload, 1, retain)
        return "published"

    async def call(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> str:
        """Call a web address. What it answers is read, and left."""
        if method == "GET":
            answer = await self._http.get(url, headers=headers, timeout_s=CALL_S, limit=ANSWER_MOST)
            return f"answered {len(answer)} bytes"
        await self._http.post_json(url, body, headers=headers, timeout_s=CALL_S, limit=ANSWER_MOST)
        return "answered"


def subscriber(mqtt: Mqtt) -> Callable[[str, Callable[[str, bytes], object]], Callable[[], None]]:
    """Listens to MQTT; what a broker retained is nothing that happens now."""

    def subscribe(filter_: str, told: Callable[[str, bytes], object]) -> Callable[[], None]:
        def handler(message: Any) -> None:
            if not message.retain:
                told(message.topic, bytes(message.payload))
            message.ack()

        return mqtt.subscribe(filter_, handler)

    return subscribe
