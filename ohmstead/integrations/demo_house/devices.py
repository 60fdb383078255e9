"""The ten devices of a house: who they are and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

import msgspec

from ohmstead.core.model import DeviceInfo
from ohmstead.integrations.demo_house.house import SWITCHED, House
from ohmstead.integrations.demo_house.weather import Chance

Values = dict[str, float | str]

DEVICES = (
    DeviceInfo("D1", "Bulb somebody left on", "light", "Ohmstead", "Simulated bulb", "1.0"),
    DeviceInfo("grid", "Grid meter", "meter", "Ohmstead", "Simulated meter", "1.0"),
    DeviceInfo("pv", "Roof", "inverter", "Ohmstead", "Simulated 6 kW inverter", "1.0"),
    DeviceInfo("battery", "Battery", "battery", "Ohmstead", "Simulated 10 kWh battery", "1.0"),
    DeviceInfo("ev", "Car charger", "charger", "Ohmstead", "Simulated wall box", "1.0"),
    DeviceInfo("heatpump", "Heat pump", "heat_pump", "Ohmstead", "Simulated heat pump", "1.0"),
    DeviceInfo("fridge", "Fridge", "appliance", "Ohmstead", "Simulated fridge", "1.0"),
    DeviceInfo("plug_tv", "Plug: television", "plug", "Ohmstead", "Simulated plug", "1.0"),
    DeviceInfo("plug_desk", "Plug: desk", "plug", "Ohmstead", "Simulated plug", "1.0"),
    DeviceInfo("plug_washer", "Plug: washing machine", "plug", "Ohmstead", "Simulated plug", "1.0"),
)
NAMES = tuple(str(info.id) for info in DEVICES)
SOURCES_OF_GREEN = ("pv",)  # they speak on green-energy/{source}/generation
STILL_MS, SHUT_FOR_MS, SHUT_EVERY_MS = 10_000, 300_000, 3 * 3_600_000  # when the window by the bulb is shut: first, how long, how often
_LAG_MS = {"D1": 60_000, "battery": 1_200_000, "fridge": 600_000, "ev": 600_000}  # in so long most of a change is felt


class Said(msgspec.Struct):
    """What one device says at one instant: what it measures now, and its registers."""

    device: str
    at_ms: int
    telemetry: Values
    registers: Values = msgspec.field(default_factory=dict)


class Senses:
    """What the devices of a house measure beside its physics: their temperatures, which follow what they take with a lag.

    Somebody shuts the window by the bulb soon after `began_ms`, and every few hours again. In still air it gets too hot.
    """

    def __init__(self, seed: int, began_ms: int) -> None:
        self._began_ms = began_ms
        self._warmth = {device: Chance(seed, f"{device} warmth") for device in ("D1", "battery", "fridge", "ev")}
        self._felt: dict[str, tuple[int, float]] = {}

    def temperature_c(self, device: str, house: House) -> float:
        """Of the device itself (fridge: inside; heat pump: of the water it sends out)."""
        if device == "heatpump":
            return round(31 + 0.6 * (15 - house.weather.temperature_c(house.at_ms / 1000)) * (house.powers[device] > 1000), 1)
        comes_to = self._comes_to_c(device, house)
        at_ms, felt = self._felt.get(device, (house.at_ms, comes_to))
        felt = comes_to + (felt - comes_to) * exp((at_ms - house.at_ms) / _LAG_MS[device])
        self._felt[device] = house.at_ms, felt
        return round(felt, 1)

    def _comes_to_c(self, device: str, house: House) -> float:
        """What its temperature would be in the end if all stayed as it is."""
        works, wander = abs(house.powers[device]) > 100, 3 * (self._warmth[device].smooth(house.at_ms / 1000, 700) - 0.5)
        if device == "D1" and works:
            return (56 if STILL_MS <= (house.at_ms - self._began_ms) % SHUT_EVERY_MS < STILL_MS + SHUT_FOR_MS else 40) + wander
        resting, working = {"D1": (22, 40), "battery": (21, 27), "fridge": (5, 4), "ev": (19, 38)}[device]
        return (working if works else resting) + wander


def speak(house: House, senses: Senses) -> list[Said]:
    """What every device of the house says now, in the order of DEVICES."""
    voltage_v = house.voltage_v
    return [Said(name, house.at_ms, _telemetry(name, house, senses, voltage_v), _registers(name, house)) for name in NAMES]


def _telemetry(device: str, house: House, senses: Senses, voltage_v: float) -> Values:
    power_w = house.power_w(device)
    if device == "pv":
        return {"power": power_w}
    if device == "battery":
        return {"power": power_w, "soc": house.soc, "temperature": senses.temperature_c(device, house)}
    values: Values = {"voltage": voltage_v, "current": round(power_w / voltage_v, 3), "power": power_w}
    if device == "grid":
        values["frequency"] = house.frequency_hz
    if device in ("D1", "fridge", "ev", "heatpump"):
        values["temperature"] = senses.temperature_c(device, house)
    if device in SWITCHED:
        values["switch"] = "off" if device in house.off else "on"
    return values


def _registers(device: str, house: House) -> Values:
    ways = _WAYS.get(device, ("import",))
    return {f"energy_{way}": house.energy_kwh(f"{device}.{way}") for way in ways}


_WAYS: Mapping[str, tuple[str, ...]] = {"grid": ("import", "export"), "battery": ("import", "export"), "pv": ("export",)}
