"""Turns at the interpreter's lock for a thread that writes beside an event loop that never rests.

Such a loop does let go of the lock, each time it polls its sockets, but for a microsecond: a thread that sleeps for the
lock is woken, finds it taken again, and because it was woken in time never asks for it by force. A group of 20,000 rows
so waited up to a second for some forty turns. A nap of the loop every millisecond is long enough to wake up in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 0.001
NAP_S = 0.00001  # the kernel makes some 60 µs of it


@contextmanager
def given() -> Iterator[None]:
    """For the time of the block the running loop naps every millisecond."""
    loop = asyncio.get_running_loop()
    coming: list[asyncio.TimerHandle] = []

    def nap() -> None:
        time.sleep(NAP_S)
        coming[:] = [loop.call_later(EVERY_S, nap)]

    coming.append(loop.call_later(EVERY_S, nap))
    try:
        yield
    finally:
        coming[0].cancel()
