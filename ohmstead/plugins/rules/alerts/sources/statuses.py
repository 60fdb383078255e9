"""Rules on devices that are offline or in error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ohmstead.core.events import ConfigReloaded, DeviceChanged, DeviceStatusChanged, LocationChanged
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import OFFLINE, Rule
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.alerts.sources.source import Gates
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.watch import Watches

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices


class Statuses:
    """Watches statuses. A rule on devices being offline is about their gateways too."""

    def __init__(self, watches: Watches, alerts: Alerts, selection: Selection, devices: Devices) -> None:
        self._alerts, self._selection, self._devices = alerts, selection, devices
        self._gates = Gates(watches, alerts)
        self._by_device: dict[str, list[Gate]] = {}
        self._rules: dict[str, Rule] = {}
        self._nested = False  # whether any device was ever behind a gateway

    def listen(self, subscribe: Callable[[Any, Callable[[Any], object]], object]) -> None:
        """Follow statuses, devices that come, go and change, and locations that move."""
        subscribe(DeviceStatusChanged, self._moved)
        for event in (DeviceChanged, ConfigReloaded, LocationChanged):
            subscribe(event, self._look)

    def start(self, rule: Rule) -> None:
        """Watch the devices of a rule; one that is offline already is so at once."""
        self._rules[rule.id] = rule
        for device in self._wanted(rule):
            self._add(rule, device)

    def stop(self, rule: Rule) -> None:
        """No longer."""
        self._rules.pop(rule.id, None)
        self._gates.stop(rule.id)

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What it says now."""
        found = []
        for device, gate in sorted(self._gates.of(rule.id), key=lambda pair: pair[0]):
            entry = self._devices.find(device)
            value, at_ms = (None, None) if entry is None else (entry.status.value, entry.since_ms)
            says = self._gates.says(rule, device, gate, value, at_ms, "")
            found.append({**says, "meets": value == rule.kind})
        return found

    def _wanted(self, rule: Rule) -> set[str]:
        devices = self._selection.devices(rule)
        return self._selection.with_gateways(devices) if rule.kind == OFFLINE else devices

    def _add(self, rule: Rule, device: str) -> None:
        def fact(turn: Turn) -> Fact:
            message = self._message(rule, device) if turn.on else None
            return Fact(rule, device, turn.on, turn.at_ms, None, device, turn=turn, message=message)

        def join(gate: Gate) -> Callable[[], None]:
            gates = self._by_device.setdefault(device, [])
            gates.append(gate)
            return lambda: gates.remove(gate)

        gate = self._gates.add(rule, device, Comparison("equals", rule.kind), fact, join)
        entry = self._devices.find(device)
        if entry is not None:
            gate.look(entry.status.value, entry.since_ms)

    def _message(self, rule: Rule, device: str) -> str:
        entry = self._devices.find(device)
        name, why = (device, "") if entry is None else (entry.device.name, entry.reason)
        return f"{name} is {'offline' if rule.kind == OFFLINE else 'in error'}" + (f": {why}." if why else ".")

    def _moved(self, event: DeviceStatusChanged) -> None:
        for gate in tuple(self._by_device.get(event.device, ())):
            gate.look(event.new.value, event.at_ms)

    def _look(self, event: DeviceChanged | ConfigReloaded | LocationChanged) -> None:
        self._nested = self._nested or self._selection.nested
        for rule in self._rules.values():
            if isinstance(event, DeviceChanged) and (rule.kind != OFFLINE or not self._nested):  # else its gateways may be others, too
                self._gates.follow(rule, event.device, self._selection.has(rule, event.device), self._add)
            else:
                wanted = self._wanted(rule)
                for device in wanted | {device for device, _ in self._gates.of(rule.id)}:
                    self._gates.follow(rule, device, device in wanted, self._add)
