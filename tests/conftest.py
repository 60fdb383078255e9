"""Every test leaves the house as it found it: no task, thread, child process or socket stays behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.fakes.databases"]

settings.register_profile("tests", settings(deadline=None))  # that a machine is busy is no mistake
settings.load_profile("tests")

# Threads that libraries keep for the life of the process, by the beginning of their name.
LASTING = ("asyncio_", "ThreadPoolExecutor", "pytest_timeout")


def _ours(before: set[threading.Thread]) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.name.startswith(LASTING)]


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2
    while (left := _ours(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads left behind: {left}"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture(autouse=True)
async def no_leaked_tasks() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    left = [t for t in asyncio.all_tasks() - before if t is not asyncio.current_task() and not t.done()]
    assert not left, f"tasks left behind: {left}"
    gc.collect(0)  # an unclosed socket warns here, inside the test that left it
