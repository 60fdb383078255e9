"""A house with tariffs, prices and billing over a ledger on paper."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import Clock, ManualClock, to_ms
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.plugin import BillingPlugin
from ohmstead.plugins.billing.tables import TABLES as BILLING
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.ledger.points.points import Role
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.tables import TABLES as PRICES
from ohmstead.plugins.tariffs.prices.timeline import Span
from ohmstead.plugins.tariffs.registry import Tariffs
from tests.fakes.paper_ledger import SLOT_MS, PaperLedger
from tests.fakes.registered_house import RegisteredHouse

ZONE = "Europe/Berlin"


def at(text: str, zone: str = ZONE) -> int:
    """The instant of a local time."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


class BilledHouse(RegisteredHouse):
    """Its home lies in Berlin and has the meter points grid_import and grid_export."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(url, folder, clock or ManualClock(at("2026-04-10T12:00")))
        self.clock._floor_ms = 0  # its time is right although this release was built later
        home = self.devices.locations.get("home")
        self.devices.locations.put(msgspec.structs.replace(home, time_zone=ZONE))
        self.ledger = PaperLedger(self.devices.locations)
        self.ledger.point("grid_import")
        self.ledger.point("grid_export", Role.GRID_EXPORT)
        self.tariffs, self.prices = Tariffs(), PriceBook(self.storage, self.clock, self.bus)
        for kind in KINDS:
            self.tariffs.add_kind(kind.KIND)
        self.billing = Billing(self.storage, self.clock, self.devices.locations, self.ledger, self.tariffs, self.prices)
        self.hub.provide(self.storage)
        self.hub._services[Ledger] = self.ledger  # the one on paper stands in for it
        self.hub.plugins.add("billing", BillingPlugin(self.billing))

    async def _open(self) -> None:
        await self.storage.open([DEVICES, JOBS, PRICES, BILLING])
        await self.devices.open()
        await self.billing.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]

    async def __aenter__(self) -> BilledHouse:
        await self._open()
        return self

    def tariff(self, slug: str, *components: Any, **more: Any) -> None:
        """Put a tariff in force: one version of these components, unless `versions` are given."""
        options = {"currency": "EUR", **({"components": list(components)} if components else {}), **more}
        self.tariffs.put(self.tariffs.compiled(slug, self.tariffs.check(options)))

    async def contract(self, slug: str = "home", **given: Any) -> dict[str, Any]:
        """Make a contract over the API."""
        body = {"id": slug, "import": "grid_import", "tariff": "flat", **given}
        data: dict[str, Any] = (await self.ask("POST", "/contracts", body)).data
        return data

    def fill(self, point: str, start: str, end: str, mwh: int, **more: Any) -> None:
        """The same energy in every slot of a span of local time."""
        count = (at(end) - at(start)) // SLOT_MS
        self.ledger.lay(point, at(start), [mwh] * count, **more)

    async def price(self, series: str, start: str, *prices: int, hours: int = 1) -> None:
        """Dynamic prices of an hour each, in millionths of the currency per kWh."""
        spans = [Span(at(start) + n * hours * 3_600_000, at(start) + (n + 1) * hours * 3_600_000, p * 10**6) for n, p in enumerate(prices)]
        await self.prices.add(series, "EUR", spans, "test")
