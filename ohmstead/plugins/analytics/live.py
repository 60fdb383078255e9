"""Tells the live socket how the green balance stands, whenever the ledger moved: GREEN_ENERGY_UPDATE."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms
from ohmstead.core.events import Announced
from ohmstead.core.supervise import Task
from ohmstead.plugins.analytics import shown
from ohmstead.plugins.analytics.flows import Flows
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.slots import DAY_MS, DEFAULT_MS, midnight

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.analytics.green import Green
    from ohmstead.plugins.ledger.points.points import MeterPoints

KIND = "GREEN_ENERGY_UPDATE"
REST_S = 10.0  # between two rounds
LOCATIONS = 1000  # that wait to be told of


class GreenLive:
    """Premises with sources, told of at most every ten seconds and only while somebody listens."""

    def __init__(self, hub: Hub, green: Green, points: MeterPoints) -> None:
        self._hub, self._green, self._points = hub, green, points
        self._waiting: set[str] = set()
        self._ready = asyncio.Event()

    def listen(self) -> None:
        """Hear of what the ledger derives."""
        self._hub.bus.subscribe(LedgerChanged, self._changed)

    def _changed(self, event: LedgerChanged) -> None:
        recent_ms = self._hub.clock.now_ms() - 2 * DAY_MS
        for slug, _, end_ms in event.changes:
            point = self._points.find(slug)
            if point is not None and end_ms > recent_ms and len(self._waiting) < LOCATIONS:
                self._waiting.add(self._points.premises(point.location))
        if self._waiting:
            self._ready.set()

    async def work(self, task: Task) -> None:
        """Tell, for ever."""
        task.up()
        while True:
            await self._ready.wait()
            self._ready.clear()
            waiting, self._waiting = self._waiting, set()
            for location in sorted(waiting):
                if self._hub.bus.wants(Announced) and location in self._points.locations:
                    await self._tell(location)
            task.up()
            await self._hub.clock.sleep(REST_S)

    async def _tell(self, location: str) -> None:
        sources = self._green.sources.of(location)
        if not sources:
            return
        zone = ZoneInfo(self._points.locations.zone_of(location))
        now_ms = self._hub.clock.now_ms()
        today_ms = midnight(zone, from_ms(now_ms).astimezone(zone).date())
        until_ms = now_ms - now_ms % DEFAULT_MS
        if until_ms <= today_ms:
            return
        [(span, flows)] = await self._green.usage(location, today_ms, until_ms)
        device = next((source.device for source in sources if source.device is not None), "")
        self._hub.bus.publish(Announced(KIND, location, device, self._payload(location, span, flows, zone)))

    def _payload(self, location: str, span: tuple[int, int], flows: Flows, zone: ZoneInfo) -> dict[str, Any]:
        return {"location": location, "today": shown.flows(span, flows, zone, bool(self._green.carbon))}
