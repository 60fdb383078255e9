"""The ten devices of a house: who they are and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Said:
    """What one device says at one instant: what it measures now, and its registers."""

    device: str
    at_ms: int
    telemetry: Values
    registers: Values = field(default_factory=dict)


class Senses:
    """What the devices of a house measure beside its physics: their temperatures."""

    def __init__(self, seed: int) -> None:
        self._warmth = {device: Chance(seed, f"{device} warmth") for device in ("D1", "battery", "fridge", "ev")}

    def temperature_c(self, device: str, house: House) -> float:
        """Of the device itself (fridge: inside; heat pump: of the water it sends out)."""
        if device == "heatpump":
            return round(31 + 0.6 * (15 - house.weather.temperature_c(house.at_ms / 1000)) * (house.powers[device] > 1000), 1)
        wander = 3 * (self._warmth[device].smooth(house.at_ms / 1000, 700) - 0.5)
        resting, working = {"D1": (22, 40), "battery": (21, 27), "fridge": (5, 4), "ev": (19, 38)}[device]
        return round((working if abs(house.powers[device]) > 100 else resting) + wander, 1)


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
