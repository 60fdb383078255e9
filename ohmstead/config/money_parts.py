"""Tariffs, prices, the ledger and billing, constructed and joined."""

from __future__ import annotations

from ohmstead.core.errors import Conflict
from ohmstead.core.hub import Hub
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.reconcile.disputes import Disputes
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.records import TariffRecords
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.routes import TariffRoutes


class MoneyParts:
    """From readings to bills. What one of them needs of another that it does not know is joined here."""

    def __init__(self, hub: Hub, storage: Storage, devices: Devices) -> None:
        self.tariffs = Tariffs()
        self.records = TariffRecords(self.tariffs, storage, hub.clock)
        self.prices = PriceBook(storage, hub.clock, hub.bus)
        self.ledger = Ledger(storage, devices, hub.bus, hub.clock)
        self.billing = Billing(storage, hub.clock, devices.locations, self.ledger, self.tariffs, self.prices)
        self.tariff_routes = TariffRoutes(self.tariffs, self.records, hub.clock, self.prices, lambda: devices.locations.zone_of(HOME))
        self.services = (self.tariffs, self.prices, self.ledger, self.billing)
        storage.retention.keeper, storage.rollups.past = self.ledger.archive, self.ledger.vault
        self.ledger.archive.holders.append(Disputes(storage, self.billing, hub.clock).holds)
        self.ledger.corrections.valuer = self.billing.valuer
        self.ledger.registrar.guards.append(self._keep_billed)
        self.records.guards.append(self._keep_needed)

    async def open(self) -> None:
        """Take in what the database holds of them."""
        await self.records.open()
        await self.ledger.open()
        await self.billing.open()

    def _keep_needed(self, tariff: str) -> None:
        needing = [contract.id for contract in self.billing.contracts if any(name == tariff for _, name in contract.tariffs)]
        if needing:
            raise Conflict(f"tariff {tariff} is needed by the contract {', '.join(needing)}; change that first")

    def _keep_billed(self, point: str) -> None:
        billing = [contract.id for contract in self.billing.contracts.of_point(point)]
        if billing:
            raise Conflict(f"meter point {point} is billed by the contract {', '.join(billing)}; change that first")
