"""Invoices that do not reconcile: what they are about is not settled, so its raw readings are needed still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.errors import OhmsteadError
from ohmstead.plugins.billing.reconcile.invoices import Invoices
from ohmstead.plugins.billing.reconcile.reconciler import Reconciler
from ohmstead.plugins.ledger.archive.archive import Hold

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.billing.billing import Billing
    from ohmstead.plugins.billing.reconcile.invoice import Invoice
    from ohmstead.plugins.storage.storage import Storage


class Disputes:
    """Looks the invoices over again; nothing about them is remembered."""

    def __init__(self, storage: Storage, billing: Billing, clock: Clock) -> None:
        self._contracts, self._reconciler = billing.contracts, Reconciler(billing)
        self._invoices = Invoices(storage, billing.contracts, clock)

    async def holds(self, since_ms: int) -> list[Hold]:
        """The meter points and periods of those that end after an instant."""
        return [
            Hold(point, invoice.start_ms, invoice.end_ms)
            for invoice in await self._invoices.since(since_ms)
            if await self._open(invoice)
            for point in self._contracts.get(invoice.contract).points
        ]

    async def _open(self, invoice: Invoice) -> bool:
        try:
            return not (await self._reconciler.reconcile(invoice)).agrees
        except OhmsteadError:
            return True  # what cannot be compared is not settled
