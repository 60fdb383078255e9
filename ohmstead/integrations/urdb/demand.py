"""What a rate charges by the kW: one price for the month's highest demand, and prices for the highest within periods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ohmstead.integrations.urdb.energy import schedule
from ohmstead.integrations.urdb.fields import nothing
from ohmstead.integrations.urdb.schedule import months

if TYPE_CHECKING:
    from ohmstead.integrations.urdb.rate import Rate

TIER = frozenset(("rate", "adj", "max", "unit"))
WINDOWS = (15, 30, 60)

Component = dict[str, Any]


def demand(rate: Rate) -> list[Component]:
    """Components of demand."""
    flat, timed = _prices(rate, "flatdemandstructure"), _prices(rate, "demandratestructure")
    when = schedule(rate, "demandratestructure", "demandweekdayschedule", "demandweekendschedule", len(timed)) if any(timed) else {}
    found = [*_monthly(rate, flat), *(
        _charge(f"demand {number + 1}", timed[number], when[number]) for number in sorted(when) if number < len(timed) and timed[number]
    )]  # fmt: skip
    window = rate.take("demandwindow")
    for name in ("flatdemandunit", "demandrateunit", "demandunits"):
        unit = rate.take(name)
        if found and not nothing(unit) and unit != "kW":
            rate.refuse(name, f"demand in {unit} cannot be priced; expected kW")
    if not found:
        for name in ("flatdemandmonths", "demandweekdayschedule", "demandweekendschedule"):
            rate.take(name)
        return []
    if nothing(window):
        return found
    if window not in WINDOWS:
        rate.refuse("demandwindow", f"demand over {window} minutes cannot be priced; expected {', '.join(map(str, WINDOWS))}")
    return [{**each, "window": int(window)} for each in found if window in WINDOWS]


def _prices(rate: Rate, structure: str) -> list[str]:
    """The price per kW of each period; empty for one that charges nothing."""
    given = rate.take(structure)
    if nothing(given):
        return []
    if not isinstance(given, list) or not all(isinstance(tiers, list) and all(isinstance(tier, dict) for tier in tiers) for tiers in given):
        rate.refuse(structure, "expected a list of periods, each a list of tiers")
        return []
    return ["" if not _charged(tiers) else _price(rate, tiers, f"{structure}[{number}]") for number, tiers in enumerate(given)]


def _charged(tiers: list[dict[str, Any]]) -> bool:
    return any(not nothing(tier.get("rate")) or not nothing(tier.get("adj")) for tier in tiers)


def _price(rate: Rate, tiers: list[dict[str, Any]], name: str) -> str:
    tier = tiers[0]
    if len(tiers) > 1:
        rate.refuse(name, "prices of demand in tiers cannot be priced")
    for key in tier.keys() - TIER:
        if not nothing(tier[key]):
            rate.refuse(f"{name}[0].{key}", "this cannot be priced")
    if tier.get("unit", "kW") != "kW":
        rate.refuse(f"{name}[0].unit", f"demand in {tier['unit']} cannot be priced; expected kW")
    price = rate.number(tier.get("rate") or 0, f"{name}[0].rate") + rate.number(tier.get("adj") or 0, f"{name}[0].adj")
    if price < 0:
        rate.refuse(f"{name}[0].rate", "a negative price of demand")
    return f"{price:f}"


def _monthly(rate: Rate, prices: list[str]) -> Iterator[Component]:
    given = rate.take("flatdemandmonths")
    if not any(prices):
        return
    twelve = [0] * 12 if given is None else given
    if not isinstance(twelve, list) or len(twelve) != 12 or not all(isinstance(n, int) and 0 <= n < len(prices) for n in twelve):
        rate.refuse("flatdemandmonths", f"expected 12 numbers of periods, each less than {len(prices)}")
        return
    for number, dates in months(twelve).items():
        if prices[number]:
            name = "demand" if len(set(twelve)) == 1 else f"demand of season {number + 1}"
            yield _charge(name, prices[number], [{"dates": dates}] if dates else [{}])


def _charge(name: str, price: str, when: list[dict[str, Any]]) -> Component:
    found: Component = {"type": "capacity", "name": name, "price": price, "per": "month", "period": "month"}
    return found if when == [{}] else {**found, "when": when}
