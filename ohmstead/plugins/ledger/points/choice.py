"""Which meter points a device makes by itself, and which of its series measure them: a pure choice.

Sources in their order: the total register, else all tariff registers, else all phases, else energies of periods, else
power, else the power of all phases; never two of these at a time. A better one takes over at its first reading, by the
readings' time. So the choice depends on nothing but the device's kind and when each series begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ohmstead.plugins.ledger.points.bindings import Binding, Part, Term
from ohmstead.plugins.ledger.points.points import SIGNS, Role

PHASES, TARIFFS = ("l1", "l2", "l3"), ("t1", "t2", "t3", "t4")
ALL, POSITIVE, NEGATIVE = Part.ALL, Part.POSITIVE, Part.NEGATIVE

Source = tuple[tuple[str, ...], Part]  # quantities that are added, and the part of their values
Firsts = Mapping[str, int]  # quantity -> instant of its first reading


class Flow(msgspec.Struct, frozen=True):
    """One way energy goes at a device: the meter point it makes, and its sources, the best first.

    `name` tells the flows of a device apart; the id of the point is the device's, with `suffix`, and never changes with
    the kind. `title` follows the device's name. `swings`: made from power only once that was below 0.
    """

    name: str
    role: Role
    sources: tuple[Source, ...]
    suffix: str = ""
    title: str = ""
    swings: bool = False


def _each(quantity: str, ends: Sequence[str], part: Part = ALL) -> Source:
    return tuple(f"{quantity}_{end}" for end in ends), part


def _registers(quantity: str) -> tuple[Source, ...]:
    return ((quantity,), ALL), _each(quantity, TARIFFS), _each(quantity, PHASES)


def _gauges(part: Part) -> tuple[Source, ...]:
    return (("power",), part), _each("power", PHASES, part)


TOTAL: Source = (("energy_total",), ALL)
PERIODS: Source = (("energy",), ALL)


def _load(role: Role) -> tuple[Flow, ...]:
    return (Flow("main", role, (*_registers("energy_import"), TOTAL, PERIODS, *_gauges(POSITIVE))),)


_METER = (
    Flow("main", Role.GRID_IMPORT, (*_registers("energy_import"), PERIODS, *_gauges(POSITIVE)), title="import"),
    Flow("back", Role.GRID_EXPORT, (*_registers("energy_export"), *_gauges(NEGATIVE)), "_export", "export", swings=True),
)
_PV = (Flow("main", Role.PV, (*_registers("energy_export"), TOTAL, PERIODS, *_gauges(POSITIVE))),)
_BATTERY = (
    Flow("main", Role.BATTERY_IN, (*_registers("energy_import"), *_gauges(NEGATIVE)), title="charge"),
    Flow("back", Role.BATTERY_OUT, (*_registers("energy_export"), *_gauges(POSITIVE)), "_out", "discharge"),
)
BY_KIND: Mapping[str, tuple[Flow, ...]] = {
    **dict.fromkeys(("meter", "grid"), _METER),
    **dict.fromkeys(("inverter", "pv", "solar"), _PV),
    "battery": _BATTERY,
    **dict.fromkeys(("charger", "ev", "wallbox"), _load(Role.EV)),
    **dict.fromkeys(("heat_pump", "heatpump"), _load(Role.HEAT_PUMP)),
}
OTHER = _load(Role.LOAD)
DISPLAYS = tuple(  # whatever the device is: these are no electricity
    Flow(role.value, role, (((role.value,), ALL),), f"_{role.value}", role.value) for role in (Role.GAS, Role.WATER, Role.HEAT)
)
SWINGING = ("power", *_each("power", PHASES)[0])  # gauges whose sign tells whether anything ever goes back
QUANTITIES = frozenset(
    quantity
    for known in (*BY_KIND.values(), OTHER, DISPLAYS) for flow in known
    for quantities, _ in flow.sources for quantity in quantities
)  # fmt: skip


def flows(kind: str, firsts: Firsts, swings: bool) -> Iterator[Flow]:
    """What a device of that kind makes of the series it has; `swings`: its power was below 0 at some time."""
    for flow in (*BY_KIND.get(kind, OTHER), *DISPLAYS):
        have = [quantities for quantities, _ in flow.sources if any(quantity in firsts for quantity in quantities)]
        if have and (swings or not flow.swings or not have[0][0].startswith("power")):
            yield flow


def gives_way(flow: Flow, part: Part, role: Role, stated: Part) -> bool:
    """Whether a flow makes no meter point because a person bound that part of its series to one of this role.

    That part counts once. But a charger or heat pump with a grid meter of its own is the import and the load, and
    custom meter points count beside the others.
    """
    if role is flow.role:
        return True
    return part is stated and role is not Role.CUSTOM and not (flow.role in (Role.EV, Role.HEAT_PUMP) and role in SIGNS)


def spans(device: str, flow: Flow, firsts: Firsts, plausible_per_h: int) -> list[Binding]:
    """The automatic bindings of a flow, in order of time."""
    found: list[Binding] = []
    for at_ms in sorted({firsts[quantity] for quantities, _ in flow.sources for quantity in quantities if quantity in firsts}):
        terms = _best(device, flow, firsts, at_ms)
        if found and found[-1].terms == terms:
            continue
        if found:
            found[-1] = Binding(found[-1].from_ms, at_ms, found[-1].terms, plausible_per_h, automatic=True)
        found.append(Binding(at_ms, None, terms, plausible_per_h, automatic=True))
    return found


def _best(device: str, flow: Flow, firsts: Firsts, at_ms: int) -> tuple[Term, ...]:
    """The terms of the best source that has begun by then."""
    for quantities, part in flow.sources:
        begun = [quantity for quantity in quantities if quantity in firsts and firsts[quantity] <= at_ms]
        if begun:
            return tuple(Term(f"{device}.{quantity}", part=part) for quantity in begun)
    raise AssertionError(f"{device}: no source has begun")
