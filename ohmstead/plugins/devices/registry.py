"""The registry: which devices there are, who may come in, and what they say of themselves.

It is held in memory whole and changes in one step; the journal writes it. Removing a device takes it, its secrets and
its live states away and keeps its readings and status history: a device of the same id finds them again. One that is to
stay out while it still sends is decommissioned instead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock, to_ms
from ohmstead.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from ohmstead.core.events import DeviceChanged, LocationChanged
from ohmstead.core.ingest import Feed
from ohmstead.core.model import Device, DeviceInfo, DeviceStatus, Status, is_slug
from ohmstead.core.quantity import Quantities
from ohmstead.core.supervise import Task
from ohmstead.plugins.devices.admission import Admission
from ohmstead.plugins.devices.entry import Entry
from ohmstead.plugins.devices.facts import filled
from ohmstead.plugins.devices.journal import DEVICE, LOCATION, SECRETS, STATUS, Journal
from ohmstead.plugins.devices.locations import HOME, Location, Locations
from ohmstead.plugins.devices.secrets import Secrets
from ohmstead.plugins.devices.status import DECOMMISSIONED, OFFLINE, UNKNOWN, Statuses

if TYPE_CHECKING:
    from ohmstead.plugins.storage.group import Group
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

SEEN_S = 60.0  # how often "last seen" is written
TICK_S = 1.0
CLOSE_S = 2.0


class Devices:
    """The devices of this house. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, bus: Bus, clock: Clock, quantities: Quantities, data_dir: Path) -> None:
        self._storage, self._bus, self._clock, self._quantities, self._data_dir = storage, bus, clock, quantities, data_dir
        self._entries: dict[str, Entry] = {}
        self._auto = 0
        self._seen_ms = 0
        self.locations = Locations()
        self.secrets = Secrets(clock)
        self.admission = Admission(clock)
        self.journal = Journal(storage, clock, self._entries, self.secrets, self.locations, self._on_trial, self._look)
        self.statuses = Statuses(bus, clock, self.journal.line)
        self.swept: Mapping[str, Any] = {}  # how the newest sweep went, see Job.went
        self.on_removed: list[Callable[[str], None]] = []  # told of a device that is gone or may no longer send

    async def open(self) -> None:
        """Read what the database holds. Storage must be open."""
        async with self._storage.read() as connection:
            found = await self.journal.book.read(connection)
        self.locations.restore(found.places)
        self.secrets.open(self._data_dir / "secret_key", found.secrets)
        for device, created_ms in found.devices:
            self._restore(device, created_ms, found.stood.get(device.id))
        self._seen_ms = self._clock.now_ms()

    async def close(self) -> None:
        """Write what is still in memory only, within two seconds. Storage must still be open."""
        self._note_seen()
        try:
            await self.journal.flush(CLOSE_S)
        except Unavailable as error:
            log.warning("the last changes of devices are not stored: %s", error)

    async def work(self, task: Task) -> None:
        """Sweep the silent, for ever, whether the database is there or not."""
        task.up()
        while True:
            await self.sweep()
            await self._clock.sleep(TICK_S)

    async def sweep(self) -> None:
        """Turn offline who has been silent for too long, and send away who failed its trial."""
        began_ms, began = self._clock.now_ms(), time.perf_counter()
        self.statuses.clock_set(self._entries.values())
        self.statuses.sweep()
        for entry in self.admission.failed():
            self.remove(entry.device.id)
        ended_ms = self._clock.now_ms()
        self.swept = {"started_ms": began_ms, "ended_ms": ended_ms, "took_s": time.perf_counter() - began, "result": "ok",
                      "next_ms": ended_ms + round(TICK_S * 1000)}  # fmt: skip

    async def write(self, task: Task) -> None:
        """Write what changed, for ever; when each device was last seen once a minute."""
        written = self._clock.monotonic()
        while True:
            if self._clock.monotonic() - written >= SEEN_S:
                written = self._clock.monotonic()
                self._note_seen()
            await self.journal.flush()
            task.up()
            await self._clock.sleep(TICK_S)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, device: str) -> bool:
        return device in self._entries

    def find(self, device: str) -> Entry | None:
        """What is known of a device, or None."""
        return self._entries.get(device)

    def entry(self, device: str) -> Entry:
        """What is known of a device; NotFound."""
        found = self._entries.get(device)
        if found is None:
            raise NotFound(f"there is no device {device[:64]!r}")
        return found

    def admit(self, device: str, source: str) -> Feed:
        """The feed of a device, made on the spot where auto-registration allows it; Rejected with the reason where not."""
        entry = self._entries.get(device)
        if entry is None:
            return self._register(device, source).feed
        if entry.status is DECOMMISSIONED:
            raise Forbidden(f"device {device} is decommissioned")
        return entry.feed

    def heard(self, feed: Feed, now_ms: int) -> None:
        """A device whose feed is not `online` was heard: it may be so now."""
        entry = self._entries.get(feed.device)
        if entry is not None:
            self.statuses.heard(entry)

    def announce(self, info: DeviceInfo, device: str) -> None:
        """What a device says of itself, or the gateway `device` of one behind it. Rejected like `admit`."""
        name = info.id or device
        entry = self._entries.get(name) or self._register(name, device)
        if name != device and info.via is None:
            info = msgspec.structs.replace(info, via=device)
        entry.told = info
        self.prove(entry)
        self.update(entry, filled(entry.device, info))

    def report(self, status: Status, device: str) -> None:
        """How a device says it is, or its gateway or broker of it. Rejected like `admit`.

        A report older, by the device's own clock, than its last one is late and moves nothing.
        """
        name = status.device or device
        entry = self._entries.get(name)
        if entry is None:
            if status.status is OFFLINE:
                return  # nobody was ever there
            entry = self._register(name, device)
        said_ms = 0 if status.at is None else to_ms(status.at)
        if said_ms and said_ms < entry.said_ms:
            return
        entry.said_ms = said_ms or entry.said_ms
        if status.status is not OFFLINE:
            entry.feed.heard_ms = self._clock.now_ms()
        self.prove(entry)
        self.statuses.report(entry, status.status, status.message or "it said so", status.code)

    def verify(self, device: str, secret: str) -> bool:
        """Whether `secret` is one that the device may sign in with now. Constant in time; costs some microseconds."""
        right = self.secrets.verify(device, secret)
        entry = self._entries.get(device)
        return right and entry is not None and entry.status is not DECOMMISSIONED

    def zone_of(self, device: str) -> str:
        """The IANA zone of the device's location; the home's for a device nobody knows."""
        entry = self._entries.get(device)
        return self.locations.zone_of(entry.device.location if entry else None)

    def add(self, device: Device) -> Entry:
        """Take in a new device; Conflict when the id is taken. One that made itself gives way to one somebody makes."""
        entry = self._entries.get(device.id)
        if entry is not None and entry.device.origin != "auto":
            raise Conflict(f"device {device.id!r} exists already")
        if entry is None:
            return self._make(device)
        self._auto -= 1
        self.prove(entry)
        self.update(entry, device)
        return entry

    def update(self, entry: Entry, device: Device) -> None:
        """Make `device` the entry's description, at once for its running series too."""
        if device == entry.device:
            return
        old, entry.device = entry.device, device
        if device.ranges != old.ranges:
            self._retune(entry)
        if device.offline_after_s != old.offline_after_s:
            self.statuses.watch(entry)
        self.journal.note(DEVICE, device.id)
        self._bus.publish(DeviceChanged(device.id, "changed"))

    async def keep_location(self, place: Location) -> None:
        """Take in a location, write it, and tell everybody."""
        self.locations.put(place)
        self.journal.note(LOCATION, place.id)
        await self.saved()
        self._bus.publish(LocationChanged(place.id))

    def prove(self, entry: Entry) -> None:
        """It said something valid, or a person spoke of it: from now on it has a row, and so has what happened to it so far."""
        if entry.unproven:
            entry.unproven = False
            self.journal.note(DEVICE, entry.device.id)
            self.statuses.recall(entry, UNKNOWN)

    def decide(self, entry: Entry, status: DeviceStatus, reason: str) -> None:
        """A person's word on a device's status; Conflict when it makes no sense now."""
        self.statuses.decide(entry, status, reason)
        if status is DECOMMISSIONED:
            self._tell_removed(entry.device.id)

    def remove(self, device: str) -> None:
        """Take a device out; its readings and status history stay. NotFound."""
        entry = self.entry(device)
        del self._entries[device]
        self._auto -= entry.device.origin == "auto"
        entry.status = DECOMMISSIONED  # for whoever still holds it
        self.secrets.put(device, ())
        for other in self._entries.values():
            if other.device.via == device:
                self.update(other, msgspec.structs.replace(other.device, via=None))
        self._tell_removed(device)
        if not entry.unproven:
            self.journal.note(DEVICE, device)
        entry.unproven = False  # its trial ends here: later it would end that of another device of the same id
        self._bus.publish(DeviceChanged(device, "removed"))

    def new_secret(self, device: str, used: str | None = None, grace_s: float | None = None) -> str:
        """A fresh secret in clear; those before work for the grace only. Flush the journal before you show it."""
        clear, kept = self.secrets.rotated(device, used, grace_s)
        self.secrets.put(device, kept)
        self.journal.note(SECRETS, device)
        return clear

    async def history(self, device: str, before_ms: int | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Lines of the status history, newest first: at_ms, old, status, reason, code. It outlives the device."""
        async with self._storage.read() as connection:
            return await self.journal.book.history(connection, device, before_ms, limit)

    async def prune(self, before_ms: int) -> int:
        """Delete lines of the status history older than that; how many."""
        return int(await self._storage.write(lambda tx: self.journal.book.prune(tx, before_ms)))

    async def saved(self) -> None:
        """Wait until everything that changed is committed."""
        await self.journal.flush()

    def _register(self, device: str, source: str) -> Entry:
        """A device nobody made, if the house takes such; nothing is kept of an id that is refused."""
        if not is_slug(device):
            raise Invalid(f"{device[:64]!r} is no device id: letters, digits, _ and -, at most 64, beginning with a letter or digit")
        self.admission.ask(device, self._auto)
        entry = self._make(Device(device, device, location=HOME, origin="auto"), unproven=True)
        self.admission.began(entry)
        self.journal.attend()
        log.info("device %s registered itself by %s", device, source)
        return entry

    def _make(self, device: Device, unproven: bool = False) -> Entry:
        entry = Entry(device, Feed(device.id, device.ranges), self._clock.now_ms(), unproven=unproven)
        self._entries[device.id] = entry
        self._auto += device.origin == "auto"
        if not unproven:
            self.journal.note(DEVICE, device.id)
        self.statuses.watch(entry)
        self._bus.publish(DeviceChanged(device.id, "added"))
        return entry

    def _restore(self, device: Device, created_ms: int, stood: Mapping[str, Any] | None) -> None:
        entry = self._entries[device.id] = Entry(device, Feed(device.id, device.ranges), created_ms)
        self._auto += device.origin == "auto"
        if stood is not None:
            entry.status, entry.reason, entry.code = DeviceStatus(stood["status"]), stood["reason"], stood["code"]
            entry.since_ms, entry.feed.heard_ms = stood["since_ms"], stood["last_seen_ms"] or 0
        self.statuses.watch(entry)

    def _on_trial(self) -> bool:
        return bool(self.admission.trials)

    def _look(self, group: Group) -> None:
        """A group of readings is being committed: what it holds of a device proves it."""
        if self.admission.trials:
            for device in {row.series.device for row in group.stored()}:
                if (entry := self._entries.get(device)) is not None:
                    self.prove(entry)

    def _note_seen(self) -> None:
        seen = [entry.device.id for entry in self._entries.values() if entry.feed.heard_ms >= self._seen_ms]
        self._seen_ms = self._clock.now_ms()
        self.journal.note(STATUS, *seen, urgent=False)

    def _retune(self, entry: Entry) -> None:
        """Give the ranges to the feed and to the series that run already."""
        feed = entry.feed
        feed.ranges = entry.device.ranges
        for series in feed.series.values():
            known = self._quantities[series.quantity]
            series.bound(*feed.ranges.get(series.quantity, (known.low, known.high)))

    def _tell_removed(self, device: str) -> None:
        for told in self.on_removed:
            told(device)
