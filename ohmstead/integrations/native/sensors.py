"""Energy of stated periods, as sensors send it: since when, until when, how much."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid, Rejected
from ohmstead.core.ingest import Batch, show
from ohmstead.integrations.native.payloads import SENSOR, Refusal, document, instant_ms, refuse

DECLARED_PERIOD_MS = 900_000  # of a sensor's first reading, which has none before it
KEPT = 20_000  # sensors whose last period is kept in memory
KEYS = {"sensor_id", "start", "timestamp", "value_kwh", "quality_flag"}
FLAG = 64  # characters of a quality flag at most

PeriodStart = Callable[[str, int], Awaitable[int | None]]


class Sensors:
    """Finds the period of each item.

    `period_start(device, end_ms)` asks storage: the start of the period stored with that very end, else the end of
    the one before, else None. So the same item again has the same period, and storing it again changes nothing.
    """

    def __init__(self, period_start: PeriodStart | None = None) -> None:
        self._period_start = period_start
        self._last: dict[str, tuple[int, int]] = {}  # sensor -> start and end of its latest period

    async def put(self, batch: Batch, item: Any, only: str | None = None) -> list[Refusal] | None:
        """Take one item; what was refused, None when nothing. `only`: the one device that may be written."""
        try:
            device, end_ms = _head(item, only)
            if item.get("start") is None:
                item = {**item, "start": iso(await self._start(device, end_ms))}
        except Rejected as refusal:
            return [refuse(batch, item, only or "", str(refusal), format=SENSOR)._replace(error=refusal)]
        return self.add(batch, item, only)

    def add(self, batch: Batch, item: Any, only: str | None = None) -> list[Refusal] | None:
        """Take one item whose period is known; one without `start` has the declared one."""
        try:
            device, end_ms = _head(item, only)
            start_ms = end_ms - DECLARED_PERIOD_MS if item.get("start") is None else instant_ms(item["start"], "start")
            flag, feed = _flag(item.get("quality_flag")), batch.feed(device)
            reason = batch.add(feed, "energy", item.get("value_kwh"), end_ms, start_ms)
        except Rejected as refusal:
            reason = str(refusal)
        if reason is not None:
            return [refuse(batch, item, only or "", reason, format=SENSOR)]
        if flag is not None:
            batch.note(feed, "energy", end_ms, flags=flag)
        self._keep(device, start_ms, end_ms)
        return _unknown(batch, item, only) or None

    def replay(self, batch: Batch, address: str, raw: bytes) -> None:
        """Take an item that was refused; `address` is the only device it may be of, or empty."""
        self.add(batch, document(raw), address or None)

    async def _start(self, device: str, end_ms: int) -> int:
        """Since when: the sensor's reading before this one, wherever it is known, or one declared period."""
        start_ms, last_ms = self._last.get(device, (0, 0))
        if end_ms == last_ms:
            return start_ms
        if last_ms and end_ms > last_ms:
            return last_ms
        known_ms = await self._period_start(device, end_ms) if self._period_start is not None else None
        return end_ms - DECLARED_PERIOD_MS if known_ms is None else known_ms

    def _keep(self, device: str, start_ms: int, end_ms: int) -> None:
        if end_ms >= self._last.get(device, (0, 0))[1]:
            self._last[device] = (start_ms, end_ms)
            if len(self._last) > KEPT:
                del self._last[next(iter(self._last))]


def _head(item: Any, only: str | None) -> tuple[str, int]:
    """Who measured, and until when."""
    if item.__class__ is not dict:
        raise Invalid(f"expected an object with sensor_id, timestamp and value_kwh, not {show(item)}")
    device = item.get("sensor_id")
    if device.__class__ is not str:
        raise Invalid("sensor_id is missing" if device is None else f"sensor_id must be a text, not {show(device)}")
    if only is not None and device != only:
        raise Invalid(f"sensor_id {show(device)} is not the sender {only!r}")
    return device, instant_ms(item.get("timestamp"))


def _flag(value: Any) -> str | None:
    """The sensor's word on the quality of its reading, kept as it is."""
    if value is None or value.__class__ is int:
        return None if value is None else str(value)
    if value.__class__ is not str or not value.isprintable() or len(value) > FLAG:
        raise Invalid(f"quality_flag must be a text of at most {FLAG} characters, not {show(value)}")
    return str(value)


def _unknown(batch: Batch, item: dict[str, Any], only: str | None) -> list[Refusal]:
    """Put aside what an item says that nobody understands; the rest of it was taken."""
    reasons = {key: f"unknown key {show(key)}; expected {', '.join(sorted(KEYS))}" for key in item if key not in KEYS}
    pieces = {key: {"sensor_id": item["sensor_id"], "timestamp": item["timestamp"], key: item[key]} for key in reasons}
    return [Refusal(key, refuse(batch, pieces[key], only or "", why, format=SENSOR).reason) for key, why in reasons.items()]
