"""What automations know and what they can do. The hub gives a live one; a replay gives recorded facts and notes what would be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.model import Command, State
from ohmstead.core.notice import Notice
from ohmstead.plugins.rules.automations.timers import Timers
from ohmstead.plugins.rules.automations.webhooks import Webhooks
from ohmstead.plugins.rules.templates import Templates
from ohmstead.plugins.rules.watch import Watches


class Facts(Protocol):
    """What is known now."""

    def state(self, address: str) -> State | None:
        """The live state of `device.quantity`."""

    def energy(self, point: str, period: str) -> float:
        """The energy of a meter point in the running hour, day, month or year, in kWh; m³ of volumes."""

    def want(self, point: str) -> None:
        """Somebody will ask for the energy of this meter point."""

    @property
    def zone(self) -> ZoneInfo:
        """That of the home."""

    @property
    def position(self) -> tuple[float, float] | None:
        """Degrees north and east of the home."""


class Hands(Protocol):
    """What can be done. None: it is done. An awaitable gives what came of it, in a word or two; OhmsteadError when it could not be done."""

    def command(self, command: Command, holder: str, name: str, priority: int, hold_s: float | None) -> Awaitable[str] | None:
        """Tell a device. Conflict, at once, when somebody else holds it or a limit forbids it."""

    def release(self, holder: str) -> None:
        """A run ended: what it holds is free, unless it is held for longer."""

    def set(self, device: str, quantity: str, value: float | str) -> Awaitable[str] | None:
        """Make a value the state of a virtual device."""

    def notify(self, notice: Notice) -> Awaitable[str] | None:
        """Have people told."""

    def publish(self, topic: str, payload: bytes, retain: bool) -> Awaitable[str] | None:
        """Publish over MQTT."""

    def call(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Awaitable[str] | None:
        """Call a web address."""


Topic = Callable[[str, Callable[[str, bytes], object]], Callable[[], None]]


class World(msgspec.Struct, frozen=True):
    """All of it. `subscribe(filter, told)` listens to MQTT."""

    clock: Clock
    bus: Bus
    watches: Watches
    timers: Timers
    facts: Facts
    hands: Hands
    templates: Templates
    subscribe: Topic
    webhooks: Webhooks
