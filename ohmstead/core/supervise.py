"""Runs tasks for ever: backoff after a failure, one log line when something goes down and one when it is back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable

from ohmstead.core.clock import Clock
from ohmstead.core.errors import OhmsteadError, Refused, Unavailable

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
CRASHES, CRASH_WINDOW_S = 5, 600.0  # more crashes than this within the window is a crash loop

Work = Callable[["Task"], Awaitable[None]]
Told = Callable[[str], None]


class Task:
    """One piece of work that is started again whenever it ends, until it is stopped or given up.

    The work gets the Task and calls `up()` once it does its job. Unavailable means: wait and try again. Refused means:
    stop for good, tell the owner. Anything else is a crash, logged with its traceback; a crash loop is given up.
    """

    def __init__(self, name: str, work: Work, clock: Clock, on_down: Told | None = None, on_up: Callable[[], None] | None = None,
                 on_given_up: Told | None = None, on_crash_loop: Told | None = None) -> None:  # fmt: skip
        self.name = name
        self.reason: str | None = None  # why it is down, None while it is up or was never down
        self.given_up: str | None = None
        self._work, self._clock = work, clock
        self._on_down, self._on_up, self._on_given_up, self._on_crash_loop = on_down, on_up, on_given_up, on_crash_loop
        self._wait_s = FIRST_WAIT_S
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run it in the background."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, within_s: float = 5.0) -> None:
        """Cancel it and wait until it has cleaned up."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=within_s)
        if not self._task.done():
            log.error("%s does not stop", self.name)
        self._task = None

    def up(self) -> None:
        """The work's word that it does its job; cheap enough to be called for every reading."""
        if self.reason is not None:
            self.reason = None
            log.info("%s is back", self.name)
            if self._on_up is not None:
                self._on_up()
        self._wait_s = FIRST_WAIT_S

    async def _run(self) -> None:
        while self.given_up is None:
            try:
                await self._work(self)
                self._down("it ended by itself")
                wait_s = self._next_wait()
            except Unavailable as error:
                self._down(str(error))
                wait_s = max(self._next_wait(), error.retry_after_s or 0)
            except Refused as error:
                self._give_up(str(error))
                return
            except OhmsteadError as error:
                self._down(str(error))
                wait_s = self._next_wait()
            except Exception as error:
                wait_s = self._crashed(error)
            await self._clock.sleep(wait_s)

    def _next_wait(self) -> float:
        wait_s = self._wait_s
        self._wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        return wait_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, guards nothing

    def _down(self, reason: str) -> None:
        if self.reason is None:
            log.warning("%s: %s", self.name, reason)
            if self._on_down is not None:
                self._on_down(reason)
        self.reason = reason

    def _crashed(self, error: Exception) -> float:
        log.error("%s crashed", self.name, exc_info=error)
        now = self._clock.monotonic()
        if len(self._crashes) == CRASHES and now - self._crashes[0] < CRASH_WINDOW_S:
            reason = f"crash loop: {type(error).__name__}: {error}"
            self._give_up(reason)
            if self._on_crash_loop is not None:
                self._on_crash_loop(reason)
            return 0
        self._crashes.append(now)
        if self.reason is None and self._on_down is not None:
            self._on_down(f"{type(error).__name__}: {error}")
        self.reason = f"{type(error).__name__}: {error}"
        return self._next_wait()

    def _give_up(self, reason: str) -> None:
        self.given_up = self.reason = reason
        log.warning("%s is stopped: %s", self.name, reason)
        if self._on_given_up is not None:
            self._on_given_up(reason)


class Tasks:
    """The tasks of the house, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_name: dict[str, Task] = {}

    def start(self, name: str, work: Work, on_down: Told | None = None, on_up: Callable[[], None] | None = None,
              on_given_up: Told | None = None, on_crash_loop: Told | None = None) -> Task:  # fmt: skip
        """Start `work` under a name that nothing else runs under."""
        if name in self._by_name:
            raise ValueError(f"{name} runs already")
        task = self._by_name[name] = Task(name, work, self._clock, on_down, on_up, on_given_up, on_crash_loop)
        task.start()
        return task

    async def stop(self, name: str) -> None:
        """Stop one; nothing happens when it does not run."""
        task = self._by_name.pop(name, None)
        if task is not None:
            await task.stop()

    async def stop_named(self, prefix: str) -> None:
        """Stop those whose name begins so, at once."""
        await asyncio.gather(*(self.stop(name) for name in list(self._by_name) if name.startswith(prefix)))

    async def stop_all(self) -> None:
        """Stop all at once."""
        tasks, self._by_name = list(self._by_name.values()), {}
        await asyncio.gather(*(task.stop() for task in tasks))
