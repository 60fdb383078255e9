"""`/telemetry/summary` and `/telemetry/stats/{device}`: how much comes in, from whom, and how well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import voluptuous as vol
from sqlalchemy import func, select

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.model import DeviceStatus
from ohmstead.core.quantity import Kind
from ohmstead.core.route import Call, Route
from ohmstead.plugins.storage.tables import dead_letters
from ohmstead.plugins.tariffs.moment import instant

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.history import SeriesInfo
    from ohmstead.plugins.storage.storage import Storage

FIVE_MS, DAY_MS = 300_000, 86_400_000
LONGEST_MS = 92 * DAY_MS
MOST_CHANGES = 10_000
UP = (DeviceStatus.ONLINE.value, DeviceStatus.ERROR.value)
WINDOW = {
    vol.Optional("start", description="from this instant on; a day before the end unless given"): instant,
    vol.Optional("end", description="up to this instant, not included; now unless given"): instant,
}


class Telemetry:
    """Looks at what is stored and at what was refused."""

    def __init__(self, hub: Hub, devices: Devices, storage: Storage, clock: Clock) -> None:
        self._hub, self._devices, self._storage, self._clock = hub, devices, storage, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("telemetry",)
        return [
            Route("GET", "/telemetry/summary", self.summary, "read", "Devices, series and readings at a glance", tags=tags),
            Route("GET", "/telemetry/stats/{device}", self.stats, "read", "Uptime, missing and error rate of a device, and its values",
                  query=WINDOW, tags=tags),
        ]  # fmt: skip

    async def summary(self, call: Call) -> dict[str, Any]:
        """Counts of devices by status, of series, and of readings since the hub started."""
        statuses = Counter(entry.status.value for entry in self._devices if not entry.unproven)
        newest = max((state.updated_ms for state in self._hub.states), default=None)
        ring = await self._storage.letters.ring()
        return {
            "devices": {"total": sum(statuses.values()), **{status.value: statuses.get(status.value, 0) for status in DeviceStatus}},
            "series": len(await self._storage.history.find()), "live_series": sum(1 for _ in self._hub.states),
            "readings": self._hub.ingest.readings, "refused": self._hub.ingest.refused, "dead_letters": ring.held,
            "waiting": self._storage.waiting, "newest": None if newest is None else iso(newest),
        }  # fmt: skip

    async def stats(self, call: Call) -> dict[str, Any]:
        """Over a window of at most 92 days.

        `uptime` is the share of the time that the device was online or in error, of the time its status is known for.
        `missing_rate` of a gauge is the share of five-minute spans without a reading, that of the device the least of
        these; `error_rate` the share of what came from it that was refused.
        """
        device = call.path["device"]
        end_ms = call.query.get("end", self._clock.now_ms())
        start_ms = call.query.get("start", end_ms - DAY_MS)
        if not start_ms < end_ms <= start_ms + LONGEST_MS:
            raise Invalid("the window is not right", [{"path": "end", "message": "expected an instant after start, at most 92 days later"}])
        series = await self._storage.history.find(device)
        if not series and device not in self._devices:
            raise NotFound(f"there is no device {device[:64]!r}")
        found = {each.quantity: await self._quantity(each, start_ms, end_ms) for each in series if each.kind in (Kind.GAUGE, Kind.COUNTER)}
        taken, refused = sum(each["count"] for each in found.values()), await self._refused(device, start_ms, end_ms)
        rates = [each["missing_rate"] for each in found.values() if each["missing_rate"] is not None]
        return {
            "device": device, "start": iso(start_ms), "end": iso(end_ms), "uptime": await self._uptime(device, start_ms, end_ms),
            "missing_rate": min(rates, default=None), "error_rate": _share(refused, taken + refused),
            "readings": taken, "refused": refused, "quantities": found,
        }  # fmt: skip

    async def _quantity(self, series: SeriesInfo, start_ms: int, end_ms: int) -> dict[str, Any]:
        spans = (end_ms - start_ms) // FIVE_MS
        buckets = await self._storage.history.buckets(series.key, series.kind, start_ms, end_ms, "5m", limit=spans + 2)
        count = sum(bucket.count for bucket in buckets)
        mean = sum(bucket.mean * bucket.count for bucket in buckets) / count if count else None
        missing = _share(max(0, spans - len(buckets)), spans) if series.kind is Kind.GAUGE else None
        return {"unit": series.unit, "count": count, "min": min((b.min for b in buckets), default=None), "mean": mean,
                "max": max((b.max for b in buckets), default=None), "missing_rate": missing}  # fmt: skip

    async def _refused(self, device: str, start_ms: int, end_ms: int) -> int:
        letters = dead_letters.c
        query = select(func.count()).where(letters.tenant_id == self._storage.tenant_id, letters.device_id == device)
        async with self._storage.read() as connection:
            found = await connection.scalar(query.where(letters.at_ms >= start_ms, letters.at_ms < end_ms))
        return int(found or 0)

    async def _uptime(self, device: str, start_ms: int, end_ms: int) -> float | None:
        """Of the line of status changes, newest first, up to now."""
        changes = await self._devices.history(device, min(end_ms, self._clock.now_ms() + 1), MOST_CHANGES)
        return uptime(changes, start_ms, min(end_ms, self._clock.now_ms()))


def uptime(changes: Iterable[Mapping[str, Any]], start_ms: int, end_ms: int) -> float | None:
    """The share of a window that was up, of lines of the status history, newest first; None when nothing is known of it."""
    up = known = 0
    until_ms = end_ms
    for change in changes:
        since_ms = max(change["at_ms"], start_ms)
        if since_ms < until_ms:
            known += until_ms - since_ms
            up += until_ms - since_ms if change["status"] in UP else 0
            until_ms = since_ms
        if change["at_ms"] <= start_ms:
            break
    return _share(up, known)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole > 0 else None
