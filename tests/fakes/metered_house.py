"""A registered house that has a ledger."""

from __future__ import annotations

from pathlib import Path

from ohmstead.core.clock import Clock
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.ledger.plugin import LedgerPlugin
from ohmstead.plugins.ledger.tables import TABLES as LEDGER
from tests.fakes.registered_house import RegisteredHouse


class MeteredHouse(RegisteredHouse):
    """Opened with `async with`; its tasks run, unless `start` is False."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None, start: bool = True) -> None:
        super().__init__(url, folder, clock)
        self.ledger = Ledger(self.storage, self.devices, self.bus, self.clock)
        self.points = self.ledger.points
        self.hub.provide(self.storage)
        self.hub.provide(self.devices)
        self.hub.provide(self.ledger)
        self.hub.plugins.add("ledger", LedgerPlugin(self.ledger))
        self._start = start

    async def __aenter__(self) -> MeteredHouse:
        await self.storage.open([DEVICES, JOBS, LEDGER])
        await self.devices.open()
        await self.ledger.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        if self._start:
            self.start()
        return self

    async def settle(self) -> None:
        """Have everything derived that is stored, the automatic meter points made first."""
        await self.ledger.automatic.settle()
        await self.ledger.caught_up(20)
