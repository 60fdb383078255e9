"""What must be written of automations, in groups: runs that wait, gates that turned, traces, and when each was last set off."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ohmstead.core.clock import Clock
from ohmstead.core.supervise import Task
from ohmstead.plugins.rules.automations.book import Book
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.gate import Turn
from ohmstead.plugins.rules.watch import Watches
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.devices.arbiter import Arbiter
    from ohmstead.plugins.rules.automations.automation import Automation
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

REST_S = 0.1  # between two groups; a run that ends sooner needs no row
FLOOD, SKIPPED = 100, 10  # of more runs than these in a group traces wait for so many groups: nothing goes on from them


class Journal:
    """Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, clock: Clock, watches: Watches, arbiter: Arbiter) -> None:
        self.book = Book(storage.tenant_id)
        self._storage, self._clock, self._watches, self._arbiter = storage, clock, watches, arbiter
        self._turns: dict[str, Turn] = {}
        self._waiting: dict[str, Run] = {}
        self._over: set[str] = set()
        self._told: dict[str, Automation] = {}
        self._traced: dict[str, Automation] = {}  # those with traces that have no row yet
        self._ended = self._skips = 0  # runs since traces were written, and groups without them
        self._written: dict[str, set[str]] = {}  # automation -> ids of its traces that have rows
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()

    def turned(self, turn: Turn) -> None:
        """A gate of an automation's own turned."""
        self._turns[turn.key] = turn
        self._wake.set()

    def waits(self, run: Run) -> None:
        """A run waits: it must outlive a restart, and so must that it was set off."""
        self._waiting[run.id] = run
        self._told[run.automation.id] = run.automation
        self._wake.set()

    def ended(self, run: Run) -> None:
        """A run ended."""
        self._waiting.pop(run.id, None)
        if run.stored:
            self._over.add(run.id)
        self._ended += 1
        self._told[run.automation.id] = self._traced[run.automation.id] = run.automation
        self._wake.set()

    def gone(self, run: str) -> None:
        """A run that waited is of an automation that is no more."""
        self._over.add(run)
        self._wake.set()

    def forget(self, automation: str) -> None:
        """An automation is no more, nor are its rows."""
        self._told.pop(automation, None)
        self._traced.pop(automation, None)
        self._written.pop(automation, None)

    def knows(self, automation: str, traces: set[str]) -> None:
        """These traces have rows already."""
        self._written[automation] = traces

    async def work(self, task: Task) -> None:
        """Write, for ever."""
        while True:
            async with self._turn:
                self._skips += 1
                await self._flush(self._ended <= FLOOD or self._skips > SKIPPED)
            task.up()
            await self._clock.sleep(REST_S)
            await self._wake.wait()

    async def flush(self) -> None:
        """Write what changed, and wait for what is being written. Unavailable: then it stays to be written."""
        async with self._turn:
            await self._flush(True)

    async def _flush(self, traces: bool) -> None:
        self._wake.clear()
        turns = [turn for key, turn in self._turns.items() if self._watches.find(key) is not None]
        waiting, over, told, traced = self._waiting, self._over, self._told, self._traced if traces else {}
        holds = list(self._arbiter.held()) if self._arbiter.changed else None
        if self._traced and not traces:
            self._wake.set()
        if not (turns or waiting or over or told or traced or holds is not None):
            self._turns = {}
            return
        self._arbiter.changed = False
        self._turns, self._waiting, self._over, self._told = {}, {}, set(), {}
        if traces:
            self._traced, self._ended, self._skips = {}, 0, 0
        fresh = {id_: [run for run in automation.traces if run.id not in self._written.get(id_, ())] for id_, automation in traced.items()}

        async def write(tx: AsyncConnection) -> None:
            await self._watches.settle(tx, turns)
            await self.book.put_runs(tx, [(run, self._arbiter.claimed(run.id)) for run in waiting.values()], over)
            if holds is not None:
                await self.book.put_holds(tx, holds)
            await self.book.put_told(tx, told.values())
            await self.book.put_traces(tx, list(traced.values()), [run for some in fresh.values() for run in some])

        for run in waiting.values():
            run.stored = True  # from now on its end must be written, too
        try:
            await self._storage.write(write, urgent=True)  # among the gates that wait, in their order
        except BaseException:
            self._turns = {**{turn.key: turn for turn in turns}, **self._turns}
            self._waiting = {**{id_: run for id_, run in waiting.items() if run.ended_ms is None}, **self._waiting}
            self._over |= over
            self._arbiter.changed = self._arbiter.changed or holds is not None
            self._told = {**told, **self._told}
            self._traced = {**traced, **self._traced}
            raise
        for id_, automation in traced.items():
            self._written[id_] = {run.id for run in automation.traces} & ({run.id for run in fresh[id_]} | self._written.get(id_, set()))
