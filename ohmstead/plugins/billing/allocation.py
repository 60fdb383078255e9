"""Who caused the cost: the energy lines of a bill shared among meter points, slot by slot, exactly.

In every slot the grid and the house's own sources feed all loads alike. A load that takes a third of the consumption
takes a third of what was bought, of what that cost, and of what came from the roof or the battery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import msgspec

from ohmstead.plugins.tariffs.lines import Line

SCALE = 10**12  # parts of a currency's unit in which costs are shared


class Share(msgspec.Struct):
    """Of one meter point, or of what no meter saw: mWh in all, mWh from the grid, and cost in 10^-12 of the currency."""

    mwh: int = 0
    grid_mwh: int = 0
    cost: int = 0

    @property
    def own_mwh(self) -> int:
        """What came from the house's own sources."""
        return self.mwh - self.grid_mwh


def energy_lines(lines: Iterable[Line]) -> list[Line]:
    """The lines of imported energy: those that open down to the slots of the import."""
    return [line for line in lines if line.direction == "import" and line.unit in ("kWh", "m³") and line.pieces]


def slot_costs(lines: Iterable[Line]) -> dict[int, int]:
    """What the import of each slot cost, by the slot's beginning, in 10^-12: together exactly the lines, rounded once."""
    exact: dict[int, Fraction] = {}
    for line in energy_lines(lines):
        for slot in line.opened():
            exact[slot.start_ms] = exact.get(slot.start_ms, Fraction(0)) + slot.amount
    costs, sum_, given = {}, Fraction(0), 0
    for at_ms in sorted(exact):
        sum_ += exact[at_ms]
        upto = (sum_.numerator * SCALE) // sum_.denominator
        costs[at_ms], given = upto - given, upto
    return costs


def allocate(
    costs: Sequence[int], imported: Sequence[int], consumed: Sequence[int], loads: Mapping[str, Sequence[int]]
) -> tuple[dict[str, Share], Share]:
    """Share costs, import and consumption of slots among loads; the rest of each is what no meter saw.

    All sequences count the same slots; energies are in mWh. Where the loads claim more than was consumed, they share
    what there was; what costs while nothing was consumed is nobody's.
    """
    shares, rest = {name: Share() for name in loads}, Share()
    for place, cost in enumerate(costs):
        taken = [(shares[name], energy[place]) for name, energy in loads.items() if energy[place]]
        metered = sum(energy for _, energy in taken)
        whole = max(consumed[place], metered)
        grid = min(imported[place], whole)
        _divide(taken, rest, whole, grid, cost)
    return shares, rest


def _divide(taken: Sequence[tuple[Share, int]], rest: Share, whole: int, grid: int, cost: int) -> None:
    """One slot: cumulative shares, rounded down, so that together they are exactly the whole."""
    upto = grid_given = cost_given = 0
    for share, energy in taken:
        upto += energy
        grid_upto, cost_upto = grid * upto // whole, cost * upto // whole
        share.mwh += energy
        share.grid_mwh += grid_upto - grid_given
        share.cost += cost_upto - cost_given
        grid_given, cost_given = grid_upto, cost_upto
    rest.mwh += whole - upto
    rest.grid_mwh += grid - grid_given
    rest.cost += cost - cost_given


def printed(costs: Mapping[str, int], total: int, coin: int) -> dict[str, int]:
    """Costs in 10^-12 as coins of so many of these, that together are `total`: the largest remainder first, 0 for what cost nothing."""
    floors = {name: cost // coin for name, cost in costs.items()}
    order = sorted((name for name in costs if costs[name] or not any(costs.values())), key=lambda name: (-(costs[name] % coin), name))
    each, left = divmod(total - sum(floors.values()), max(len(order), 1))
    return {name: floors[name] + (name in order) * each + (name in order[:left]) for name in costs}
