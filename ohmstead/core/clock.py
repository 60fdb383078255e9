"""The clock everything waits on, and whether its time of day can be trusted.

A small computer without a battery boots in 1970 and learns the time later. Until its clock has passed both the day
this release was built and the newest reading it stored, the clock is not trusted: no reading is refused for its
time, and no schedule runs.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

BUILD_MS = 1_793_491_200_000  # 2026-11-01T00:00:00Z, moved with each release


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"time without a zone: {at.isoformat()}")
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_ms(at_ms: int) -> datetime:
    """The aware UTC datetime of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def iso(at_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds only when there are any: 2026-02-07T11:26:00Z."""
    second, ms = divmod(at_ms, 1000)
    return f"{_second(second)}.{ms:03}Z" if ms else f"{_second(second)}Z"


@lru_cache(4096)  # what is shown together mostly happened together
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().removesuffix("+00:00")


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_MS, LATEST_MS = to_ms(datetime(2, 1, 1, tzinfo=UTC)), to_ms(datetime(9999, 1, 1, tzinfo=UTC))  # days in every zone's calendar


class Clock:
    """Time of day in UTC, monotonic time for waiting, and sleeping."""

    def __init__(self) -> None:
        self._floor_ms = BUILD_MS

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def now(self) -> datetime:
        """The time of day as an aware datetime in UTC."""
        return from_ms(self.now_ms())

    def monotonic(self) -> float:
        """Seconds that never jump, for measuring and waiting."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds."""
        await asyncio.sleep(delay_s)

    async def timeout(self, awaitable: Awaitable[T], after_s: float) -> T:
        """The result of `awaitable`, or TimeoutError once `after_s` seconds have passed."""
        async with asyncio.timeout(after_s):  # wait_for of Python 3.11 loses a cancellation that meets the result
            return await awaitable

    def not_before(self, at_ms: int) -> None:
        """State an instant that surely lies in the past, such as that of the newest stored reading."""
        self._floor_ms = max(self._floor_ms, at_ms)

    @property
    def trusted(self) -> bool:
        """Whether the time of day is later than everything known to lie in the past."""
        return self.now_ms() >= self._floor_ms


class ManualClock(Clock):
    """A clock that stands still until somebody moves it; for tests and replays."""

    def __init__(self, at: datetime | int = BUILD_MS + 20 * 86_400_000) -> None:
        super().__init__()
        self._now_ms = at if isinstance(at, int) else to_ms(at)
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    def set(self, at: datetime | int) -> None:
        """Jump the time of day without any waiting time passing, as a time server does."""
        self._now_ms = at if isinstance(at, int) else to_ms(at)

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + delay_s, self._count, waiter))
        await waiter

    async def timeout(self, awaitable: Awaitable[T], after_s: float) -> T:
        work = asyncio.ensure_future(awaitable)
        bell = asyncio.ensure_future(self.sleep(after_s))
        try:
            await asyncio.wait({work, bell}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise TimeoutError
        finally:
            for task in (work, bell):
                task.cancel()
            await asyncio.gather(work, bell, return_exceptions=True)

    async def advance(self, by_s: float) -> None:
        """Let `by_s` seconds pass: wake every sleeper in its order and let it run until it waits again."""
        end = self._monotonic + by_s
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._move(at)
            if not waiter.done():
                waiter.set_result(None)
                await settle()
        self._move(end)

    def _move(self, monotonic: float) -> None:
        self._now_ms += round((monotonic - self._monotonic) * 1000)
        self._monotonic = monotonic


async def settle(turns: int = 20) -> None:
    """Give every ready task of the loop a chance to run."""
    for _ in range(turns):
        await asyncio.sleep(0)
