"""What reading back declares to the house: routes, jobs that keep history small and fast, and their section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ohmstead.core.plugin import Job, Section, hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.history import retention
from ohmstead.plugins.history.letters import DeadLetters
from ohmstead.plugins.history.live import Live
from ohmstead.plugins.history.query import Query
from ohmstead.plugins.history.readings import Readings
from ohmstead.plugins.history.telemetry import Telemetry
from ohmstead.plugins.storage.retention import Policy

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.storage import Storage

STATUS_HISTORY_MS = 365 * 86_400_000


class HistoryPlugin:
    """Reading back, as a plugin like anyone's."""

    def __init__(self, storage: Storage, devices: Devices, clock: Clock) -> None:
        self._storage, self._devices, self._clock = storage, devices, clock
        self._policy = Policy()

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`retention:`."""
        schema = retention.schema(hub.quantities)
        return [Section("retention", schema, self.keep, "for how long to keep what: a span such as 90d, or forever", default={})]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """Live states, history, queries, dead letters."""
        history, devices = self._storage.history, self._devices
        readings = Readings(history, devices, hub.quantities, self._clock)
        live = Live(hub.states, devices, history)
        letters = DeadLetters(self._storage.letters, hub.ingest)
        return [
            *live.routes(),
            readings.route(),
            Telemetry(history, live, self._clock).route(),
            Query(history, readings, devices, self._clock).route(),
            *letters.routes(),
        ]

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Rollups every minute; retention by night."""
        return [
            Job("rollups", self.roll_up, every_s=60, description="derive five-minute, hourly and daily rollups"),
            Job("retention", self.retain, cron="17 3 * * *", description="delete what retention: lets go, raw readings once archived"),
            Job("status-history", self.prune, cron="41 3 * * *", description="delete status changes older than a year"),
        ]

    async def keep(self, given: Mapping[str, Any] | None) -> None:
        """Put the section in force."""
        self._policy = retention.policy(given or {})

    async def roll_up(self) -> int:
        """Derive what readings have touched; how many five-minute buckets."""
        return await self._storage.rollups.derive(self._devices.zone_of, self._clock.now_ms())

    async def retain(self) -> int:
        """Delete what need not be kept; how many rows."""
        return await self._storage.retention.run(self._policy)

    async def prune(self) -> int:
        """Delete old lines of the status history; how many."""
        return await self._devices.prune(self._clock.now_ms() - STATUS_HISTORY_MS)
