"""Makes bills: reads what a contract used, prices it, and hands from one period to the next what its tariff carries over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ohmstead.plugins.billing.bill import Bill
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.coverage import Coverage, covered
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.supply import Sheets, Supplies, Supply
from ohmstead.plugins.tariffs import bill as rounding
from ohmstead.plugins.tariffs.lines import Carry, Priced
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.tariff import Tariff, instant

if TYPE_CHECKING:
    from ohmstead.plugins.tariffs.registry import Tariffs

KEPT = 4096  # carries that are remembered

_Key = tuple[Contract, str, int]  # with the tariff's id, and where the period ends that hands over


class Biller:
    """Prices contracts. Reads on the event loop, prices in a thread."""

    def __init__(self, supplies: Supplies, tariffs: Tariffs) -> None:
        self.supplies, self.tariffs = supplies, tariffs
        self._carries: dict[_Key, tuple[Tariff, Carry]] = {}
        self._generation = 0

    def tariff(self, contract: Contract, period: Period) -> Tariff:
        """The tariff of a billing period. NotFound, Invalid."""
        return self.tariffs.get(contract.tariff(period.start_ms))

    async def bill(self, contract: Contract, period: Period, known_at_ms: int | None = None) -> Bill:
        """The bill of one period. NotFound for a tariff or meter point that is not there."""
        tariff = self.tariff(contract, period)
        carry = await self.carry(contract, tariff, period, known_at_ms)
        return await self.under(contract, tariff, period, carry, known_at_ms)

    async def under(self, contract: Contract, tariff: Tariff, period: Period, carry: Carry, known_at_ms: int | None = None) -> Bill:
        """The bill of a period under any tariff, with what the period before handed over."""
        supply = await self.supplies.read(contract, tariff, period, known_at_ms)
        return await asyncio.to_thread(made, contract, tariff, period, supply, carry, known_at_ms)

    async def carry(self, contract: Contract, tariff: Tariff, period: Period, known_at_ms: int | None = None) -> Carry:
        """What the periods before hand to this one, from the first day of the contract and of the tariff on.

        A tariff that carries anything over does so from an empty period too, which is how it is told from the others.
        """
        if not priced(contract, tariff, period, Supply({point: [] for point in contract.points}), {}, known_at_ms).carry:
            return {}
        carry: Carry = {}
        generation, earlier = self._generation, await self._earlier(contract, tariff, period)
        for place in range(len(earlier), 0, -1):
            known = self._carries.get((contract, tariff.id, earlier[place - 1].end_ms)) if known_at_ms is None else None
            if known is not None and known[0] is tariff:
                carry, earlier = known[1], earlier[place:]
                break
        for each in earlier:
            supply = await self.supplies.read(contract, tariff, each, known_at_ms)
            carry = (await asyncio.to_thread(priced, contract, tariff, each, supply, carry, known_at_ms)).carry
            if known_at_ms is None and generation == self._generation:
                self._remember((contract, tariff.id, each.end_ms), tariff, carry)
        return carry

    async def _earlier(self, contract: Contract, tariff: Tariff, period: Period) -> list[Period]:
        """The billing periods before, from where contract, tariff and energy have all begun."""
        zone, until = ZoneInfo(contract.zone), period.start_ms
        first = min((instant(version.valid_from, zone) for version in tariff.versions), default=until)
        since = min(until, max(first, contract.since(until)))
        since = await self.supplies.begins(contract, since, until) if since < until else until
        return list(contract.between(since, until)) if since < until else []

    def _remember(self, key: _Key, tariff: Tariff, carry: Carry) -> None:
        if len(self._carries) >= KEPT:
            self._carries.clear()
        self._carries[key] = tariff, carry

    def forget(self, points: Iterable[str] | None = None, start_ms: int = 0) -> None:
        """Energy of meter points, or (None) prices or contracts, are others than before from an instant on."""
        self._generation += 1
        changed = None if points is None else set(points)
        for key in list(self._carries):
            contract, _, end_ms = key
            if end_ms > start_ms and (changed is None or changed.intersection(contract.points)):
                del self._carries[key]


def priced(contract: Contract, tariff: Tariff, period: Period, supply: Supply, carry: Carry, known_at_ms: int | None = None) -> Priced:
    """A supply, priced."""
    return price(
        tariff, supply.usage(contract), period.start_ms, period.end_ms, ZoneInfo(contract.zone), prices=supply.prices,
        known_at_ms=known_at_ms, carry=carry, grid_zone=contract.grid_zone,
    )  # fmt: skip


def made(contract: Contract, tariff: Tariff, period: Period, supply: Supply, carry: Carry, known_at_ms: int | None = None) -> Bill:
    """The bill that a supply makes."""
    found = priced(contract, tariff, period, supply, carry, known_at_ms)
    return Bill(
        contract, tariff.id, period, found, rounding.bill(found), _covered(supply.sheets, contract.imports, period),
        _covered(supply.sheets, contract.exports, period), supply, carry, known_at_ms,
    )  # fmt: skip


def _covered(sheets: Sheets, points: Iterable[str], period: Period) -> Coverage:
    found = (covered(sheets[point], period.start_ms, period.end_ms) for point in points)
    total = Coverage()
    for each in found:
        total = total.with_(each)
    return total
