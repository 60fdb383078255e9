"""A store and a registry that do nothing but remember, for tests of the core alone: the smallest real ones there can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Rejected
from ohmstead.core.hub import Hub
from ohmstead.core.ingest import Batch, Feed
from ohmstead.core.model import DeviceInfo, Row, Status


class MemoryStore:
    """Keeps batches; commits at once unless `held`."""

    def __init__(self, bound: int = 1000) -> None:
        self.bound = bound
        self.batches: list[Batch] = []
        self.held: list[Batch] | None = None
        self._freed = asyncio.Event()

    @property
    def rows(self) -> list[Row]:
        return [row for batch in self.batches for row in (*batch.rows, *batch.deltas, *batch.texts)]

    @property
    def letters(self) -> list[Any]:
        return [letter for batch in self.batches for letter in batch.letters]

    def put(self, batch: Batch) -> None:
        if self.held is not None:
            self.held.append(batch)
            return
        self.batches.append(batch)
        batch.settle(None)

    def has_room(self) -> bool:
        return len(self.held or ()) < self.bound

    async def room(self) -> None:
        while not self.has_room():
            self._freed.clear()
            await self._freed.wait()

    def release(self) -> None:
        held, self.held = self.held or [], None
        for batch in held:
            self.put(batch)
        self._freed.set()


class OpenRegistry:
    """Admits every device but those whose id begins with "stranger"."""

    def __init__(self) -> None:
        self.heard_of: list[str] = []
        self.infos: list[tuple[DeviceInfo, str]] = []
        self.statuses: list[tuple[Status, str]] = []

    def admit(self, device: str, source: str) -> Feed:
        if device.startswith("stranger"):
            raise Rejected(f"device {device!r} is unknown")
        return Feed(device, {"temperature": (0, 60)})

    def heard(self, feed: Feed, now_ms: int) -> None:
        feed.online = True
        self.heard_of.append(feed.device)

    def announce(self, info: DeviceInfo, device: str) -> None:
        if info.id == "stranger":
            raise Rejected("the house is full")
        self.infos.append((info, device))

    def report(self, status: Status, device: str) -> None:
        self.statuses.append((status, device))


class Context:
    """What the runner hands to an integration in these tests."""

    def __init__(self, device: str, after_stored: Callable[[Callable[[], None]], None], foreign: bool) -> None:
        self.device, self.after_stored, self.foreign = device, after_stored, foreign


def small_house(folder: Path, clock: ManualClock | None = None) -> tuple[Hub, MemoryStore, OpenRegistry]:
    """A hub of real core parts over the two above."""
    hub = Hub(folder, clock or ManualClock())
    store, registry = MemoryStore(), OpenRegistry()
    hub.connect(store, registry, Context)
    return hub, store, registry


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait in real time until something holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
