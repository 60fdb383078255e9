"""What a rate charges by the kWh: periods and tiers over the schedules, what export earns, and monthly fuel adjustments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ohmstead.integrations.urdb.fields import nothing
from ohmstead.integrations.urdb.schedule import Grid, Windows, grid, months, windows

if TYPE_CHECKING:
    from ohmstead.integrations.urdb.rate import Rate

STRUCTURE, WEEKDAY, WEEKEND = "energyratestructure", "energyweekdayschedule", "energyweekendschedule"
TIER = frozenset(("rate", "adj", "sell", "max", "unit"))
UNITS = {"kWh": "period", "kWh daily": "day"}  # of `max`: for the month, or for each day of it
EVERY_HOUR: Grid = ((0,) * 24,) * 12

Component = dict[str, Any]
Tier = dict[str, Any]


def energy(rate: Rate) -> list[Component]:
    """Components of import and export."""
    periods = _periods(rate)
    when = schedule(rate, STRUCTURE, WEEKDAY, WEEKEND, len(periods))
    dr = rate.take("energydrdayschedule")
    if not nothing(dr) and dr != rate.take(WEEKDAY):
        rate.refuse("energydrdayschedule", "prices on days of demand response cannot be priced")
    used = {number: periods[number] for number in sorted(when) if number < len(periods)}
    bought = {number: [_price(rate, tier, number, place) for place, tier in enumerate(tiers)] for number, tiers in used.items()}
    if not used:
        return []
    found = _tiered(rate, used, bought, when) if any(len(tiers) > 1 for tiers in used.values()) else [
        _by_time("energy", {number: prices[0] for number, prices in bought.items()}, when)
    ]  # fmt: skip
    return found + _sold(rate, used, when)


def schedule(rate: Rate, structure: str, weekday: str, weekend: str, count: int) -> Windows:
    """The windows of every period of a structure; without schedules its only period always holds."""
    given = rate.take(weekday), rate.take(weekend)
    if count == 0:
        return {}
    if count == 1 and not given[0] and not given[1]:
        return windows(EVERY_HOUR, EVERY_HOUR)
    grids: list[Grid] = []
    for name, value in ((weekday, given[0]), (weekend, given[1])):
        try:
            found = grid(value, rate.first)
            if max(max(row) for row in found) >= count:
                raise ValueError(f"speaks of more periods than the {count} of {structure}")
            grids.append(found)
        except ValueError as error:
            rate.refuse(name, str(error))
    return windows(*grids) if len(grids) == 2 else {}


def _periods(rate: Rate) -> list[list[Tier]]:
    unit = rate.take("energyrateunit")
    if not nothing(unit) and unit != "kWh":
        rate.refuse("energyrateunit", "expected kWh")
    flat = {key: rate.take(name) for key, name in (("rate", "flatratebuy"), ("adj", "flatratefueladj"), ("sell", "flatratesell"))}
    given = rate.take(STRUCTURE)
    if nothing(given):
        return [] if nothing(list(flat.values())) else [[{"rate": 0, **{k: v for k, v in flat.items() if not nothing(v)}}]]
    if not nothing(list(flat.values())):
        rate.refuse("flatratebuy", f"there is {STRUCTURE} too; which of them holds?")
    if not isinstance(given, list) or not all(isinstance(tiers, list) and all(isinstance(tier, dict) for tier in tiers) for tiers in given):
        rate.refuse(STRUCTURE, "expected a list of periods, each a list of tiers")
        return []
    return given


def _price(rate: Rate, tier: Tier, number: int, place: int) -> str:
    name = f"{STRUCTURE}[{number}][{place}]"
    for key in tier.keys() - TIER:
        if not nothing(tier[key]):
            rate.refuse(f"{name}.{key}", "this cannot be priced")
    if tier.get("unit", "kWh") not in UNITS:
        rate.refuse(f"{name}.unit", f"{tier['unit']} cannot be priced; expected {' or '.join(UNITS)}")
    if tier.get("rate") is None and tier.get("adj") is None:
        rate.refuse(f"{name}.rate", "is missing")
    return f"{rate.number(tier.get('rate') or 0, f'{name}.rate') + rate.number(tier.get('adj') or 0, f'{name}.adj'):f}"


def _by_time(name: str, prices: dict[int, str], when: Windows, **more: str) -> Component:
    """One price for always, or one for each window."""
    if len(set(prices.values())) == 1:
        return {"type": "flat", "name": name, "price": next(iter(prices.values())), **more}
    rows = [{"name": f"period {number + 1}", "price": price, **window} for number, price in prices.items() for window in when[number]]
    return {"type": "time_of_use", "name": name, "windows": rows, **more}


def _tiered(rate: Rate, used: dict[int, list[Tier]], bought: dict[int, list[str]], when: Windows) -> list[Component]:
    """A component for each period, because its tiers count the energy of the period alone."""
    found: list[Component] = []
    for number, tiers in used.items():
        name = "energy" if len(used) == 1 else f"energy {number + 1}"
        place: Component = {"name": name} if when[number] == [{}] else {"name": name, "when": when[number]}
        if len(tiers) == 1:
            found.append({"type": "flat", "price": bought[number][0], **place})
            continue
        limits = [rate.number(tier.get("max"), f"{STRUCTURE}[{number}][{n}].max") for n, tier in enumerate(tiers[:-1])]
        if "max" in tiers[-1] and not nothing(tiers[-1]["max"]) and rate.number(tiers[-1]["max"], "max") < 100_000_000:
            rate.refuse(f"{STRUCTURE}[{number}][{len(tiers) - 1}].max", "the last tier ends, and nothing is said of what is beyond it")
        units = {tier.get("unit", "kWh") for tier in tiers}
        if len(units) > 1:
            rate.refuse(f"{STRUCTURE}[{number}]", f"tiers in {' and '.join(sorted(units))}")
        rows = [{"up_to": f"{limit:f}", "price": price} for limit, price in zip(limits, bought[number], strict=False)]
        rows.append({"price": bought[number][-1]})
        found.append({"type": "tiers", "tiers": rows, "period": "month", "per": UNITS.get(units.pop(), "period"), **place})
    return found


def _sold(rate: Rate, used: dict[int, list[Tier]], when: Windows) -> list[Component]:
    """What export earns: one price in each period."""
    prices: dict[int, str] = {}
    for number, tiers in used.items():
        sells = {tier["sell"] for tier in tiers if not nothing(tier.get("sell"))}
        if len(sells) > 1:
            rate.refuse(f"{STRUCTURE}[{number}]", "what export earns depends on the tier; that cannot be priced")
        prices[number] = f"{rate.number(sells.pop(), f'{STRUCTURE}[{number}][0].sell'):f}" if sells else "0"
    if nothing(list(prices.values())):
        return []
    return [_by_time("export", prices, when, direction="export")]


def fuel(rate: Rate) -> list[Component]:
    """Monthly fuel adjustments, by the kWh."""
    name = "fueladjustmentsmonthly"
    if not rate.charges(name):
        return []
    given = rate.take(name)
    if not isinstance(given, list) or len(given) != 12:
        rate.refuse(name, "expected 12 prices, one for each month")
        return []
    parts = months(f"{rate.number(each, name):f}" for each in given)
    when = {number: [{"dates": dates}] for number, dates in enumerate(parts.values())}
    return [_by_time("fuel adjustment", dict(enumerate(parts)), when)]
