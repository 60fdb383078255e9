"""What changed in memory and waits to be written.

The registry changes in memory first, in one step, and is written a moment later: with the next group of readings, so
that nothing is acknowledged before the device it came from is stored, or by `flush`, which whoever changed something
on purpose awaits. Until a flush is through everything stays noted, so a group that failed takes nothing along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ohmstead.core.clock import Clock
from ohmstead.core.events import DeviceChanged, DeviceStatusChanged, Event
from ohmstead.plugins.devices.book import Book
from ohmstead.plugins.devices.entry import Entry
from ohmstead.plugins.devices.locations import Locations
from ohmstead.plugins.devices.secrets import Secrets
from ohmstead.plugins.devices.status import Change
from ohmstead.plugins.storage.witness import Witness, nobody

if TYPE_CHECKING:
    from ohmstead.plugins.storage.connection import AsyncConnection
    from ohmstead.plugins.storage.group import Group
    from ohmstead.plugins.storage.storage import Storage

WRITE_S = 10.0
LINES = 10_000  # lines of the status history that wait while the database is away; beyond that the oldest go

DEVICE, STATUS, SECRETS, LOCATION = "device", "status", "secrets", "location"
Key = tuple[str, str]  # one of these, and an id


class Journal:
    """Notes what to write by id; what is written is how things stand at that moment."""

    def __init__(self, storage: Storage, clock: Clock, entries: Mapping[str, Entry], secrets: Secrets, locations: Locations,
                 watching: Callable[[], bool], look: Callable[[Group], None]) -> None:  # fmt: skip
        """`look` is shown every group of readings before it is committed, for as long as `watching` says so."""
        self._storage, self._clock, self._watching, self._look = storage, clock, watching, look
        self._entries, self._secrets, self._locations = entries, secrets, locations
        self.book = Book(storage.tenant_id)
        self.witness: Witness = nobody  # hears of what the rows did not say before
        self._turn = asyncio.Lock()
        self._keys: set[Key] = set()
        self._lines: deque[Change] = deque(maxlen=LINES)
        self._fresh: set[Key] = set()  # noted since readings last took everything along
        self._fresh_lines: deque[Change] = deque(maxlen=LINES)
        self._leave: Callable[[], None] | None = None

    def attend(self) -> None:
        """Take part in groups of readings; `flush` leaves again, because groups without company are faster."""
        if self._leave is None:
            self._leave = self._storage.join(self._join)

    def note(self, kind: str, *ids: str, urgent: bool = True) -> None:
        """Something of these ids changed, or is gone. What is not `urgent` waits for the next flush."""
        self._keys.update((kind, id_) for id_ in ids)
        if urgent:
            self._fresh.update((kind, id_) for id_ in ids)
            self.attend()

    def line(self, change: Change) -> None:
        """A device's status moved."""
        self.note(STATUS, change.device)
        self._lines.append(change)
        self._fresh_lines.append(change)

    async def _join(self, tx: AsyncConnection, group: Group) -> None:
        """Write what is new in the transaction of a group of readings."""
        self._look(group)
        if self._fresh:
            keys, lines = self._fresh, list(self._fresh_lines)
            self._fresh, self._fresh_lines = set(), deque(maxlen=LINES)
            await self._write(tx, keys, lines)

    async def flush(self, within_s: float = WRITE_S) -> None:
        """Write everything noted; returns once it is committed. Unavailable when the database is: it stays noted."""
        async with self._turn:  # whoever comes while another one writes waits for that commit too
            if self._keys:
                await self._write_all(within_s)
            if self._leave is not None and not self._fresh and not self._watching():
                self._leave()
                self._leave = None

    async def _write_all(self, within_s: float) -> None:
        keys, lines = self._keys, list(self._lines)
        self._keys, self._lines = set(), deque(maxlen=LINES)
        written = False
        try:
            await self._storage.write(lambda tx: self._write(tx, keys, lines), within_s)
            written = True
        finally:
            if not written:
                self._keys |= keys
                self._lines = deque([*lines, *self._lines], maxlen=LINES)

    async def _write(self, tx: AsyncConnection, keys: Iterable[Key], lines: Iterable[Change]) -> None:
        book = self.book
        by_kind: dict[str, list[str]] = {}
        for kind, id_ in sorted(keys):
            by_kind.setdefault(kind, []).append(id_)
        events: list[Event] = await self._devices(tx, by_kind.get(DEVICE, []))
        await book.put_statuses(tx, [e for id_ in by_kind.get(STATUS, []) if (e := self._stored(id_))])
        moved = await book.put_changes(tx, [line for line in lines if self._stored(line.device)])
        events += (DeviceStatusChanged(line.device, line.old, line.status, line.reason, line.at_ms) for line in moved)
        if events:
            await self.witness(tx, events)
        for id_ in by_kind.get(SECRETS, []):
            await book.put_secrets(tx, id_, self._secrets.of(id_))
        for id_ in by_kind.get(LOCATION, []):
            if id_ in self._locations:
                await book.put_locations(tx, [self._locations.get(id_)])
            else:
                await book.remove_location(tx, id_)

    async def _devices(self, tx: AsyncConnection, ids: Sequence[str]) -> list[Event]:
        stored = {id_: e for id_ in ids if (e := self._stored(id_))}
        events: list[Event] = [DeviceChanged(*each) for each in await self.book.differing(tx, ids, stored)]
        await self.book.put_devices(tx, stored.values())
        for id_ in ids:
            if id_ not in self._entries:
                await self.book.remove_device(tx, id_, self._clock.now_ms())
        return events

    def _stored(self, device: str) -> Entry | None:
        """The entry of a device that has a row; one that nothing proves yet has none."""
        entry = self._entries.get(device)
        return None if entry is None or entry.unproven else entry
