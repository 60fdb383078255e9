"""A house with billing and analytics over a ledger on paper that also rolls up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import voluptuous as vol

from ohmstead.core.clock import ManualClock, to_ms
from ohmstead.plugins.analytics.plugin import AnalyticsPlugin
from ohmstead.plugins.analytics.tables import TABLES as ANALYTICS
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.schemas import CONTRACT
from ohmstead.plugins.billing.tables import TABLES as BILLING
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.ledger.rollups import Rollup, gather, hours
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.tables import TABLES as PRICES
from ohmstead.plugins.tariffs.registry import Tariffs
from tests.fakes.paper_ledger import PaperLedger
from tests.fakes.registered_house import RegisteredHouse

ZONE = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    """The instant of a local time in Berlin."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZONE))


class RolledLedger(PaperLedger):
    """Hours, days, months and years of what is laid."""

    async def rollups(self, slugs: Sequence[str], resolution: str, start_ms: int, end_ms: int) -> dict[str, list[Rollup]]:
        spans = list(local(resolution, ZONE, start_ms, end_ms))
        sheets = await self.sheets(slugs, spans[0][0], spans[-1][1])
        return {slug: gather(hours(sheets[slug], ZONE), spans) for slug in slugs}


class AnalysedHouse(RegisteredHouse):
    """Its home lies in Berlin; it is noon of 2026-04-10."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder, ManualClock(at("2026-04-10T12:00")))
        self.clock._floor_ms = 0
        home = self.devices.locations.get("home")
        self.devices.locations.put(msgspec.structs.replace(home, time_zone=ZONE.key, area_m2=100.0))
        self.ledger = RolledLedger(self.devices.locations)
        self.tariffs, self.prices = Tariffs(), PriceBook(self.storage, self.clock, self.bus)
        for kind in KINDS:
            self.tariffs.add_kind(kind.KIND)
        billing = Billing(self.storage, self.clock, self.devices.locations, self.ledger, self.tariffs, self.prices)  # type: ignore[arg-type]
        self.billing = billing
        self.analytics = AnalyticsPlugin(self.ledger, billing, self.devices, self.storage, self.hub)  # type: ignore[arg-type]
        self.hub.plugins.add("analytics", self.analytics)

    async def __aenter__(self) -> AnalysedHouse:
        await self.storage.open([DEVICES, JOBS, PRICES, BILLING, ANALYTICS])
        await self.devices.open()
        await self.billing.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        return self

    def fill(self, point: str, start: str, end: str, *mwh: int) -> None:
        """These energies again and again in the slots of a span of local time."""
        count = (at(end) - at(start)) // 900_000
        self.ledger.lay(point, at(start), [mwh[n % len(mwh)] for n in range(count)])

    async def contract(self, price: Any, slug: str = "home", **given: Any) -> Any:
        """A contract, of the home unless given, at a flat price or with these components."""
        components = [{"type": "flat", "name": "energy", "price": price}] if isinstance(price, str) else price
        options = {"currency": given.pop("currency", "EUR"), "components": components}
        self.tariffs.put(self.tariffs.compiled(slug, self.tariffs.check(options)))
        return await self.billing.contracts.add(slug, vol.Schema(CONTRACT)({"import": "grid", "tariff": slug, **given}))
