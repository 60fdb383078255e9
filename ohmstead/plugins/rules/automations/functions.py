"""What templates can ask: states, prices, the local time, the energy of a meter point."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import Clock, from_ms
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.supervise import Task
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.slots import local

if TYPE_CHECKING:
    from ohmstead.core.bus import Bus
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.rules.automations.world import Facts

REST_S = 5.0  # between two looks at the ledger
PERIODS = {"energy_hour": "hour", "energy_today": "day", "energy_month": "month", "energy_year": "year"}
KWH = 1_000_000  # mWh; mL of a m³
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Price:
    """`price.now` and `price.export`: per kWh, in the currency of the home's main contract; None when it is not known."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    @property
    def now(self) -> float | str | None:
        """What one more kWh costs now, VAT included."""
        return _value(self._facts, "tariff.price_now")

    @property
    def export(self) -> float | str | None:
        """What one more kWh pays now that is sold."""
        return _value(self._facts, "tariff.price_now_export")


class Time:
    """`time.hour`, `time.minute`, `time.day`, `time.month`, `time.weekday` (mon … sun) and `time.date`, by the home's clocks."""

    def __init__(self, facts: Facts, clock: Clock) -> None:
        self._facts, self._clock = facts, clock

    def __getattr__(self, name: str) -> int | str:
        now = from_ms(self._clock.now_ms()).astimezone(self._facts.zone)
        words: Mapping[str, int | str] = {
            "hour": now.hour, "minute": now.minute, "day": now.day, "month": now.month, "weekday": DAYS[now.weekday()],
            "date": now.date().isoformat(),
        }  # fmt: skip
        if name not in words:
            raise AttributeError(f"time has no {name}; it has {', '.join(words)}")
        return words[name]


class Energies:
    """The energy of running periods, kept for the meter points that templates name."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._wanted: set[str] = set()
        self._dirty: set[str] = set()
        self._known: dict[tuple[str, str], tuple[int, int]] = {}  # point and period -> when it ends, and mWh
        self._ready = asyncio.Event()

    def listen(self, bus: Bus) -> None:
        """Hear of what the ledger derives."""
        bus.subscribe(LedgerChanged, self._changed)

    def want(self, point: str) -> None:
        """A template names it."""
        self._wanted.add(point)
        self._touch({point})

    def _changed(self, event: LedgerChanged) -> None:
        self._touch(self._wanted & {point for point, _, _ in event.changes})

    def _touch(self, points: set[str]) -> None:
        if points:
            self._dirty |= points
            self._ready.set()

    def kwh(self, point: str, period: str) -> float:
        """Of the running hour, day, month or year, in kWh (m³ of volumes); 0 before anything is known of it."""
        end_ms, mwh = self._known.get((point, period), (0, 0))
        return mwh / KWH if end_ms > self._clock.now_ms() else 0.0

    async def work(self, task: Task) -> None:
        """Look, for ever."""
        while True:
            self._ready.clear()
            await self.look()
            task.up()
            await self._clock.sleep(REST_S)
            with suppress(TimeoutError):
                await self._clock.timeout(self._ready.wait(), 60.0)

    async def look(self) -> None:
        """Read what changed."""
        dirty, self._dirty = self._dirty, set()
        for point in dirty:
            with suppress(OhmsteadError):  # a database that is away
                await self._read(point)

    async def _read(self, point: str) -> None:
        if self._ledger.points.find(point) is None:
            return
        zone = ZoneInfo(self._ledger.points.zone_of(point))
        now = self._clock.now_ms()
        for period in PERIODS.values():
            start_ms, end_ms = next(local(period, zone, now, now + 1))
            rollups = (await self._ledger.rollups([point], period, start_ms, end_ms))[point]
            self._known[point, period] = end_ms, sum(rollup.mwh for rollup in rollups)


def functions(facts: Facts, clock: Clock) -> dict[str, Any]:
    """By the name that templates use."""

    def state(address: str, default: Any = None) -> Any:
        found = _value(facts, address)
        return default if found is None else found

    def energy(period: str) -> Any:
        return lambda point: facts.energy(point, period)

    return {"state": state, "price": Price(facts), "time": Time(facts, clock), **{name: energy(period) for name, period in PERIODS.items()}}


def _value(facts: Facts, address: str) -> float | str | None:
    found = facts.state(address) if isinstance(address, str) else None
    return None if found is None else found.value


def meter_points(asked: Iterable[tuple[str, str]]) -> set[str]:
    """The meter points among what a template asks."""
    return {argument for name, argument in asked if name in PERIODS}
