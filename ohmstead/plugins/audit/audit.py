"""The log, as the house uses it.

There are two ways in, and they make one chain. `note` never waits: what is noted is written a moment later, in order
and in groups. `enter` writes in a transaction of the caller, so that what happened and its entry are stored together
or not at all. `at` says when something happened; the order of the chain is that of the commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.events import Event
from ohmstead.core.supervise import Task
from ohmstead.plugins.audit.chain import Chain, Place
from ohmstead.plugins.audit.entry import Entry
from ohmstead.plugins.audit.folding import WINDOW_S, Folding
from ohmstead.plugins.audit.heard import Told
from ohmstead.plugins.audit.key import Key
from ohmstead.plugins.audit.operations import Operations
from ohmstead.plugins.audit.search import Search
from ohmstead.plugins.audit.segments import Segments
from ohmstead.plugins.audit.verdict import Verdict, Verifier

if TYPE_CHECKING:
    from ohmstead.plugins.storage.connection import AsyncConnection
    from ohmstead.plugins.storage.storage import Storage
    from ohmstead.plugins.storage.witness import Witness

log = logging.getLogger(__name__)

BOUND = 20_000  # entries that may wait while the database is away; of those beyond, the number is entered
GROUP = 1_000  # entries of one transaction
LONG_S = 86_400.0  # a group that waits is kept in hand: giving up early could only write it twice


class Audit:
    """The log of one house. `open` it before anything is entered."""

    chain: Chain

    def __init__(self, storage: Storage, clock: Clock, data_dir: Path) -> None:
        self._storage, self._clock, self.data_dir = storage, clock, data_dir
        self._queue: deque[Entry] = deque()
        self._folding = Folding()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._lost = 0
        self._in_hand: list[Entry] = []  # of the queue, and perhaps written already: the answer to a commit can be lost
        self._tried: Place | None = None
        self.operations = Operations(self.enter)
        self.archive = data_dir / "archive" / "audit"
        self.search = Search(storage)

    async def open(self) -> None:
        """Read the key, made on the first start. ConfigError when its file holds none."""
        self.chain = Chain(self._storage, await asyncio.to_thread(Key, self.data_dir))

    def note(self, type: str, *, subject: str | None = None, device: str | None = None, who: str | None = None,  # noqa: A002
             data: Mapping[str, Any] | None = None, personal: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        """Have something written a moment later; see Entry."""
        self.take(Entry(type, subject, device, who, data or {}, personal or {}))

    def take(self, entry: Entry) -> None:
        """The same for an entry; one that floods is counted where it comes again within a minute."""
        timed: Entry | None = entry if entry.at_ms is not None else msgspec.structs.replace(entry, at_ms=self._clock.now_ms())
        if entry.floods:
            timed = self._folding.add(timed or entry, self._clock.monotonic())
        if timed is not None:
            self._put(timed)
            self._wake.set()

    def _put(self, entry: Entry) -> None:
        if len(self._queue) < BOUND:
            self._queue.append(entry)
        else:
            self._lost += 1

    async def enter(self, tx: AsyncConnection, *made: Entry) -> None:
        """Write entries in a transaction of `storage.write`: they are in the log if and only if that is committed."""
        await self.chain.append(tx, made, self._clock.now_ms())

    def witness(self, told: Told) -> Witness:
        """Enters the events of others in the transactions they are of; those that `told` does not name are left out."""

        async def enter(tx: AsyncConnection, events: Sequence[Event]) -> None:
            found = [entry for event in events if type(event) in told and (entry := told[type(event)](event)) is not None]
            if found:
                await self.enter(tx, *found)

        return enter

    async def flush(self) -> None:
        """Wait until everything noted before is committed. Unavailable when the database is away: it stays noted."""
        async with self._turn:
            while self._in_hand or self._queue or self._lost:
                await self._write()

    async def _write(self) -> None:
        """Write the group in hand; one whose commit nobody heard of is looked for first, by the hash of its last entry."""
        if not self._in_hand:
            self._take_in_hand()

        async def append(tx: AsyncConnection) -> None:
            if self._tried is None or not await self.chain.holds(tx, self._tried):
                self._tried = await self.chain.append(tx, self._in_hand, self._clock.now_ms())

        await self._storage.write(append, LONG_S)
        self._in_hand, self._tried = [], None

    def _take_in_hand(self) -> None:
        while self._queue and len(self._in_hand) < GROUP:
            self._in_hand.append(self._queue.popleft())
        if self._lost and len(self._in_hand) < GROUP:
            self._in_hand.append(Entry("audit.lost", data={"count": self._lost}, at_ms=self._clock.now_ms()))
            self._lost = 0

    async def work(self, task: Task) -> None:
        """Write what is noted, for ever."""
        while True:
            await self.flush()
            task.up()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await self._clock.timeout(self._wake.wait(), WINDOW_S / 2)
            for entry in self._folding.due(self._clock.monotonic()):
                self._put(entry)

    async def close(self) -> None:
        """Write what is left, counted things too."""
        for entry in self._folding.rest():
            self._put(entry)
        try:
            await self.flush()
        except OhmsteadError as error:
            log.error("%d entries of the audit log are lost: %s", len(self._in_hand) + len(self._queue) + self._lost, error)

    async def verify(self) -> Verdict:
        """Check the whole log, what is noted by now included."""
        await self.flush()
        async with self._looking:
            return await Verifier(self._storage, self.chain, self.archive).run()

    async def prune(self, before_ms: int) -> int:
        """Archive entries from before an instant; how many. ConfigError, and nothing is deleted, when they do not hold."""
        async with self._looking:
            count = await Segments(self._storage, self.chain, self.archive).prune(before_ms, self._clock.now_ms())
        if count:
            self.note("audit.pruned", data={"entries": count})
        return count

    async def forget(self, who: str) -> int:
        """Delete the names and addresses kept of somebody; how many entries lost them."""
        count = await self.search.forget(who)
        self.note("audit.forgotten", subject=who, data={"entries": count})
        await self.flush()
        return count
