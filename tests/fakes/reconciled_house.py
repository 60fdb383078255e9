"""A billed house that also checks invoices."""

from __future__ import annotations

from typing import Any

from ohmstead.plugins.billing.reconcile.plugin import ReconcilePlugin
from ohmstead.plugins.billing.reconcile.tables import TABLES as INVOICES
from ohmstead.plugins.billing.tables import TABLES as BILLING
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.tariffs.prices.tables import TABLES as PRICES
from tests.fakes.billed_house import BilledHouse, at
from tests.fakes.paper_ledger import SLOT_MS


class ReconciledHouse(BilledHouse):
    """Its household uses another amount in every slot, so that no two days are alike."""

    async def _open(self) -> None:
        await self.storage.open([DEVICES, JOBS, PRICES, BILLING, INVOICES])
        await self.devices.open()
        await self.billing.open()
        self.hub.provide(self.billing)
        self.hub._services[Ledger] = self.ledger
        self.hub.plugins.add("reconcile", ReconcilePlugin())
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]

    def live(self, start: str, end: str) -> None:
        """A household from day to day: 0 to 0.4 kWh in a quarter of an hour."""
        count = (at(end) - at(start)) // SLOT_MS
        self.ledger.lay("grid_import", at(start), [(n * n * 7919 + n * 104_729) % 400_009 for n in range(count)])

    def kwh(self, start: str, end: str) -> float:
        """What the household used."""
        sheet = self.ledger._sheet("grid_import", at(start), at(end))
        return sum(sheet.mwh) / 1e6

    async def check(self, **given: Any) -> dict[str, Any]:
        """Compare an invoice of the contract `home` for March."""
        body = {"id": "m", "contract": "home", "start": "2026-03-01", "end": "2026-04-01", **given}
        data: dict[str, Any] = (await self.ask("POST", "/invoices/check", body, format="json")).data
        return data
