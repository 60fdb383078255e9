"""Money as a pure function of energy and dated prices: the lines of one bill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core.errors import Invalid
from ohmstead.plugins.tariffs.bill import INCLUDED
from ohmstead.plugins.tariffs.gas import PER_ML
from ohmstead.plugins.tariffs.lines import NO_VERSION, Carry, Conversion, Priced, Unpriced
from ohmstead.plugins.tariffs.meter import Meter
from ohmstead.plugins.tariffs.netting import NAME
from ohmstead.plugins.tariffs.part import Part, Turn
from ohmstead.plugins.tariffs.prices.timeline import Timeline
from ohmstead.plugins.tariffs.settlement import Kept, settlements
from ohmstead.plugins.tariffs.tariff import Reign, Tariff
from ohmstead.plugins.tariffs.till import Till
from ohmstead.plugins.tariffs.usage import Usage

NOTHING: Mapping[str, Any] = {}


def price(tariff: Tariff, usage: Usage, start_ms: int, end_ms: int, zone: ZoneInfo, *, prices: Mapping[str, Timeline] = NOTHING,
          known_at_ms: int | None = None, carry: Carry = NOTHING, grid_zone: str | None = None) -> Priced:  # fmt: skip
    """Price a bill's period, as known at an instant if one is given.

    `zone` is the location's. `prices` holds a Timeline for each of `tariff.series`. `carry` is the `carry` of the bill
    before: tiers, peaks and what is left of netting go on from there. `grid_zone` chooses among components that are
    for one; Invalid when the tariff has such and none of them is chosen.
    """
    _grid_zone(tariff, grid_zone)
    reigns = tariff.reigns(start_ms, end_ms, zone, known_at_ms)
    meters = _meters(usage, start_ms, end_ms)
    parts = [part for reign in reigns for part in _parts(reign, meters, (start_ms, end_ms), zone)]
    kept = Kept(carry.get(NAME, NOTHING))
    settled = settlements(parts, kept)
    parts = [part for each in settled for part in each.parts]
    before = [line for each in settled for line in each.lines]
    first = len(before)
    tills: dict[str, Till] = {}
    for name, turns in _turns(parts, grid_zone):
        till = tills[name] = Till(carry.get(name, NOTHING), tariff.currency, before, prices)
        turns[-1].component.kind.charge(turns, till)
        before += till.lines()
    for each in settled:
        each.close(before)
    lines = before[first:] + [line for each in settled for line in each.lines]
    keep = {NAME: kept.json(), **{name: till.keep for name, till in tills.items()}}
    return Priced(
        tariff.currency, start_ms, end_ms, tuple(lines),
        (*_ownerless(reigns, meters), *(each for till in tills.values() for each in till.unpriced)),
        tuple(each for till in tills.values() for each in till.excluded),
        tuple(_conversions(parts)), tuple(each for one in settled for each in one.netted),
        {**carry, **{name: value for name, value in keep.items() if value or name in carry}}, _weights(parts, grid_zone),
    )  # fmt: skip


def _grid_zone(tariff: Tariff, chosen: str | None) -> None:
    known = tariff.grid_zones
    if known and chosen not in known:
        raise Invalid(f"tariff {tariff.id} has prices for the grid zones {', '.join(sorted(known))}; choose one of them, not {chosen}")


def _meters(usage: Usage, start_ms: int, end_ms: int) -> dict[str, Meter]:
    imported, exported = (Meter.of(sheets, start_ms, end_ms) for sheets in (usage.imported, usage.exported))
    registers = {name: Meter.of(sheets, start_ms, end_ms) for name, sheets in usage.registers.items()}
    return {**registers, "import": imported, "export": exported, "gross_import": imported, "gross_export": exported}


def _parts(reign: Reign, meters: Mapping[str, Meter], bill: tuple[int, int], zone: ZoneInfo) -> Iterator[Part]:
    version = reign.version
    if version is None:
        return
    if version.gas is None:
        yield Part(version, reign.start_ms, reign.end_ms, zone, bill, PER_ML, version.unit, meters)
        return
    for span in version.gas.spans(reign.start_ms, reign.end_ms, zone):
        yield Part(version, span.start_ms, span.end_ms, zone, bill, span.kwh_per_ml, version.unit, meters)


def _ownerless(reigns: Sequence[Reign], meters: Mapping[str, Meter]) -> Iterator[Unpriced]:
    """What was used while no version applied."""
    for start_ms, end_ms, version in reigns:
        if version is None:
            energy, slots = meters["import"].within(start_ms, end_ms)
            yield Unpriced("", start_ms, end_ms, slots, energy, NO_VERSION)


def _turns(parts: Sequence[Part], grid_zone: str | None) -> Iterator[tuple[str, list[Turn]]]:
    """The components by name, each with its turns; those that are taken of others come after them."""
    found: dict[str, list[Turn]] = {}
    for part in parts:
        for component in part.version.components:
            if component.grid_zone in (None, grid_zone):
                found.setdefault(component.name, []).append(Turn(component, part))
    yield from sorted(found.items(), key=lambda entry: max(turn.component.depth for turn in entry[1]))


def _weights(parts: Sequence[Part], grid_zone: str | None) -> dict[tuple[str, str], tuple[Fraction, Fraction]]:
    found: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
    for version in {part.version.name: part.version for part in parts}.values():
        own = [c for c in version.components if c.grid_zone in (None, grid_zone)]
        for component in sorted(own, key=lambda c: -c.depth):
            net, gross = Fraction(1), Fraction(1) if version.vat_mode == INCLUDED else 1 + component.vat / 100
            for layer in (c for c in own if component.name in c.of):
                share = getattr(layer.rule, "share", Fraction(0))
                more = found[layer.name, version.name]
                net, gross = net + share * more[0], gross + share * more[1]
            found[component.name, version.name] = net, gross
    return found


def _conversions(parts: Sequence[Part]) -> Iterator[Conversion]:
    """The volumes that were made kWh, for the reader of the bill."""
    for part in parts:
        gas = part.version.gas
        if gas is None:
            continue
        raw, _ = part.meter("import").within(part.start_ms, part.end_ms)
        value = part.unit / PER_ML / gas.state_number if gas.state_number else Fraction(0)
        yield Conversion(part.start_ms, part.end_ms, raw * PER_ML, value, gas.state_number, raw * part.unit)
