"""Which devices a rule is about: one, those with a tag, those in a location, those that measure a meter point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ohmstead.core.model import DeviceStatus
from ohmstead.plugins.rules.alerts.rule import Rule

if TYPE_CHECKING:
    from ohmstead.plugins.devices.entry import Entry
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.points.points import MeterPoints


class Selection:
    """Looks them up in the registry as it is now."""

    def __init__(self, devices: Devices, points: MeterPoints) -> None:
        self._devices, self._points = devices, points

    def devices(self, rule: Rule) -> set[str]:
        """The ids of a rule's devices; one that is named need not exist yet."""
        options = rule.options
        if "device" in options:
            return {options["device"]}
        if "meter_point" in options:
            return set(self._measuring(options["meter_point"]))
        if "tag" in options:
            return {entry.device.id for entry in self._all() if options["tag"] in entry.device.tags}
        inside = self._devices.locations.within(options["location"])
        return {entry.device.id for entry in self._all() if entry.device.location in inside}

    def has(self, rule: Rule, device: str) -> bool:
        """Whether a rule is about a device: the same for one, at the cost of one."""
        options, entry = rule.options, self._devices.find(device)
        if "device" in options:
            return bool(device == options["device"])
        if "meter_point" in options:
            return device in self._measuring(options["meter_point"])
        if entry is None or entry.status is DeviceStatus.DECOMMISSIONED:
            return False
        if "tag" in options:
            return options["tag"] in entry.device.tags
        return entry.device.location in self._devices.locations.within(options["location"])

    @property
    def nested(self) -> bool:
        """Whether any device is behind a gateway."""
        return any(entry.device.via is not None for entry in self._devices)

    def may_change(self, rule: Rule) -> bool:
        """Whether devices that come, go or change can change the answer."""
        return "device" not in rule.options

    def with_gateways(self, devices: set[str]) -> set[str]:
        """The devices and what they are behind: when that falls silent, so do they."""
        found, rest = set(devices), list(devices)
        while rest:
            entry = self._devices.find(rest.pop())
            via = entry.device.via if entry is not None else None
            if via is not None and via not in found:
                found.add(via)
                rest.append(via)
        return found

    def _measuring(self, point: str) -> Iterator[str]:
        for binding in self._points.bindings(point):
            if binding.to_ms is None:
                yield from (term.device for term in binding.terms)

    def _all(self) -> Iterator[Entry]:
        return (entry for entry in self._devices if entry.status is not DeviceStatus.DECOMMISSIONED)
