"""The index from a series to what watches it, so that a reading costs only the rules of its own series, and mostly not even those.

Watchers are plain callables of the new state and the one before. They hear of what moves a live state and of nothing
else: late and imported readings move none, and states that come back after a restart fire nothing. Gates (gate.py) are
watchers that a comparison and a duration make; those that wait have a deadline on the clock and a row in the database,
so that half a duration outlives a restart. Deadlines are monotonic: setting the clock moves none.

Of a series that only gates watch, a reading between two of their thresholds decides nothing. That band is set in the
series' cell, where a reading within it costs two comparisons, however many gates there are.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.durations import Durations
from ohmstead.core.events import StateNoted
from ohmstead.core.model import Cell, Series, State
from ohmstead.core.supervise import Task
from ohmstead.plugins.rules.compare import Comparison, Value
from ohmstead.plugins.rules.gate import NONE, Gate, Turn, Turned
from ohmstead.plugins.rules.gate_book import GateBook, Kept
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

Watcher = Callable[[State, State | None], object]
Unwatch = Callable[[], None]

SAMPLE = 64  # one of so many readings that leave their bands is timed
TICK_S = 0.5  # how late a deadline may ring, and a gate that waits be written
SETTLE_S = 1.0  # a reading that was late has this long to be followed by those after it


class Place:
    """One address: who watches it, and the cell of its live state once there is one."""

    __slots__ = ("cell", "stirred", "watchers")

    def __init__(self) -> None:
        self.watchers: tuple[Watcher, ...] = ()
        self.cell: Cell | None = None
        self.stirred = False

    def tell(self, new: State, old: State | None) -> None:
        """Let everybody look; a reading at which nobody stirs sets the band of all."""
        self.stirred = False
        for watcher in self.watchers:
            watcher(new, old)
        if not self.stirred:
            self.fit(new.value)

    def fit(self, value: Value) -> None:
        """Set the band within which none of the watchers has anything to do."""
        low, high = -inf, inf
        for watcher in self.watchers:
            least, most = watcher.band(value) if isinstance(watcher, Gate) else NONE
            low, high = max(low, least), min(high, most)
            if low > high:
                break
        if self.cell is not None:
            self.cell.low, self.cell.high = low, high

    def stir(self) -> None:
        """Hear of the next reading, whatever it says."""
        self.stirred = True
        if self.cell is not None:
            self.cell.low, self.cell.high = NONE


class Watches:
    """All watchers of the house. Belongs to the event loop's thread. Without a storage, as in a replay, nothing is kept."""

    def __init__(self, clock: Clock, storage: Storage | None = None) -> None:
        self._clock, self._storage = clock, storage
        self._book = GateBook(storage.tenant_id if storage is not None else 0)
        self._by_address: dict[str, Place] = {}
        self._by_series: dict[Series, Place] = {}  # what was looked up, so that no address is put together again
        self._gates: dict[str, Gate] = {}
        self._heap: list[tuple[float, int, Gate]] = []
        self._count = 0
        self._kept: dict[str, Kept] = {}  # rows of the database by key
        self._dirty: set[str] = set()
        self.durations = Durations()
        self._until_sample = 1

    def __len__(self) -> int:
        return sum(len(place.watchers) for place in self._by_address.values())

    def listen(self, bus: Bus) -> None:
        """Hear of every live state that leaves its band, from now on."""
        bus.subscribe(StateNoted, self.noted)

    def noted(self, event: StateNoted) -> None:
        """Tell whoever watches the series."""
        place = self._by_series.get(event.new.series)
        if place is None or place.cell is not event.cell:
            place = self._meet(event)
        self._until_sample -= 1
        if self._until_sample:
            place.tell(event.new, event.old)
        else:
            self._sample(event, place)

    def _sample(self, event: StateNoted, place: Place) -> None:
        """The same, timed: clocks cost more than comparisons."""
        began = time.perf_counter()
        place.tell(event.new, event.old)
        self.durations.add(time.perf_counter() - began)
        self._until_sample = SAMPLE

    def watch(self, address: str, watcher: Watcher) -> Unwatch:
        """Tell `watcher` of every advance of `device.quantity`, which need not exist yet, until the returned function is called."""
        place = self._by_address.setdefault(address, Place())
        place.watchers = (*place.watchers, watcher)
        place.stir()
        if isinstance(watcher, Gate):
            watcher.stirred = place.stir

        def unwatch() -> None:
            place.watchers = tuple(other for other in place.watchers if other is not watcher)
            if not place.watchers and place.cell is None and self._by_address.get(address) is place:
                del self._by_address[address]

        return unwatch

    def gate(self, key: str, comparison: Comparison, turned: Turned, for_ms: int = 0) -> Gate:
        """A gate that stands as it did before a restart. Hand it to `watch`, or `look` for what is no series; `drop` it in the end.

        `key` names it in the database. Whoever acts on its turns calls `settle` in the transaction of what it does.
        """
        gate = self._gates[key] = Gate(key, comparison, turned, for_ms, self._wait)
        kept = self._kept.get(key)
        if kept is not None and (kept.on or for_ms):
            gate.restore(kept.since_ms, kept.on, kept.value)
        return gate

    def find(self, key: str) -> Gate | None:
        """The gate of that name."""
        return self._gates.get(key)

    def drop(self, gate: Gate) -> None:
        """Forget a gate and its row."""
        gate.deadline = None
        if self._gates.get(gate.key) is gate:
            del self._gates[gate.key]
            self._dirty.add(gate.key)

    async def settle(self, tx: AsyncConnection, turns: Iterable[Turn]) -> None:
        """Write gates as they stood after these turns, in the transaction that does what follows from them."""
        changes = {turn.key: Kept(turn.since_ms, True, turn.value) if turn.on else None for turn in turns}
        await self._book.put(tx, changes)
        for key, kept in changes.items():
            self._keep(key, kept)
        self._dirty |= changes.keys()  # those that were over may wait again

    # Deadlines

    def ring(self) -> None:
        """Turn on every gate whose time has passed."""
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            _, _, gate = heapq.heappop(self._heap)
            gate.armed = None
            if gate.deadline is None or not gate.waiting:
                gate.deadline = None
            elif gate.deadline > now:
                self._arm(gate, gate.deadline)
            else:
                gate.deadline = None
                gate.ring()

    @property
    def next_ring(self) -> float | None:
        """The monotonic time of the next deadline, at the earliest; None when none is set."""
        return self._heap[0][0] if self._heap else None

    def _wait(self, gate: Gate) -> None:
        """A gate began to wait, or no longer does."""
        self._dirty.add(gate.key)
        if gate.since_ms is None:
            gate.deadline = None
            return
        held_ms = min(max(self._clock.now_ms() - gate.since_ms, 0), gate.for_ms) if self._clock.trusted else 0
        rest_s = max((gate.for_ms - held_ms) / 1000, min(SETTLE_S, gate.for_ms / 1000))
        gate.deadline = self._clock.monotonic() + rest_s
        self._arm(gate, gate.deadline)

    def _arm(self, gate: Gate, at: float) -> None:
        if gate.armed is None or at < gate.armed:  # one entry a gate, however often it waits
            gate.armed = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, gate))

    async def work(self, task: Task) -> None:
        """Ring, for ever."""
        task.up()
        while True:
            self.ring()
            wait_s = TICK_S if self.next_ring is None else min(TICK_S, self.next_ring - self._clock.monotonic())
            await self._clock.sleep(max(wait_s, 0.01))

    # Rows

    async def open(self) -> None:
        """Read how gates stood. Call it before any is made."""
        if self._storage is not None:
            async with self._storage.read() as connection:
                self._kept = await self._book.read(connection)

    async def keep(self, task: Task) -> None:
        """Write which gates wait, for ever; at first forget those that no rule has any more."""
        self._dirty |= self._kept.keys() - self._gates.keys()
        while True:
            await self.flush()
            task.up()
            await self._clock.sleep(TICK_S)

    async def flush(self) -> None:
        """Write which gates wait now. Those that are on are written by whoever settles their turn. Unavailable."""
        dirty, self._dirty = self._dirty, set()
        changes = self._changes(dirty)
        if not changes or self._storage is None:
            return

        async def write(tx: AsyncConnection) -> None:
            await self._book.put(tx, changes)

        try:
            await self._storage.write(write, urgent=True)  # among the settling of alerts, in its order
        except BaseException:
            self._dirty |= dirty
            raise
        for key, kept in changes.items():
            self._keep(key, kept)

    def _changes(self, keys: Iterable[str]) -> Mapping[str, Kept | None]:
        changes: dict[str, Kept | None] = {}
        for key in keys:
            gate, kept = self._gates.get(key), self._kept.get(key)
            if gate is None or gate.since_ms is None:
                if kept is not None and not (gate is not None and kept.on):
                    changes[key] = None
            elif not gate.on and (kept is None or kept.since_ms != gate.since_ms):
                changes[key] = Kept(gate.since_ms, False, gate.value)
        return changes

    def _keep(self, key: str, kept: Kept | None) -> None:
        if kept is None:
            self._kept.pop(key, None)
        else:
            self._kept[key] = kept

    def _meet(self, event: StateNoted) -> Place:
        """Find the place of a cell that was not heard of before."""
        series = event.new.series
        place = self._by_address.setdefault(series.address, Place())
        if place.cell is not None:
            self._by_series.pop(place.cell.state.series, None)  # its device left and came back
            place.stir()
        place.cell = event.cell
        self._by_series[series] = place
        return place
