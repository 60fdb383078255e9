"""A metered house with alert rules; what people would be told of is on a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import voluptuous as vol
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.clock import Clock, ManualClock
from ohmstead.core.notice import Notice
from ohmstead.plugins.billing.live import QUANTITIES
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.ledger.tables import TABLES as LEDGER
from ohmstead.plugins.people.people import People
from ohmstead.plugins.people.tables import TABLES as PEOPLE
from ohmstead.plugins.rules.alerts.plugin import AlertsPlugin
from ohmstead.plugins.rules.alerts.rule import RULE
from ohmstead.plugins.rules.tables import TABLES
from ohmstead.plugins.rules.watch import Watches
from tests.fakes.metered_house import MeteredHouse


class AlertedHouse(MeteredHouse):
    """Opened with `async with`. Nothing runs by itself: `catch_up` does what the tasks would."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(url, folder, clock, start=False)
        for quantity in QUANTITIES:
            self.hub.quantities.add(quantity)
        self.watches = Watches(self.clock, self.storage)
        self.people = People(self.storage, self.clock, self.hub.data_dir, lambda: "UTC")
        self.alerting = AlertsPlugin(self.hub, self.storage, self.watches, self.devices, self.ledger, self.people)
        self.alerts, self.rules = self.alerting.alerts, self.alerting.rules
        self.alerts.journal.tell = self._tell
        self.notices: list[Notice] = []
        self.hub.plugins.add("alerts", self.alerting)

    async def _tell(self, tx: AsyncConnection, notice: Notice) -> None:
        self.notices.append(notice)

    async def __aenter__(self) -> AlertedHouse:
        await self.storage.open([DEVICES, JOBS, LEDGER, PEOPLE, TABLES])
        await self.devices.open()
        await self.ledger.open()
        await self.people.open()
        await self.alerting.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        self.alerting.watch(self.hub)
        return self

    async def state(self, **rules: dict[str, Any]) -> None:
        """Put these rules in force as the YAML's."""
        await self.rules.apply({id_: vol.Schema(RULE)(options) for id_, options in rules.items()})

    async def say(self, device: str, quantity: str, value: Any, after_s: float = 0) -> None:
        """A reading of now, once some time has passed; then all that follows from it."""
        await self.wait(after_s)
        await self.store(device, quantity, value, self.clock.now_ms())
        await self.catch_up()

    async def wait(self, for_s: float) -> None:
        """Let time pass, second by second."""
        assert isinstance(self.clock, ManualClock)
        for _ in range(int(for_s)):
            await self.clock.advance(1)
            await self.catch_up()
        await self.clock.advance(for_s - int(for_s))

    async def catch_up(self) -> None:
        """Ring what is due, and do all that follows."""
        self.watches.ring()
        await self.watches.flush()
        await self.alerts.catch_up()

    async def open_alerts(self) -> list[dict[str, Any]]:
        """What is open, the newest first."""
        return await self.get("/alerts", open="true")  # type: ignore[no-any-return]

    @property
    def told(self) -> list[str]:
        """The titles of all notices."""
        return [notice.title for notice in self.notices]
