"""Runs the jobs: each due time once, late ones once after the hub was down, never two runs of one job at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError, Conflict, NotFound, OhmsteadError
from ohmstead.core.isolation import SecondLoop
from ohmstead.core.plugin import Job, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.supervise import Task
from ohmstead.plugins.jobs.board import HOLD_MS, UNFINISHED, Board
from ohmstead.plugins.jobs.routes import routes
from ohmstead.plugins.jobs.schedule import check, following, text
from ohmstead.plugins.jobs.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

LOOK_S = 10.0  # the longest nap between two looks at the time of day, which may jump
LIMIT_S = 6 * 3600.0  # a job of a foreign plugin that runs longer is given up
STOP_S = 3.0


class Entry(msgspec.Struct):
    """One job: whether its plugin is foreign, when it is due next, its run if it runs, whether it failed last time."""

    job: Job
    foreign: bool
    next_ms: int | None = None
    run: asyncio.Task[object] | None = None
    failing: bool = False

    @property
    def running(self) -> bool:
        """Whether a run of it is under way here."""
        return self.run is not None and not self.run.done()


class Jobs:
    """The jobs of this house. `zone` is the IANA zone of its cron lines."""

    def __init__(self, storage: Storage, clock: Clock, second: SecondLoop, zone: str = "UTC") -> None:
        self._board = Board(storage)
        self._clock, self._second = clock, second
        self.zone = zone
        self._entries: dict[str, Entry] = {}
        self._runs: set[asyncio.Task[object]] = set()
        self._skew_ms = 0

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The one table of the jobs."""
        return [TABLES]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/jobs`."""
        return routes(self)

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Gather the jobs of all plugins and keep running them."""
        self.reload(hub, self.zone)
        hub.tasks.start("jobs", self.work)

    def reload(self, hub: Hub, zone: str) -> None:
        """Ask every plugin for its jobs anew; a foreign plugin whose schedule nobody can read is quarantined."""
        found: list[tuple[bool, Job]] = []
        for plugin, job in hub.plugins.collect("ohmstead_jobs", hub=hub):
            try:
                check(job)
            except ConfigError as error:
                if plugin.shipped:
                    raise
                hub.plugins.quarantine(plugin, str(error))
            else:
                found.append((not plugin.shipped, job))
        self.declare(found, zone)

    def declare(self, found: Iterable[tuple[bool, Job]], zone: str) -> None:
        """Make these the jobs of the house: pairs of "is foreign" and the job. A run under way goes on."""
        fresh = {job.name: Entry(job, foreign) for foreign, job in found}
        for name, entry in fresh.items():
            if (old := self._entries.get(name)) is not None:
                entry.run, entry.failing = old.run, old.failing
        self.zone, self._entries = zone, fresh

    async def work(self, task: Task) -> None:
        """Start what is due, for ever."""
        self._skew_ms = self._skew()
        task.up()
        try:
            while True:
                if self._clock.trusted:
                    await self._turn()
                await self._clock.sleep(self._nap_s())
        finally:
            await self._stop()

    async def _turn(self) -> None:
        jumped = abs(self._skew() - self._skew_ms) > 60_000
        if jumped or any(entry.next_ms is None for entry in self._scheduled().values()):
            self._skew_ms = self._skew()
            await self._plan()
        held = [name for name, entry in self._entries.items() if entry.running]
        if held:
            await self._board.hold(held, self._clock.now_ms() + HOLD_MS)
        for entry in list(self._entries.values()):
            if not entry.running and entry.next_ms is not None and entry.next_ms <= self._clock.now_ms():
                await self._begin(entry, due_only=True)

    def _skew(self) -> int:
        """Time of day less waiting time: changes only when somebody sets the clock."""
        return self._clock.now_ms() - round(self._clock.monotonic() * 1000)

    def _nap_s(self) -> float:
        now = self._clock.now_ms()
        dues = [(entry.next_ms, entry.running) for entry in self._entries.values() if entry.next_ms is not None]
        waits = [(due - now) / 1000 for due, running in dues if due > now or not running]
        return max(0.05, min([LOOK_S, *waits]))

    async def _plan(self) -> None:
        """Read the rows and set the next due times: kept as they stand unless the schedule is new or the clock went back."""
        rows, now = await self._board.rows(), self._clock.now_ms()
        for name, entry in self._scheduled().items():
            row, schedule = rows.get(name), self._schedule(entry.job)
            entry.next_ms = self._next(entry.job, row, now)
            if row is None or row["next_ms"] != entry.next_ms or row["schedule"] != schedule:
                await self._board.plan(name, schedule, entry.next_ms)
            if row is not None and not entry.running and entry.job.catch_up and row["result"] in UNFINISHED:
                entry.next_ms = max(now, row["held_until_ms"] or now)

    def _scheduled(self) -> dict[str, Entry]:
        """Those that do not keep their own time."""
        return {name: entry for name, entry in self._entries.items() if entry.job.went is None}

    def _schedule(self, job: Job) -> str:
        return f"{text(job)} {self.zone}"

    def _next(self, job: Job, row: Mapping[str, Any] | None, now: int) -> int:
        first = following(job, now, self.zone)
        if row is None or row["next_ms"] is None or row["schedule"] != self._schedule(job):
            return first
        if row["next_ms"] <= now and not job.catch_up:
            return first
        return min(int(row["next_ms"]), first)

    async def _begin(self, entry: Entry, due_only: bool) -> asyncio.Task[object] | None:
        """Claim and start one; None when somebody else runs it."""
        now = self._clock.now_ms()
        upcoming = following(entry.job, now, self.zone) if due_only else None
        schedule = self._schedule(entry.job)
        claimed = await self._board.claim(entry.job.name, schedule, now, upcoming, due_only)
        if due_only:
            entry.next_ms = upcoming
        if not claimed:
            return None
        entry.run = asyncio.create_task(self._run(entry), name=f"job {entry.job.name}")
        self._runs.add(entry.run)
        entry.run.add_done_callback(self._runs.discard)
        return entry.run

    async def _run(self, entry: Entry) -> object:
        """One run: the job itself in a task of its own, so that whatever it raises is looked at, not caught."""
        began = self._clock.monotonic()
        work = asyncio.ensure_future(self._second.call(entry.job.run, LIMIT_S) if entry.foreign else entry.job.run())
        try:
            await asyncio.wait({work})
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=STOP_S)
            result, error = self._outcome(entry, work)
            await self._note(entry, result, error, self._clock.monotonic() - began)
        return work.result() if result == "ok" else None

    def _outcome(self, entry: Entry, work: asyncio.Future[object]) -> tuple[str, str | None]:
        name = entry.job.name
        if not work.done() or work.cancelled():
            return "interrupted", "the hub stopped"
        error = work.exception()
        if error is None:
            if entry.failing:
                log.info("job %s works again", name)
            entry.failing = False
            return "ok", None
        if not entry.failing:
            log.error("job %s failed; further failures of it are not logged", name, exc_info=error)
        entry.failing = True
        return "failed", f"{type(error).__name__}: {error}"

    async def _note(self, entry: Entry, result: str, error: str | None, took_s: float) -> None:
        outcome: dict[str, Any] = {"ended_ms": self._clock.now_ms(), "took_s": took_s, "result": result, "error": error}
        if entry.next_ms is not None and entry.next_ms <= self._clock.now_ms():  # due times that pass during a run are skipped
            entry.next_ms = outcome["next_ms"] = following(entry.job, self._clock.now_ms(), self.zone)
        try:
            await self._board.finish(entry.job.name, **outcome)
        except OhmsteadError as trouble:
            log.warning("job %s ended, but that could not be written down, so it may run again: %s", entry.job.name, trouble)

    async def run(self, name: str) -> asyncio.Task[object]:
        """Run a job now, whatever its schedule. NotFound, or Conflict while it runs. The task gives what the job returns."""
        entry = self._entries.get(name)
        if entry is None:
            raise NotFound(f"there is no job {name!r}; there are {', '.join(sorted(self._entries)) or 'none'}")
        run = await self._begin(entry, due_only=False) if not entry.running else None
        if run is None:
            raise Conflict(f"job {name} is running")
        return run

    @property
    def pending(self) -> int:
        """How many jobs are due and have not begun."""
        now = self._clock.now_ms()
        return sum(entry.next_ms is not None and entry.next_ms <= now and not entry.running for entry in self._entries.values())

    @property
    def failing(self) -> list[str]:
        """The jobs whose last run here failed."""
        return sorted(name for name, entry in self._entries.items() if entry.failing)

    async def listing(self) -> list[tuple[Job, Mapping[str, Any]]]:
        """Every job with its row: next_ms, started_ms, ended_ms, took_s, result, error; empty before it was planned."""
        rows = await self._board.rows()
        found = [entry.job for _, entry in sorted(self._entries.items())]
        return [(job, rows.get(job.name, {}) if job.went is None else job.went()) for job in found]

    async def _stop(self) -> None:
        runs = set(self._runs)
        for run in runs:
            run.cancel()
        if runs:
            await asyncio.wait(runs, timeout=STOP_S)
