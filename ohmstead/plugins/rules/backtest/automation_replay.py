"""Automations, run again on what was recorded by the engine that runs them live."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from ohmstead.core.bus import Bus
from ohmstead.core.events import DeviceStatusChanged
from ohmstead.core.model import DeviceStatus, Series
from ohmstead.core.states import States
from ohmstead.plugins.rules.automations.automation import Automation
from ohmstead.plugins.rules.automations.engine import Engine
from ohmstead.plugins.rules.automations.functions import functions
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.automations.timers import Timers
from ohmstead.plugins.rules.automations.webhooks import Webhooks
from ohmstead.plugins.rules.automations.world import World
from ohmstead.plugins.rules.backtest.past import PastClock, PastFacts, PastHands
from ohmstead.plugins.rules.backtest.recording import Merged
from ohmstead.plugins.rules.templates import Templates
from ohmstead.plugins.rules.watch import Watches


class Ended(deque[Run]):
    """Stands where traces are kept, and hands each on instead of keeping it."""

    def __init__(self, told: Callable[[Run], object]) -> None:
        super().__init__()
        self._told = told

    def append(self, run: Run, /) -> None:
        """A run ended."""
        self._told(run)


class Replay:
    """One world of the past and its engine. Belongs to whichever thread works with it, one at a time."""

    def __init__(self, clock: PastClock, facts: PastFacts, states: States, bus: Bus) -> None:
        self.clock, self.facts, self._states, self._bus = clock, facts, states, bus
        self._stood: dict[str, DeviceStatus] = {}
        self.hands = PastHands(clock, states, facts)
        self._watches, self._timers = Watches(clock), Timers(clock)
        self._watches.listen(bus)
        templates = Templates(functions(facts, clock))
        self.world = World(
            clock, bus, self._watches, self._timers, facts, self.hands, templates, lambda topic, told: lambda: None, Webhooks(clock)
        )
        self.engine = Engine(self.world)

    @classmethod
    def at(cls, facts: Callable[[PastClock, States], PastFacts], now_ms: int) -> Replay:
        """One that stands at an instant and knows nothing yet."""
        clock, bus = PastClock(now_ms), Bus()
        states = States(bus)
        return cls(clock, facts(clock, states), states, bus)

    def add(self, automations: Iterable[Automation], told: Callable[[Run], object]) -> None:
        """Let them listen; `told` is told of every run that ends."""
        for automation in automations:
            automation.traces = Ended(told)
            self.engine.add(automation)

    def feed(self, owners: Sequence[Series | str], rows: Merged) -> None:
        """Live through readings in order of time; places are those of their series in `owners`, or of a device whose status it is."""
        due_ms, moved = self._due_ms(), self.hands.moved
        for at_ms, place, value in rows:
            if due_ms <= at_ms:
                self.ring(at_ms)
            self.clock.move(at_ms)
            owner = owners[place]
            if isinstance(owner, str):
                self._stand(owner, DeviceStatus(value), at_ms)
            elif owner not in moved:
                self._states.set(owner, value, at_ms, at_ms)
            due_ms = self._due_ms()

    def _stand(self, device: str, status: DeviceStatus, at_ms: int) -> None:
        """The first one is how the device stood when the replay began: nothing happened then."""
        old, self._stood[device] = self._stood.get(device), status
        if old is not None:
            self._bus.publish(DeviceStatusChanged(device, old, status, "", at_ms))

    def ring(self, until_ms: int) -> None:
        """Live through all that is due up to an instant, included."""
        while (due_ms := self._due_ms()) <= until_ms:
            self.clock.move(math.ceil(due_ms))
            self._watches.ring()
            self._timers.ring()

    def _due_ms(self) -> float:
        gate_s, timer_ms = self._watches.next_ring, self._timers.next_ms
        return min(math.inf if gate_s is None else gate_s * 1000, math.inf if timer_ms is None else timer_ms)
