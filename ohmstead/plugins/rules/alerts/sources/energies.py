"""Rules on the energy of a running hour, day, month or year, in whole mWh (mL of gas and water)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import Clock
from ohmstead.core.errors import NotFound
from ohmstead.core.supervise import Task
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.alerts.sources.source import Gates
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.watch import Watches

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

REST_S = 5.0  # between two looks
MILLIONTHS = 1_000_000  # mWh of a kWh, mL of a m³


class Energies:
    """Looks at the running period of meter points that changed, and at those that are on when it ends."""

    def __init__(self, watches: Watches, alerts: Alerts, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._gates = Gates(watches, alerts)
        self._rules: dict[str, Rule] = {}
        self._seen: dict[str, tuple[int, int]] = {}  # by rule: energy of the running period, and when that was
        self._dirty: set[str] = set()
        self._ready = asyncio.Event()

    def listen(self, subscribe: Callable[[Any, Callable[[Any], object]], object]) -> None:
        """Hear of what the ledger derives."""
        subscribe(LedgerChanged, self._changed)

    def start(self, rule: Rule) -> None:
        """Watch for a rule."""
        self._rules[rule.id] = rule
        self._dirty.add(rule.id)
        self._ready.set()

    def stop(self, rule: Rule) -> None:
        """No longer."""
        self._rules.pop(rule.id, None)
        self._gates.stop(rule.id)

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What it says now."""
        found = []
        for point, gate in self._gates.of(rule.id):
            value, at_ms = self._seen.get(rule.id, (None, None))
            says = self._gates.says(rule, point, gate, None if value is None else kwh(value), at_ms, self._unit(point))
            found.append(says)
        return found

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
        """Compare the running period of what changed. Unavailable."""
        dirty, self._dirty = self._dirty, set()
        for rule in [rule for rule in self._rules.values() if rule.id in dirty or any(gate.on for _, gate in self._gates.of(rule.id))]:
            point = self.point(rule)
            if point is None:
                continue
            now_ms = self._clock.now_ms()
            value = await self.running(point, rule.options.get("period", "day"), now_ms)
            self._seen[rule.id] = value, now_ms
            self._gate(rule, point).look(value, now_ms)

    async def running(self, point: str, period: str, now_ms: int) -> int:
        """The energy of a meter point in the period that runs, in mWh or mL."""
        zone = ZoneInfo(self._ledger.points.zone_of(point))
        start_ms, end_ms = next(iter(local(period, zone, now_ms, now_ms + 1)))
        found = await self._ledger.rollups([point], period, start_ms, end_ms)
        return sum(each.mwh for each in found[point] if each.start_ms >= start_ms)

    def point(self, rule: Rule) -> str | None:
        """The meter point of a rule: the one stated, or the consumption of its location; None while there is none."""
        if "meter_point" in rule.options:
            return rule.options["meter_point"] if rule.options["meter_point"] in self._ledger.points else None
        found = self._ledger.points.consumption(rule.options["location"])
        return None if found is None else found.id

    def _gate(self, rule: Rule, point: str) -> Gate:
        for subject, gate in self._gates.of(rule.id):
            if subject == point:
                return gate
        quantity = f"energy of the {rule.options.get('period', 'day')}"

        def fact(turn: Turn) -> Fact:
            unit, name = self._unit(point), self._ledger.points.get(point).name
            return Fact(rule, point, turn.on, turn.at_ms, kwh(turn.value), None, quantity, unit, turn, name=name)

        assert rule.comparison is not None
        return self._gates.add(rule, point, scaled(rule.comparison), fact, lambda gate: lambda: None)

    def _unit(self, point: str) -> str:
        try:
            return self._ledger.points.get(point).unit
        except NotFound:
            return "kWh"

    def _changed(self, event: LedgerChanged) -> None:
        touched = {point for point, _, _ in event.changes}
        for rule in self._rules.values():
            if self.point(rule) in touched:
                self._dirty.add(rule.id)
                self._ready.set()


def scaled(comparison: Comparison) -> Comparison:
    """The same in millionths, exactly."""

    def times(value: Any) -> Any:
        return None if value is None else float(Decimal(str(value)) * MILLIONTHS)

    return Comparison(comparison.word, times(comparison.value), times(comparison.high), times(comparison.clear_below))


def kwh(value: Any) -> float:
    """Millionths as kWh or m³, to show."""
    return float(Decimal(str(value)) / MILLIONTHS)
