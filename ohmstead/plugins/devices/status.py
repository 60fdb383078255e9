"""Where each device stands: a state machine moved by what is heard, what devices say, people, and silence."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict
from ohmstead.core.events import DeviceStatusChanged
from ohmstead.core.model import DeviceStatus
from ohmstead.plugins.devices.entry import Entry

UNKNOWN, ONLINE, OFFLINE = DeviceStatus.UNKNOWN, DeviceStatus.ONLINE, DeviceStatus.OFFLINE
ERROR, MAINTENANCE, DECOMMISSIONED = DeviceStatus.ERROR, DeviceStatus.MAINTENANCE, DeviceStatus.DECOMMISSIONED

# What a device or its silence may do, and what only a person may.
BY_ITSELF: Mapping[DeviceStatus, frozenset[DeviceStatus]] = {
    UNKNOWN: frozenset({ONLINE, OFFLINE, ERROR}),
    ONLINE: frozenset({OFFLINE, ERROR}),
    OFFLINE: frozenset({ONLINE, ERROR}),
    ERROR: frozenset({ONLINE, OFFLINE}),
    MAINTENANCE: frozenset(),
    DECOMMISSIONED: frozenset(),
}
BY_A_PERSON: Mapping[DeviceStatus, frozenset[DeviceStatus]] = {
    **dict.fromkeys((UNKNOWN, ONLINE, OFFLINE, ERROR), frozenset({MAINTENANCE, DECOMMISSIONED})),
    MAINTENANCE: frozenset({ONLINE, DECOMMISSIONED}),
    DECOMMISSIONED: frozenset({ONLINE}),
}
JUMP_MS = 5_000  # time of day and waiting time apart by more: somebody set the clock


class Change(msgspec.Struct, frozen=True):
    """One line of a device's status history."""

    device: str
    at_ms: int
    old: DeviceStatus
    status: DeviceStatus
    reason: str
    code: str | None


class Statuses:
    """Moves statuses and sweeps the silent. Looks only at devices whose alarm rings, never at all of them."""

    def __init__(self, bus: Bus, clock: Clock, note: Callable[[Change], None]) -> None:
        self._bus, self._clock, self._note = bus, clock, note
        self._alarms: list[tuple[float, int, Entry]] = []
        self._count = 0
        self._skew_ms = self._skew()
        self._started_ms = clock.now_ms()

    def watch(self, entry: Entry) -> None:
        """Set the alarm of a device that was just put in or found after a restart: it gets its whole time to speak."""
        entry.feed.online = entry.status not in (UNKNOWN, OFFLINE)
        if entry.status in (ONLINE, ERROR):
            self._alarm(entry, entry.device.offline_after_s)

    def heard(self, entry: Entry) -> None:
        """Something valid or not came from the device: it lives."""
        if entry.status in (UNKNOWN, OFFLINE):
            self._move(entry, ONLINE, "heard from it")

    def report(self, entry: Entry, status: DeviceStatus, reason: str, code: str | None = None) -> None:
        """The word of the device or of its connection. What its status does not allow is ignored."""
        if status in BY_ITSELF[entry.status] or (status is entry.status is ERROR and (reason, code) != (entry.reason, entry.code)):
            self._move(entry, status, reason, code)

    def decide(self, entry: Entry, status: DeviceStatus, reason: str) -> None:
        """A person's word; Conflict when it makes no sense now."""
        if status is entry.status:
            return
        allowed = BY_A_PERSON[entry.status]
        if status not in allowed:
            words = " or ".join(sorted(allowed))
            raise Conflict(f"{entry.device.id} is {entry.status}; it can be set to {words}, not {status}")
        self._move(entry, status, reason)

    def recall(self, entry: Entry, before: DeviceStatus) -> None:
        """Note the last move once more, for a device that had no row when it was made."""
        if entry.status is not before:
            self._note(Change(entry.device.id, entry.since_ms, before, entry.status, entry.reason, entry.code))

    def sweep(self) -> None:
        """Turn offline who has been silent for longer than its `offline_after_s`."""
        now = self._clock.monotonic()
        while self._alarms and self._alarms[0][0] <= now:
            due, _, entry = heapq.heappop(self._alarms)
            if due != entry.alarm:
                continue  # another one was set since
            entry.alarm = None
            if entry.status not in (ONLINE, ERROR):
                continue
            after_s = entry.device.offline_after_s
            left_s = after_s - (self._clock.now_ms() - max(entry.feed.heard_ms, self._started_ms, entry.since_ms)) / 1000
            if left_s > 0:
                self._alarm(entry, left_s)
            else:
                self._move(entry, OFFLINE, f"nothing heard for {after_s:g} s")

    def clock_set(self, entries: Iterable[Entry]) -> bool:
        """Whether somebody set the clock since the last call; then what was heard moves along, so nobody falls silent by it."""
        by_ms = self._skew() - self._skew_ms
        if abs(by_ms) < JUMP_MS:
            return False
        self._skew_ms += by_ms
        for entry in entries:
            if entry.feed.heard_ms >= self._started_ms:
                entry.feed.heard_ms += by_ms
            if entry.since_ms >= self._started_ms:
                entry.since_ms += by_ms
        self._started_ms += by_ms
        return True

    def next_alarm_s(self) -> float:
        """Seconds until the next device may fall silent; a minute when none can."""
        return max(0.0, self._alarms[0][0] - self._clock.monotonic()) if self._alarms else 60.0

    def _skew(self) -> int:
        return self._clock.now_ms() - round(self._clock.monotonic() * 1000)

    def _alarm(self, entry: Entry, after_s: float) -> None:
        self._count += 1  # no two alarms compare equal, so entries are never compared
        entry.alarm = self._clock.monotonic() + after_s
        heapq.heappush(self._alarms, (entry.alarm, self._count, entry))

    def _move(self, entry: Entry, status: DeviceStatus, reason: str, code: str | None = None) -> None:
        old, at_ms = entry.status, max(self._clock.now_ms(), entry.since_ms + 1)  # at most one change in a millisecond
        entry.status, entry.reason, entry.code, entry.since_ms = status, reason, code, at_ms
        self.watch(entry)
        self._note(Change(entry.device.id, at_ms, old, status, reason, code))
        self._bus.publish(DeviceStatusChanged(entry.device.id, old, status, reason, at_ms))
