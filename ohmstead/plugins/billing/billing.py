"""Billing as the rest of the house finds it: contracts, bills, and what is joined to the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.events import ConfigReloaded
from ohmstead.plugins.billing.biller import Biller
from ohmstead.plugins.billing.bills import Bills
from ohmstead.plugins.billing.book import BillBook
from ohmstead.plugins.billing.contracts import Contracts
from ohmstead.plugins.billing.supply import Slots, Supplies
from ohmstead.plugins.billing.valuer import MoneyValuer
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.tariffs.prices.events import PricesChanged

if TYPE_CHECKING:
    from ohmstead.plugins.devices.locations import Locations
    from ohmstead.plugins.storage.storage import Storage
    from ohmstead.plugins.tariffs.prices.book import PriceBook
    from ohmstead.plugins.tariffs.registry import Tariffs


class Billing:
    """The service other rooms use: `hub.get(Billing)`. `valuer` is the ledger's; its points must be open first."""

    def __init__(self, storage: Storage, clock: Clock, locations: Locations, slots: Slots, tariffs: Tariffs, prices: PriceBook) -> None:
        self.slots = slots
        self.contracts = Contracts(storage, clock, locations, slots.points, tariffs)
        self.biller = Biller(Supplies(slots, prices), tariffs)
        self.bills = Bills(self.contracts, self.biller, BillBook(storage), clock)
        self.valuer = MoneyValuer(self.bills)

    async def open(self) -> None:
        """Read what the database holds. Storage must be open."""
        await self.contracts.open()

    def listen(self, bus: Bus) -> None:
        """Forget what was carried over once it was made of something else."""
        bus.subscribe(LedgerChanged, self._ledger_changed)
        bus.subscribe(PricesChanged, lambda event: self.biller.forget(None, event.start_ms))
        bus.subscribe(ConfigReloaded, lambda event: self.biller.forget())

    def _ledger_changed(self, event: LedgerChanged) -> None:
        self.biller.forget({point for point, _, _ in event.changes}, min(start for _, start, _ in event.changes))
