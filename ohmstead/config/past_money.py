"""Money of the past as backtests ask for it, from the contracts of the house."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.bills import SLOT_MS
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.what_if import WhatIf
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.rules.backtest.money import Prices
from ohmstead.plugins.tariffs.curve import curve


class PastMoney:
    """Joins billing to the rules, which do not know each other."""

    def __init__(self, billing: Billing, clock: Clock) -> None:
        self._billing, self._what_if = billing, WhatIf(billing.biller, clock)

    async def prices(self, contract: str | None, start_ms: int, end_ms: int) -> Prices:
        """What one more kWh cost; tiers as each billing period began with. NotFound, Invalid."""
        found, start_ms = self._contract(contract, start_ms), start_ms - start_ms % SLOT_MS
        end_ms += -end_ms % SLOT_MS
        per_kwh: list[Fraction | None] = []
        for period in found.between(start_ms, end_ms):
            span = Period(max(period.start_ms, start_ms), min(period.end_ms, end_ms))
            per_kwh += [None] * ((span.start_ms - start_ms) // SLOT_MS - len(per_kwh))
            per_kwh += await self._of_period(found, period, span)
        return Prices(found.currency, start_ms, SLOT_MS, per_kwh)

    async def _of_period(self, contract: Contract, period: Period, span: Period) -> Sequence[Fraction | None]:
        biller = self._billing.biller
        tariff = biller.tariff(contract, period)
        prices, carry = await biller.supplies.prices(tariff, span), await biller.carry(contract, tariff, period)

        def priced() -> Sequence[Fraction | None]:
            return curve(
                tariff, span.start_ms, span.end_ms, SLOT_MS, ZoneInfo(contract.zone), prices=prices, carry=carry,
                grid_zone=contract.grid_zone, with_vat=True,
            )  # fmt: skip

        return await asyncio.to_thread(priced)

    def periods(self, contract: str | None, period: str, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """The billing periods (month) or the local days (day) of a contract that touch a span. NotFound, Invalid."""
        found = self._contract(contract, start_ms)
        whole = [(each.start_ms, each.end_ms) for each in found.between(start_ms, end_ms)]
        if period == "month":
            return whole
        zone = ZoneInfo(found.zone)
        days = [(max(first, low), min(last, high)) for low, high in whole for first, last in local("day", zone, low, high)]
        return [(low, high) for low, high in days if low < end_ms and high > start_ms]

    async def cost(self, contract: str | None, within_ms: int, until_ms: int) -> Fraction:
        """What the billing period of an instant came to, up to another instant in it. NotFound, Invalid."""
        found = self._contract(contract, within_ms)
        period, until_ms = found.period(within_ms), until_ms - until_ms % SLOT_MS
        if period is None or until_ms <= period.start_ms:
            return Fraction(0)
        return Fraction((await self._billing.biller.bill(found, Period(period.start_ms, until_ms))).sheet.total)

    async def what_if(self, contract: str | None, tariff: Mapping[str, Any], start_ms: int, end_ms: int) -> dict[str, Any]:
        """See billing's WhatIf."""
        found = self._contract(contract, start_ms)
        return await self._what_if.compare(found, self._what_if.tariff(tariff, found.currency), start_ms, end_ms)

    def _contract(self, named: str | None, at_ms: int) -> Contract:
        contracts = self._billing.contracts
        found = contracts.main(HOME, at_ms) if named is None else contracts.get(named)
        if found is None:
            raise Invalid("the home has no contract, so there are no prices; the configuration's `contracts:` makes one")
        return found
