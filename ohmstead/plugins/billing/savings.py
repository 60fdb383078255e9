"""What the house saved by its roof, its battery, by when it used energy and by its tariff: each against a stated baseline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms, iso
from ohmstead.plugins.billing.bill import Bill, plain
from ohmstead.plugins.billing.biller import Biller, made
from ohmstead.plugins.billing.bills import SLOT_MS
from ohmstead.plugins.billing.premises import Premises, premises, supplied
from ohmstead.plugins.billing.supply import Slots
from ohmstead.plugins.ledger.points.points import Role
from ohmstead.plugins.tariffs.curve import slot_prices
from ohmstead.plugins.tariffs.money import minor_unit, rounded
from ohmstead.plugins.tariffs.tariff import Tariff

BASELINES = {
    "pv": "no roof and no battery: every slot's consumption bought, nothing sold",
    "battery": "the roof without the battery: in every slot the surplus sold, the rest bought",
    "load_shifting": "every local day's import bought at the day's mean price of its slots, however it lay in the day",
    "tariff": "the same slots under the other tariff, had it been that of the earlier bills too",
}


class Savings:
    """Compares bills with what they would be."""

    def __init__(self, biller: Biller, slots: Slots) -> None:
        self._biller, self._slots = biller, slots

    async def of(self, bill: Bill, other: Tariff | None) -> dict[str, Any]:
        """The savings in a bill's period; null where the house has no such thing, or no baseline tariff was named."""
        tariff = self._biller.tariff(bill.contract, bill.period)
        place = await premises(self._slots, bill.contract, bill.period)

        def compared() -> dict[str, Decimal | None]:
            roof, battery = Role.PV in place.by_role, Role.BATTERY_OUT in place.by_role
            bare = _total(bill, tariff, place.consumed, [0] * len(place.consumed), place) if roof or battery else None
            without = _without_battery(bill, tariff, place) if battery else bill.sheet.total
            return {
                "pv": None if bare is None else bare - without, "battery": without - bill.sheet.total if battery else None,
                "load_shifting": _shifted(bill),
            }  # fmt: skip

        found = await asyncio.to_thread(compared)
        found["tariff"] = None if other is None else await self._other(bill, other)
        return {
            "contract": bill.contract.id, "currency": bill.contract.currency, "start": iso(bill.period.start_ms),
            "end": iso(bill.period.end_ms), "total": plain(bill.sheet.total),
            "savings": {name: {"amount": None if amount is None else plain(amount), "against": BASELINES[name]}
                        for name, amount in found.items()},
        }  # fmt: skip

    async def _other(self, bill: Bill, other: Tariff) -> Decimal:
        carry = await self._biller.carry(bill.contract, other, bill.period)
        would = await self._biller.under(bill.contract, other, bill.period, carry)
        return would.sheet.total - bill.sheet.total


def _without_battery(bill: Bill, tariff: Tariff, place: Premises) -> Decimal:
    roof = place.of(Role.PV)
    bought = [max(0, need - sun) for need, sun in zip(place.consumed, roof, strict=True)]
    sold = [max(0, sun - need) for need, sun in zip(place.consumed, roof, strict=True)]
    return _total(bill, tariff, bought, sold, place)


def _total(bill: Bill, tariff: Tariff, bought: Sequence[int], sold: Sequence[int], place: Premises) -> Decimal:
    imported, exported = (dict(zip(place.starts_ms, energy, strict=True)) for energy in (bought, sold))
    return made(bill.contract, tariff, bill.period, supplied(bill, imported, exported), bill.carried).sheet.total


def _shifted(bill: Bill) -> Decimal:
    """The energy, had each local day's import lain evenly in its priced slots, at the prices it had, less what it cost."""
    zone, period = ZoneInfo(bill.contract.zone), bill.period
    prices = slot_prices(bill.priced, period.start_ms, period.end_ms, SLOT_MS)
    energy = _energy(bill, len(prices))
    days: dict[Any, list[int]] = {}
    for place, price in enumerate(prices):
        if price is not None:
            days.setdefault(from_ms(period.start_ms + place * SLOT_MS).astimezone(zone).date(), []).append(place)
    even = actual = Fraction(0)
    for places in days.values():
        costs = [(prices[place] or Fraction(0), energy[place]) for place in places]
        even += sum((price for price, _ in costs), Fraction(0)) / len(costs) * sum(mwh for _, mwh in costs)
        actual += sum((price * mwh for price, mwh in costs), Fraction(0))
    return rounded((even - actual) / 1_000_000, minor_unit(bill.contract.currency))


def _energy(bill: Bill, count: int) -> list[int]:
    """The import in mWh by quarters of an hour from the beginning of the period on."""
    energy = [0] * count
    for sheet in bill.supply.of(bill.contract.imports):
        for number, mwh in enumerate(sheet.mwh):
            place = (sheet.start_ms + number * sheet.slot_ms - bill.period.start_ms) // SLOT_MS
            if 0 <= place < count:
                energy[place] += mwh
    return energy
