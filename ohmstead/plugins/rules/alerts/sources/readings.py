"""Rules on readings, and on the live states that say what energy costs: one gate for each series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ohmstead.core.events import ConfigReloaded, DeviceChanged, LocationChanged
from ohmstead.core.model import State
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import BUDGET, PRICE, Rule
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.alerts.setting import Setting
from ohmstead.plugins.rules.alerts.sources.source import Gates
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.watch import Watches

TARIFF = "tariff"  # the device of the live states of the home's main contract; those of another are tariff_<contract>
COSTS: Mapping[str, str] = {"day": "cost_today", "month": "cost_month"}


class Readings:
    """Watches series."""

    def __init__(self, watches: Watches, alerts: Alerts, selection: Selection, setting: Setting, quantities: Quantities) -> None:
        self._watches, self._selection, self._setting, self._quantities = watches, selection, setting, quantities
        self._gates = Gates(watches, alerts)
        self._newest: dict[str, State] = {}  # of what is no device: the live costs
        self._selecting: dict[str, Rule] = {}

    def listen(self, subscribe: Callable[[Any, Callable[[Any], object]], object]) -> None:
        """Follow devices that come, go and change, locations that move, and meter points that others measure now."""
        for event in (DeviceChanged, ConfigReloaded, LocationChanged, LedgerChanged):
            subscribe(event, self._look)

    def start(self, rule: Rule) -> None:
        """Watch the series of a rule."""
        if rule.kind not in (PRICE, BUDGET) and self._selection.may_change(rule):
            self._selecting[rule.id] = rule
        for address in self.addresses(rule):
            self._add(rule, address)

    def stop(self, rule: Rule) -> None:
        """No longer."""
        self._selecting.pop(rule.id, None)
        self._gates.stop(rule.id)

    def addresses(self, rule: Rule) -> set[str]:
        """The addresses of a rule's series."""
        if rule.kind in (PRICE, BUDGET):
            contract = rule.options.get("contract")
            device = TARIFF if contract is None else f"{TARIFF}_{contract}"
            return {f"{device}.{'price_now' if rule.kind == PRICE else COSTS[rule.options.get('period', 'month')]}"}
        return {f"{device}.{rule.options['quantity']}" for device in self._selection.devices(rule)}

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What it says now."""
        return [self._says(rule, address, gate) for address, gate in sorted(self._gates.of(rule.id), key=lambda pair: pair[0])]

    def _says(self, rule: Rule, address: str, gate: Gate) -> dict[str, Any]:
        state = self._state(address)
        value, at_ms = (None, None) if state is None else (state.value, state.updated_ms)
        return self._gates.says(rule, address, gate, value, at_ms, self._unit(address))

    def _add(self, rule: Rule, address: str) -> None:
        device, _, quantity = address.partition(".")
        about = None if rule.kind in (PRICE, BUDGET) else device

        def fact(turn: Turn) -> Fact:
            return Fact(rule, address, turn.on, turn.at_ms, turn.value, about, quantity, self._unit(address), turn)

        def join(gate: Gate) -> Callable[[], None]:
            if about is not None:
                return self._watches.watch(address, gate)
            ends = self._watches.watch(address, lambda new, old: self._newest.update({address: new})), self._watches.watch(address, gate)

            def end() -> None:
                for each in ends:
                    each()

            return end

        self._gates.add(rule, address, self._fitted(rule, quantity), fact, join)

    def _fitted(self, rule: Rule, quantity: str) -> Comparison:
        assert rule.comparison is not None
        return rule.comparison.fit(self._quantities[quantity].kind)

    def _state(self, address: str) -> State | None:
        device, _, quantity = address.partition(".")
        return self._newest.get(address) or self._setting.state(device, quantity)

    def _unit(self, address: str) -> str:
        state = self._state(address)
        return self._quantities[address.partition(".")[2]].unit if state is None else state.series.unit

    def _look(self, event: DeviceChanged | ConfigReloaded | LocationChanged | LedgerChanged) -> None:
        """Begin with devices that rules are about now, and leave those that they no longer are."""
        for rule in self._selecting.values():
            if isinstance(event, DeviceChanged):
                address = f"{event.device}.{rule.options['quantity']}"
                self._gates.follow(rule, address, self._selection.has(rule, event.device), self._add)
            elif not isinstance(event, LedgerChanged) or "meter_point" in rule.options:
                wanted = self.addresses(rule)
                for address in wanted | {address for address, _ in self._gates.of(rule.id)}:
                    self._gates.follow(rule, address, address in wanted, self._add)
