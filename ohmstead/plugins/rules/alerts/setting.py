"""What alerts ask of the house they are about: names, zones, gateways, and what a kWh costs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ohmstead.core.events import DeviceChanged
from ohmstead.core.model import DeviceStatus, State
from ohmstead.core.states import States
from ohmstead.plugins.rules.compare import Value

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices

AWAY = (DeviceStatus.OFFLINE, DeviceStatus.MAINTENANCE)  # of a gateway: nothing behind it can be heard
DEEPEST = 16  # gateways behind gateways


class Setting:
    """Looks at the live house; pure reading."""

    def __init__(self, devices: Devices, states: States) -> None:
        self._devices, self._states = devices, states
        self._price: State | None = None
        self._gateways: set[str] | None = None

    def device_changed(self, event: DeviceChanged) -> None:
        """Which devices are gateways is to be looked up anew."""
        self._gateways = None

    def is_gateway(self, device: str | None) -> bool:
        """Whether any device is behind it."""
        if self._gateways is None:
            self._gateways = {entry.device.via for entry in self._devices if entry.device.via is not None}
        return device in self._gateways

    def hear_price(self, new: State, old: State | None) -> None:
        """Take what a kWh costs now, as a live state."""
        self._price = new

    def name(self, device: str | None) -> str:
        """The name of a device for people."""
        entry = self._devices.find(device) if device else None
        return entry.device.name if entry is not None else device or "the house"

    def zone(self, device: str | None) -> ZoneInfo:
        """The zone of a device's location; the home's for what is no device."""
        return ZoneInfo(self._devices.zone_of(device or ""))

    def gateways(self, device: str | None) -> Iterator[str]:
        """What a device is behind, the nearest first."""
        for _ in range(DEEPEST):
            entry = self._devices.find(device) if device else None
            device = entry.device.via if entry is not None else None
            if device is None:
                return
            yield device

    def dead_gateway(self, device: str | None) -> str | None:
        """The farthest gateway before a device that is offline or worked on."""
        found = None
        for gateway in self.gateways(device):
            entry = self._devices.find(gateway)
            if entry is not None and entry.status in AWAY:
                found = gateway
        return found

    def behind(self, gateway: str) -> int:
        """How many devices are behind a gateway, and behind those."""
        if not self.is_gateway(gateway):
            return 0
        return sum(gateway in self.gateways(entry.device.id) for entry in self._devices if entry.device.via is not None)

    def cost_per_day(self, device: str | None, watts: Value | None = None) -> tuple[str, str] | None:
        """What a device costs in 24 h at the power it takes, now unless given, and the price now: a decimal text and the currency."""
        power = self.state(device, "power") if watts is None else None
        watts = power.value if power is not None else watts
        price = self._price
        if watts is None or isinstance(watts, str) or watts <= 0 or price is None or isinstance(price.value, str):
            return None
        amount = Decimal(str(watts)) * 24 / 1000 * Decimal(str(price.value))
        return str(amount.quantize(Decimal("0.01"))), price.series.unit.partition("/")[0]

    def state(self, device: str | None, quantity: str) -> State | None:
        """The live state of a device's quantity."""
        entry = self._devices.find(device) if device else None
        series = entry.feed.series.get(quantity) if entry is not None else None
        return None if series is None else self._states.get(series)
