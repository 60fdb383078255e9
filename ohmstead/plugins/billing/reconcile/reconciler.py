"""Compares invoices with what the house knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.reconcile.diagnosis import Reconciliation, diagnose
from ohmstead.plugins.billing.reconcile.facts import WIDER_MS, Facts

if TYPE_CHECKING:
    from ohmstead.plugins.billing.billing import Billing
    from ohmstead.plugins.billing.reconcile.invoice import Invoice


class Reconciler:
    """Reads on the event loop, reckons in a thread."""

    def __init__(self, billing: Billing) -> None:
        self._contracts, self._biller = billing.contracts, billing.biller

    async def reconcile(self, invoice: Invoice) -> Reconciliation:
        """What the invoice should say and why it says something else. NotFound for its contract, tariff or meter points."""
        return await asyncio.to_thread(diagnose, invoice, await self.facts(invoice))

    async def facts(self, invoice: Invoice) -> Facts:
        """All that is known of its period, and of some days around that."""
        contract, period = self._contracts.get(invoice.contract), Period(invoice.start_ms, invoice.end_ms)
        tariff = self._biller.tariff(contract, period)
        carry = await self._biller.carry(contract, tariff, period)
        wide = Period(period.start_ms - WIDER_MS, period.end_ms + WIDER_MS)
        return Facts(contract, tariff, period, await self._biller.supplies.read(contract, tariff, wide), carry)
