"""A hub with storage, devices and the audit log on one database; and hands that tamper with the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import text

from ohmstead.core.clock import Clock
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.heard import DEVICES as DEVICE_EVENTS
from ohmstead.plugins.audit.plugin import AuditPlugin
from ohmstead.plugins.audit.tables import TABLES
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from tests.fakes.registered_house import RegisteredHouse


class AuditedHouse(RegisteredHouse):
    """Opened with `async with`; `start` also listens to the bus."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(url, folder, clock)
        self.audit = Audit(self.storage, self.clock, self.hub.data_dir)
        self.devices.journal.witness = self.audit.witness(DEVICE_EVENTS)
        self.storage.around = self.audit.operations.around
        self.plugin = AuditPlugin(self.audit, self.clock, self.bus)
        self.hub.plugins.add("audit", self.plugin)

    async def __aenter__(self) -> AuditedHouse:
        await self.storage.open([DEVICES, JOBS, TABLES])
        await self.devices.open()
        await self.audit.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.hub.stop()
        await self.devices.close()
        await self.audit.close()
        await self.storage.close()

    async def tamper(self, sql: str, **values: Any) -> int:
        """What somebody with the database's password could do; how many rows it touched."""

        async def write(tx: Any) -> int:
            return (await tx.execute(text(sql), values)).rowcount

        return int(await self.storage.write(write))

    async def types(self, **wanted: Any) -> list[str]:
        """The types of the entries, the oldest first."""
        await self.audit.flush()
        return [entry["type"] for entry in reversed(await self.audit.search.find(wanted, None, 1000))]
