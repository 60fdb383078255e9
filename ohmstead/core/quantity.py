"""What can be measured: each quantity with its one canonical unit, its kind and its sane range; units and conversion.

Signs: a source is positive when it gives to the house, a load when it takes. Grid import +, export −; PV +; battery
discharge +, charge −; loads +. So grid + PV + battery = Σ loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from ohmstead.core.errors import ConfigError, Unsupported


class Kind(StrEnum):
    """How the values of a quantity follow each other."""

    GAUGE = "gauge"  # the value at an instant: power
    COUNTER = "counter"  # a register that rises: the display of a meter
    DELTA = "delta"  # the amount of a stated period: settled data
    TEXT = "text"  # on/off, modes


class Quantity(msgspec.Struct, frozen=True):
    """One thing that is measured. `low` and `high` bound what ingest believes unless a device states its own range."""

    name: str
    unit: str
    kind: Kind
    description: str
    low: float = float("-inf")
    high: float = float("inf")


# Unit -> (canonical unit, factor, offset): canonical = value * factor + offset. Source: SI and, for ft³ and gal, NIST SP 811.
UNITS: Mapping[str, tuple[str, float, float]] = {
    "mW": ("W", 1e-3, 0), "W": ("W", 1, 0), "kW": ("W", 1e3, 0), "MW": ("W", 1e6, 0), "GW": ("W", 1e9, 0),
    "mWh": ("kWh", 1e-6, 0), "Wh": ("kWh", 1e-3, 0), "kWh": ("kWh", 1, 0), "MWh": ("kWh", 1e3, 0), "GWh": ("kWh", 1e6, 0),
    "Wmin": ("kWh", 1 / 60_000, 0), "J": ("kWh", 1 / 3.6e6, 0), "kJ": ("kWh", 1 / 3600, 0), "MJ": ("kWh", 1 / 3.6, 0), "GJ": ("kWh", 1000 / 3.6, 0),
    "mV": ("V", 1e-3, 0), "V": ("V", 1, 0), "kV": ("V", 1e3, 0),
    "mA": ("A", 1e-3, 0), "A": ("A", 1, 0),
    "mHz": ("Hz", 1e-3, 0), "Hz": ("Hz", 1, 0), "kHz": ("Hz", 1e3, 0),
    "°C": ("°C", 1, 0), "°F": ("°C", 5 / 9, -160 / 9), "K": ("°C", 1, -273.15),
    "var": ("var", 1, 0), "kvar": ("var", 1e3, 0), "VA": ("VA", 1, 0), "kVA": ("VA", 1e3, 0),
    "varh": ("kvarh", 1e-3, 0), "kvarh": ("kvarh", 1, 0),
    "m³": ("m³", 1, 0), "L": ("m³", 1e-3, 0), "ft³": ("m³", 0.028316846592, 0), "gal": ("m³", 0.003785411784, 0),
    "m³/h": ("m³/h", 1, 0), "L/min": ("m³/h", 0.06, 0),
    "%": ("%", 1, 0), "ratio": ("%", 100, 0),
    "°": ("°", 1, 0), "s": ("s", 1, 0), "min": ("s", 60, 0), "h": ("s", 3600, 0),
    "W/m²": ("W/m²", 1, 0), "dBm": ("dBm", 1, 0), "lx": ("lx", 1, 0), "ppm": ("ppm", 1, 0), "hPa": ("hPa", 1, 0), "": ("", 1, 0),
}  # fmt: skip
_SPELLINGS = {"VAr": "var", "VAR": "var", "kVAr": "kvar", "kVAR": "kvar", "VArh": "varh", "kVArh": "kvarh", "m3": "m³", "ft3": "ft³",
              "l": "L", "C": "°C", "F": "°F", "w": "W", "kw": "kW", "wh": "Wh", "kwh": "kWh", "KWh": "kWh", "v": "V", "a": "A", "m3/h": "m³/h"}  # fmt: skip


def convert(value: float, unit: str, to: str) -> float:
    """`value` in `unit`, expressed in `to`; Unsupported when the two do not measure the same thing.

    >>> convert(1.2, "kW", "W")
    1200.0
    """
    source, target = _unit(unit), _unit(to)
    if source[0] != target[0]:
        raise Unsupported(f"{unit} cannot be turned into {to}")
    if source == target:
        return float(value)
    return (value * source[1] + source[2] - target[2]) / target[1]


def _unit(unit: str) -> tuple[str, float, float]:
    found = UNITS.get(_SPELLINGS.get(unit, unit))
    if found is None:
        raise Unsupported(f"unknown unit {unit!r}; known are {', '.join(filter(None, UNITS))}")
    return found


def _phases(*quantities: Quantity) -> Iterator[Quantity]:
    """Each quantity, then the same for each of the three phases."""
    for q in quantities:
        yield q
        for phase in ("l1", "l2", "l3"):
            yield Quantity(f"{q.name}_{phase}", q.unit, q.kind, f"{q.description}, phase {phase.upper()}", q.low, q.high)


def _tariffs(*quantities: Quantity) -> Iterator[Quantity]:
    """Each register, then the same for each of four tariffs."""
    for q in quantities:
        yield q
        for tariff in ("t1", "t2", "t3", "t4"):
            yield Quantity(f"{q.name}_{tariff}", q.unit, q.kind, f"{q.description}, tariff {tariff[1]}", q.low, q.high)


def _built_in() -> Iterator[Quantity]:
    g, c, d, t = Kind.GAUGE, Kind.COUNTER, Kind.DELTA, Kind.TEXT
    yield from _phases(
        Quantity("power", "W", g, "active power, signed", -10e6, 10e6),
        Quantity("apparent_power", "VA", g, "apparent power", -10e6, 10e6),
        Quantity("reactive_power", "var", g, "reactive power", -10e6, 10e6),
        Quantity("voltage", "V", g, "voltage", 0, 1000),
        Quantity("current", "A", g, "current", -10_000, 10_000),
        Quantity("power_factor", "%", g, "power factor", -100, 100),
        Quantity("phase_angle", "°", g, "phase angle", -360, 360),
        Quantity("voltage_thd", "%", g, "total harmonic distortion of the voltage", 0, 500),
    )
    registers = (
        Quantity("energy_import", "kWh", c, "energy register, taken", 0, 1e10),
        Quantity("energy_export", "kWh", c, "energy register, given", 0, 1e10),
    )
    yield from _tariffs(*registers)
    for register in registers:
        yield from list(_phases(register))[1:]
    yield from (
        Quantity("energy_total", "kWh", c, "energy register, taken plus given", 0, 1e10),
        Quantity("energy", "kWh", d, "energy of a stated period", -1e7, 1e7),
        Quantity("reactive_energy_import", "kvarh", c, "reactive energy register, taken", 0, 1e10),
        Quantity("reactive_energy_export", "kvarh", c, "reactive energy register, given", 0, 1e10),
        Quantity("reactive_energy_total", "kvarh", c, "reactive energy register, both ways", 0, 1e10),
        Quantity("frequency", "Hz", g, "mains frequency", 0, 500),
        Quantity("power_demand", "W", g, "mean power of the running demand window", -10e6, 10e6),
        Quantity("power_limit", "W", g, "limit of the power, as set", 0, 10e6),
        Quantity("voltage_dc", "V", g, "DC voltage", -2000, 2000),
        Quantity("current_dc", "A", g, "DC current", -10_000, 10_000),
        Quantity("power_dc", "W", g, "DC power", -10e6, 10e6),
        Quantity("soc", "%", g, "state of charge of a battery", 0, 100),
        Quantity("soh", "%", g, "state of health of a battery", 0, 110),
        Quantity("temperature", "°C", g, "temperature", -90, 1000),
        Quantity("humidity", "%", g, "relative humidity", 0, 100),
        Quantity("irradiance", "W/m²", g, "solar irradiance", 0, 2000),
        Quantity("gas", "m³", c, "gas register", 0, 1e9),
        Quantity("water", "m³", c, "water register", 0, 1e9),
        Quantity("heat", "kWh", c, "heat register", 0, 1e10),
        Quantity("gas_flow", "m³/h", g, "gas flow", 0, 1e6),
        Quantity("water_flow", "m³/h", g, "water flow", 0, 1e6),
        Quantity("pulses", "", c, "pulse counter", 0, 1e15),
        Quantity("uptime", "s", c, "seconds since the device started", 0, 1e10),
        Quantity("signal_strength", "dBm", g, "radio signal", -200, 50),
        Quantity("tariff", "", t, "tariff register in use"),
        Quantity("switch", "", t, "on or off"),
        Quantity("mode", "", t, "mode of operation"),
    )


class Quantities(Mapping[str, Quantity]):
    """The quantities of this house: the built-in ones and those that plugins declare."""

    def __init__(self, more: Iterable[Quantity] = ()) -> None:
        self._by_name = {q.name: q for q in _built_in()}
        for quantity in more:
            self.add(quantity)

    def add(self, quantity: Quantity) -> None:
        """Take one more in; ConfigError when the name stands for something else already."""
        known = self._by_name.setdefault(quantity.name, quantity)
        if known != quantity:
            raise ConfigError(f"quantity {quantity.name!r} is already declared as {known.description!r} in {known.unit or 'no unit'}")

    def __getitem__(self, name: str) -> Quantity:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)
