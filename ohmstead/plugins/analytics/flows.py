"""Where each kWh came from and went, slot by slot, in integers that lose nothing.

The rule, since meters see sums only. A house does not buy and sell at the same instant: what went out came from its own
generation, then from the battery. What was consumed came from what is left of these, in the same order, then from the
grid; what charged the battery came from the rest of the generation, then from the grid. What then is left over went
through the battery, or through the house, within the slot. Where less came than went, the rest came from what no meter
saw: `unknown`.
"""

from __future__ import annotations

from typing import NamedTuple

GENERATION, BATTERY, GRID, UNKNOWN, LOAD, EXPORT = "generation", "battery", "grid", "unknown", "load", "export"
WAYS = (
    (GENERATION, EXPORT), (BATTERY, EXPORT), (GENERATION, LOAD), (BATTERY, LOAD), (GRID, LOAD), (GENERATION, BATTERY),
    (GRID, BATTERY), (BATTERY, BATTERY), (GRID, EXPORT), (UNKNOWN, BATTERY), (UNKNOWN, EXPORT),
)  # fmt: skip
OWN = (WAYS.index((GENERATION, LOAD)), WAYS.index((BATTERY, LOAD)))
_SOURCES = {GENERATION: 0, BATTERY: 1, GRID: 2, UNKNOWN: 3}
_SINKS = {LOAD: 0, BATTERY: 1, EXPORT: 2}
_STEPS = tuple((_SOURCES[source], _SINKS[sink]) for source, sink in WAYS)


class Slot(NamedTuple):
    """What was metered in a slot, in mWh."""

    generated: int
    discharged: int
    imported: int
    charged: int
    exported: int


def flow(slot: Slot) -> tuple[int, ...]:
    """The energy of each of WAYS in mWh. Together they are all that came, and all that went."""
    generated, discharged, imported, charged, exported = slot
    consumed = generated + discharged + imported - charged - exported
    sources = [generated, discharged, imported, max(0, -consumed)]
    sinks = [max(0, consumed), charged, exported]
    found: list[int] = []
    for source, sink in _STEPS:
        energy = min(sources[source], sinks[sink])
        sources[source] -= energy
        sinks[sink] -= energy
        found.append(energy)
    return tuple(found)


class Flows:
    """Flows added up. `generated` … are sums of Slot, `ways` of WAYS; `slots` and `missing` count slots."""

    __slots__ = ("carbon", "metered", "missing", "slots", "ways")

    def __init__(self) -> None:
        self.metered = [0] * len(Slot._fields)
        self.ways = [0] * len(WAYS)
        self.slots = self.missing = 0
        self.carbon = [0, 0]  # µg of CO₂ of what was imported, and of what need not be

    def add(self, slot: Slot, grams_per_kwh: int) -> None:
        """One slot; a kWh from the grid stands for so many grams of CO₂ in it, and so an mWh for as many µg."""
        ways = flow(slot)
        own = ways[OWN[0]] + ways[OWN[1]]
        self.slots += 1
        for place, energy in enumerate(slot):
            self.metered[place] += energy
        for place, energy in enumerate(ways):
            self.ways[place] += energy
        self.carbon[0] += slot.imported * grams_per_kwh
        self.carbon[1] += own * grams_per_kwh

    def of(self, source: str, sink: str) -> int:
        """The energy of one way."""
        return self.ways[WAYS.index((source, sink))]

    @property
    def consumed(self) -> int:
        """What all loads took."""
        return self._sum(sink=LOAD)

    @property
    def self_consumption(self) -> tuple[int, int]:
        """Of the generation, what stayed in the house, and all of it."""
        return self.metered[0] - self.of(GENERATION, EXPORT), self.metered[0]

    @property
    def self_sufficiency(self) -> tuple[int, int]:
        """Of the consumption, what did not come from the grid at that moment, and all of it."""
        return self.of(GENERATION, LOAD) + self.of(BATTERY, LOAD), self.consumed

    def _sum(self, sink: str) -> int:
        return sum(energy for (_, to), energy in zip(WAYS, self.ways, strict=True) if to == sink)


def ratio(part: int, whole: int) -> str | None:
    """A share with four decimals; None of nothing."""
    if whole <= 0:
        return None
    scaled = (part * 10_000 * 2 + whole) // (2 * whole)
    return f"{scaled // 10_000}.{scaled % 10_000:04}"
