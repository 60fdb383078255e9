"""A house as physics: every watt comes from somewhere and is counted.

At each instant grid + PV + battery = Σ loads, exactly, in whole tenths of a watt. A power holds until the next
instant; the registers count exactly that, in whole 0.1 W · ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ohmstead.integrations.demo_house.loads import loads
from ohmstead.integrations.demo_house.weather import Chance, Weather

SOURCES = ("grid", "pv", "battery")
SWITCHED = ("D1", "ev", "heatpump", "plug_tv", "plug_desk", "plug_washer")
LONGEST_MS = 300_000  # a step; longer ones are cut
PEAK_W_PER_W_M2 = 6.2  # modules of 6.2 kW peak
INVERTER_LIMIT = 60_000  # 0.1 W
BATTERY_LIMIT = 40_000  # 0.1 W
CAPACITY = 10_000 * 36_000_000  # 10 kWh in 0.1 W · ms
RESERVE = CAPACITY // 10
EFFICIENCY = 0.95  # each way
KWH = 36_000_000_000  # 0.1 W · ms of one kWh
FIRST_KWH = {  # what the registers showed when the house was first looked at
    "grid.import": 18_204.511, "grid.export": 9_377.820, "pv.export": 21_846.032, "battery.import": 4_310.270, "battery.export": 3_889.114,
    "D1.import": 212.384, "fridge.import": 1_204.9, "heatpump.import": 7_718.45, "ev.import": 5_023.77, "plug_tv.import": 402.18,
    "plug_desk.import": 318.6, "plug_washer.import": 260.044,
}  # fmt: skip


class House:
    """One house from `at_ms` on. `powers` are in 0.1 W: a source positive when it gives, a load when it takes."""

    def __init__(self, seed: int, at_ms: int) -> None:
        self.seed = seed
        self.at_ms = at_ms
        self.weather = Weather(seed)
        self._loads = loads(seed, self.weather)
        self._mains = Chance(seed, "mains")
        self.off: set[str] = set()
        self.registers = {name: round(kwh * KWH) for name, kwh in FIRST_KWH.items()}
        self.stored = CAPACITY // 2
        self.powers: dict[str, int] = {}
        self._decide()

    def advance(self, to_ms: int) -> None:
        """Let time pass up to `to_ms`; nothing happens when that has passed."""
        while self.at_ms < to_ms:
            step_ms = min(LONGEST_MS, to_ms - self.at_ms)
            self._count(step_ms)
            self.at_ms += step_ms
            self._decide()

    def switch(self, device: str, on: bool) -> None:
        """Switch a load; what flows changes at once."""
        (self.off.discard if on else self.off.add)(device)
        self._decide()

    def _count(self, for_ms: int) -> None:
        """Add the energy of the powers that held until now."""
        for device, power in self.powers.items():
            gives = (power < 0) == (device == "grid") and device in SOURCES
            if power:
                self.registers[f"{device}.{'export' if gives else 'import'}"] += abs(power) * for_ms
        energy = self.powers["battery"] * for_ms
        self.stored += round(-energy / EFFICIENCY if energy > 0 else -energy * EFFICIENCY)

    def _decide(self) -> None:
        """The powers from now on."""
        at_s = self.at_ms / 1000
        powers = {device: 0 if device in self.off else load(at_s) for device, load in self._loads.items()}
        demand = sum(powers.values())
        sun = int(self.weather.irradiance_w_m2(at_s) * PEAK_W_PER_W_M2 * 10)
        powers["pv"] = pv = min(INVERTER_LIMIT, sun) if sun > 200 else 0
        powers["battery"] = battery = self._battery(demand - pv)
        powers["grid"] = demand - pv - battery
        self.powers = powers

    def _battery(self, wanted: int) -> int:
        """What the battery gives (or takes, below 0), so that it is never overrun within the longest step."""
        if wanted > 0:
            left = max(0, int((self.stored - RESERVE) * EFFICIENCY) // LONGEST_MS)
            return min(wanted, BATTERY_LIMIT, left)
        room = max(0, int((CAPACITY - self.stored) / EFFICIENCY) // LONGEST_MS)
        return -min(-wanted, BATTERY_LIMIT, room)

    def power_w(self, device: str) -> float:
        """Active power, signed, in W."""
        return self.powers[device] / 10

    def energy_kwh(self, register: str) -> float:
        """A register such as "grid.import", in kWh with six decimals."""
        return round(self.registers[register] / KWH, 6)

    @property
    def soc(self) -> float:
        """State of charge of the battery in %."""
        return round(100 * self.stored / CAPACITY, 2)

    @property
    def voltage_v(self) -> float:
        """Of the mains; near 230 V, a little lower under load."""
        wander = self._mains.smooth(self.at_ms / 1000, 240) - 0.5
        return round(230.4 + 3 * wander - self.powers["grid"] * 1e-5, 1)

    @property
    def frequency_hz(self) -> float:
        """Of the mains."""
        return round(50 + 0.06 * (self._mains.smooth(self.at_ms / 1000 + 1e7, 60) - 0.5), 3)

    def keep(self) -> Mapping[str, Any]:
        """What has to be remembered to go on later."""
        return {"seed": self.seed, "at_ms": self.at_ms, "registers": self.registers, "stored": self.stored, "off": sorted(self.off)}

    @classmethod
    def restore(cls, kept: Mapping[str, Any]) -> House:
        """The house as it was kept. KeyError, TypeError or ValueError for what `keep` did not make."""
        house = cls(int(kept["seed"]), int(kept["at_ms"]))
        house.registers = {name: int(kept["registers"][name]) for name in house.registers}
        house.stored = int(kept["stored"])
        house.off = set(kept["off"]) & set(SWITCHED)
        house._decide()
        return house
