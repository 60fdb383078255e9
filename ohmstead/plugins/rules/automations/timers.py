"""What is due later: after a while, on the monotonic clock, or when the clocks show a time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.supervise import Task

Ring = Callable[[int], object]  # is told the instant that was due
Following = Callable[[int], int | None]  # the first due instant after another, None when there is none

NAP_S = 0.5  # how late anything may be that was not known before
JUMPED_MS = 60_000  # a clock that was set by so much plans anew
LATE_MS = 15 * 60_000  # a time of day that was jumped over is made up for when it is not longer ago


class Timer(msgspec.Struct, eq=False):
    """Something due; `cancel` it when it is not wanted any more."""

    ring: Ring
    due: float = 0.0  # monotonic seconds, or milliseconds since 1970
    following: Following | None = None
    live: bool = True

    def cancel(self) -> None:
        """It will not ring."""
        self.live = False


class Timers:
    """All of them. Belongs to the event loop's thread; a replay calls `ring` itself, at `next_ms`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._later: list[tuple[float, int, Timer]] = []
        self._wall: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._skew_ms: int | None = None

    def after(self, delay_s: float, ring: Ring) -> Timer:
        """Ring once, after so many seconds of waiting."""
        timer = Timer(ring, self._clock.monotonic() + delay_s)
        self._push(self._later, timer)
        return timer

    def every(self, following: Following, ring: Ring) -> Timer:
        """Ring whenever the clocks show a due time."""
        timer = Timer(ring, following=following)
        self._plan(timer)
        return timer

    def ring(self) -> None:
        """Ring what is due now."""
        self._ring(self._later, self._clock.monotonic())
        if not self._clock.trusted:
            return
        skew = self._clock.now_ms() - round(self._clock.monotonic() * 1000)
        if self._skew_ms is None or abs(skew - self._skew_ms) > JUMPED_MS:
            self._jumped(back=self._skew_ms is None or skew < self._skew_ms)
            self._skew_ms = skew
        self._ring(self._wall, self._clock.now_ms())

    def _ring(self, heap: list[tuple[float, int, Timer]], now: float) -> None:
        while heap and heap[0][0] <= now:
            due, _, timer = heapq.heappop(heap)
            if not timer.live:
                continue
            if timer.following is None:
                timer.live = False
                timer.ring(self._clock.now_ms())
            else:
                self._plan(timer)
                if now - due <= LATE_MS:
                    timer.ring(int(due))

    def _jumped(self, back: bool) -> None:
        """The clock was set: after it went back what is due lies too far ahead; what it jumped over is found due by `ring`."""
        if back:
            timers = [timer for _, _, timer in self._wall if timer.live]
            self._wall.clear()
            for timer in timers:
                self._plan(timer)

    def _plan(self, timer: Timer) -> None:
        assert timer.following is not None
        due = timer.following(self._clock.now_ms())
        if due is not None:
            timer.due = due
            self._push(self._wall, timer)

    def _push(self, heap: list[tuple[float, int, Timer]], timer: Timer) -> None:
        self._count += 1
        heapq.heappush(heap, (timer.due, self._count, timer))

    @property
    def next_ms(self) -> int | None:
        """The instant of the next that is due, for a clock whose waiting time and time of day go together."""
        later = [self._clock.now_ms() + max(0, math.ceil((self._later[0][0] - self._clock.monotonic()) * 1000))] if self._later else []
        return min([*later, *([int(self._wall[0][0])] if self._wall else [])], default=None)

    async def work(self, task: Task) -> None:
        """Ring, for ever."""
        task.up()
        while True:
            self.ring()
            nap_s = min([NAP_S, *(due - self._clock.monotonic() for due, _, _ in self._later[:1])])
            if self._wall and self._clock.trusted:
                nap_s = min(nap_s, (self._wall[0][0] - self._clock.now_ms()) / 1000)
            await self._clock.sleep(max(nap_s, 0.005))
