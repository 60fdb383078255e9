"""A storage with an ingest in front of it, and a registry that takes in everybody."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock, ManualClock
from ohmstead.core.events import ReadingsStored
from ohmstead.core.ingest import Batch, Feed, Ingest
from ohmstead.core.model import Row
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States
from ohmstead.plugins.storage.storage import Storage


class Everybody:
    """A registry that admits every device."""

    def admit(self, device: str, source: str) -> Feed:
        return Feed(device)

    def heard(self, feed: Feed, now_ms: int) -> None:
        feed.online = True


class StoredHouse:
    """Bus, states, ingest and storage on a database; opened with `async with`."""

    def __init__(self, url: str, data_dir: Path, clock: Clock | None = None, durability: str = "process") -> None:
        self.clock = clock or ManualClock()
        self.bus = Bus()
        self.states = States(self.bus)
        self.storage = Storage(url, data_dir, self.clock, self.bus, durability)
        self.ingest = Ingest(self.bus, self.states, self.clock, Quantities(), self.storage, Everybody())
        self.stored: list[Row] = []
        self.bus.subscribe(ReadingsStored, lambda event: self.stored.extend(event.rows))

    async def __aenter__(self) -> StoredHouse:
        await self.storage.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.storage.close()

    def batch(self, readings: Iterable[tuple[str, str, float | str, int]], source: str = "test") -> Batch:
        """A batch of (device, quantity, value, at_ms)."""
        batch = self.ingest.batch(source, "test")
        for device, quantity, value, at_ms in readings:
            refusal = batch.add(batch.feed(device), quantity, value, at_ms)
            assert refusal is None, refusal
        return batch

    async def store(self, readings: Iterable[tuple[str, str, float | str, int]]) -> Batch:
        """Store readings and return once they are committed."""
        batch = self.batch(readings)
        await self.ingest.store(batch)
        return batch

    async def key(self, device: str, quantity: str) -> int:
        """The key of a stored series."""
        [found] = await self.storage.history.find(device, quantity)
        return found.key

    async def raw(self, device: str, quantity: str) -> list[tuple[int, object]]:
        """All readings of a series."""
        [found] = await self.storage.history.find(device, quantity)
        return await self.storage.history.raw(found.key, 0, 1 << 47, 1_000_000, kind=found.kind)
