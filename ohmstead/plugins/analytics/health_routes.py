"""`/devices/{id}/health`: the score of a device over the last 24 hours, and the facts it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ohmstead.core.clock import Clock, iso
from ohmstead.core.plugin import Job, hookimpl
from ohmstead.core.quantity import Kind
from ohmstead.core.route import Call, Route
from ohmstead.plugins.analytics import health
from ohmstead.plugins.analytics.health import SPAN_MS
from ohmstead.plugins.audit.search import Search
from ohmstead.plugins.storage.tables import dead_letters

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.storage import Storage

DAY_MS = 86_400_000
SILENT_MS = 7 * DAY_MS  # a quantity that was there in this time is expected
MOST = 10_000  # status changes looked at
MOST_COMMANDS = 1_000
REPORTED = {"command.acknowledged": True, "command.unconfirmed": False}


class HealthPlugin:
    """Scores of devices, as a plugin like anyone's."""

    def __init__(self, hub: Hub, devices: Devices, storage: Storage, clock: Clock) -> None:
        self._hub, self._devices, self._storage, self._clock = hub, devices, storage, clock
        self._search = Search(storage)
        self._scores: dict[str, dict[str, Any]] = {}

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """The score of one device, explained; those of all as the last run of the job found them."""
        tags = ("devices",)
        return [
            Route("GET", "/devices/{id}/health", self.one, "read", "How well a device did in the last 24 hours, and why", tags=tags),
            Route("GET", "/telemetry/health", self.all, "read", "The scores of all devices as of the last full hour, the worst first",
                  tags=("telemetry",)),
        ]  # fmt: skip

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """All devices, every hour."""
        return [Job("health", self.run, cron="7 * * * *", catch_up=False, description="score how well each device did in the last day")]

    async def one(self, call: Call) -> dict[str, Any]:
        """One device; NotFound."""
        return await self.score(call.path["id"])

    async def all(self, call: Call) -> list[dict[str, Any]]:
        """What the job found last; those nothing is known of come last."""
        there = [each for device, each in self._scores.items() if device in self._devices]
        found = [{name: each[name] for name in ("device", "end", "score")} for each in there]
        return sorted(found, key=lambda each: (each["score"] is None, each["score"], each["device"]))

    async def run(self) -> int:
        """Score every device; how many."""
        ids = [entry.device.id for entry in self._devices if not entry.unproven]
        self._scores = {device: await self.score(device) for device in ids if device in self._devices}
        return len(self._scores)

    async def score(self, device: str) -> dict[str, Any]:
        """The score over the last 24 hours, or since the device was added; NotFound."""
        entry = self._devices.entry(device)
        now = self._clock.now_ms()
        end_ms = now // SPAN_MS * SPAN_MS
        since_ms = max(end_ms - DAY_MS, entry.created_ms)
        start_ms = -(-since_ms // SPAN_MS) * SPAN_MS  # readings are counted by whole spans
        changes = await self._devices.history(device, now + 1, MOST)
        series, taken = await self._series(device, start_ms, end_ms)
        parts = (
            health.uptime(changes, since_ms, now),
            health.data_quality(series, self._silent(device, series, now) if end_ms > start_ms else ()),
            health.errors(taken, await self._refused(device, since_ms, now)),
            health.response(await self._responses(device, since_ms)),
        )
        return {"device": device, "start": iso(since_ms), "end": iso(now), **health.score(parts)}

    async def _series(self, device: str, start_ms: int, end_ms: int) -> tuple[Mapping[str, float | None], int]:
        """The presence of each quantity that came, and how many readings in all."""
        found: dict[str, float | None] = {}
        taken, spans = 0, (end_ms - start_ms) // SPAN_MS
        history = self._storage.history
        for each in await history.find(device):
            if spans > 0 and each.kind in (Kind.GAUGE, Kind.COUNTER):
                buckets = await history.buckets(each.key, each.kind, start_ms, end_ms, "5m", limit=spans + 2)
                counts = {(bucket.start_ms - start_ms) // SPAN_MS: bucket.count for bucket in buckets}
                taken += sum(counts.values())
                if counts:
                    found[each.quantity] = health.presence(counts, spans)
        return found, taken

    def _silent(self, device: str, heard: Mapping[str, Any], now_ms: int) -> list[str]:
        """Quantities of which nothing came, although there was something in the week."""
        states = (state for state in self._hub.states if state.series.device == device)
        return [state.series.quantity for state in states if state.series.kind in (Kind.GAUGE, Kind.COUNTER)
                and state.series.quantity not in heard and now_ms - DAY_MS > state.updated_ms > now_ms - SILENT_MS]  # fmt: skip

    async def _refused(self, device: str, start_ms: int, end_ms: int) -> int:
        letters = dead_letters.c
        query = select(func.count()).where(letters.tenant_id == self._storage.tenant_id, letters.device_id == device)
        async with self._storage.read() as tx:
            return int(await tx.scalar(query.where(letters.at_ms >= start_ms, letters.at_ms <= end_ms)) or 0)

    async def _responses(self, device: str, start_ms: int) -> list[int | None]:
        """How long its commands took, of the audit log; None for those that were never reported done."""
        found = await self._search.find({"device": device, "type": "command.*", "start": start_ms}, None, MOST_COMMANDS)
        return [each["data"]["took_ms"] if REPORTED[each["type"]] else None for each in found if each["type"] in REPORTED]
