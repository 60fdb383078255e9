"""The world of a replay: its clock, what was known then, and hands that only note what they would have done."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.core.clock import Clock
from ohmstead.core.model import Command, Series, State
from ohmstead.core.notice import Notice
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States
from ohmstead.plugins.devices.arbiter import Arbiter
from ohmstead.plugins.devices.limits import Limits
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local


class PastClock(Clock):
    """Stands at the instant that is replayed. Its waiting time goes with its time of day, and it is always trusted."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def move(self, at_ms: int) -> None:
        """Go on to an instant; never back."""
        self._now_ms = max(self._now_ms, at_ms)

    @property
    def trusted(self) -> bool:
        return True


class Sums(NamedTuple):
    """What a meter point measured up to the end of each slot, in mWh or mL, in the zone of its location."""

    zone: ZoneInfo
    ends_ms: Sequence[int]
    totals: Sequence[int]

    @classmethod
    def of(cls, zone: ZoneInfo, sheets: Sequence[Sheet]) -> Sums:
        """Those of consecutive sheets."""
        ends, totals, total = list[int](), [0], 0
        for sheet in sheets:
            for place, mwh in enumerate(sheet.mwh):
                ends.append(sheet.start_ms + (place + 1) * sheet.slot_ms)
                totals.append(total := total + mwh)
        return cls(zone, ends, totals)

    def running(self, period: str, now_ms: int) -> int:
        """Of the period that runs, as far as its slots have ended."""
        start_ms, _ = next(iter(local(period, self.zone, now_ms, now_ms + 1)))
        return self.totals[bisect_right(self.ends_ms, now_ms)] - self.totals[bisect_right(self.ends_ms, start_ms)]


class PastFacts:
    """What was known at the instant that is replayed."""

    def __init__(
        self, clock: PastClock, states: States, quantities: Quantities, zone: ZoneInfo, position: tuple[float, float] | None
    ) -> None:
        self._clock, self._states, self._quantities = clock, states, quantities
        self._series: dict[str, Series] = {}
        self.zone, self.position = zone, position
        self.wanted: set[str] = set()
        self.sums: dict[str, Sums] = {}

    def series(self, address: str) -> Series:
        """The series of an address, made when it is asked for first."""
        found = self._series.get(address)
        if found is None:
            device, _, quantity = address.partition(".")
            found = self._series[address] = Series(device, self._quantities[quantity])
        return found

    def state(self, address: str) -> State | None:
        """The state then."""
        found = self._series.get(address)
        return None if found is None else self._states.get(found)

    def energy(self, point: str, period: str) -> float:
        """Of the hour, day, month or year that ran, as far as its slots had ended: kWh, or m³."""
        sums = self.sums.get(point)
        return 0.0 if sums is None else sums.running(period, self._clock.now_ms()) / 1_000_000

    def want(self, point: str) -> None:
        """Somebody will ask for the energy of this meter point."""
        self.wanted.add(point)


class Told(NamedTuple):
    """A command that would have been sent."""

    at_ms: int
    automation: str
    command: Command


def switched_on(told: Sequence[Told], start_ms: int, end_ms: int) -> dict[str, list[tuple[int, int]]]:
    """When commands had each device on, within [start, end): from one that is neither off nor 0 to the next that is."""
    since: dict[str, int] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for at_ms, _, command in told:
        spans = found.setdefault(command.device, [])
        if command.value not in ("off", 0):
            since.setdefault(command.device, at_ms)
        elif command.device in since:
            spans.append((since.pop(command.device), at_ms))
    for device, at_ms in since.items():
        found[device].append((at_ms, end_ms))
    cut = {device: [(max(low, start_ms), min(high, end_ms)) for low, high in spans] for device, spans in found.items()}
    return {device: [(low, high) for low, high in spans if low < high] for device, spans in cut.items()}


class PastHands:
    """Notes commands, and sets states of the replay; whatever is done is taken to succeed at once."""

    def __init__(self, clock: PastClock, states: States, facts: PastFacts) -> None:
        self._clock, self._states, self._facts = clock, states, facts
        self._arbiter = Arbiter(clock)
        self.limits = Limits(clock, facts.state, lambda device: False)
        self.told: list[Told] = []
        self.moved: set[Series] = set()  # what the replay set, so that what was recorded of it no longer counts

    def command(self, command: Command, holder: str, name: str, priority: int, hold_s: float | None) -> None:
        """Note it. Conflict when another automation holds what it is about, or a limit forbids it."""
        self._arbiter.take(command, holder, name, priority, hold_s)
        self.limits(command)
        self.told.append(Told(self._clock.now_ms(), name, command))

    def release(self, holder: str) -> None:
        """A run ended."""
        self._arbiter.release(holder)

    def set(self, device: str, quantity: str, value: float | str) -> None:
        """Make a value the state of the replay."""
        series, now_ms = self._facts.series(f"{device}.{quantity}"), self._clock.now_ms()
        self.moved.add(series)
        state = self._states.get(series)
        at_ms = now_ms if state is None else max(now_ms, state.updated_ms + 1)
        self._states.set(series, value, at_ms, at_ms)

    def notify(self, notice: Notice) -> None:
        """Nobody is told; the trace shows what would have been said."""

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Nothing is published."""

    def call(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> None:
        """Nobody is called."""
