from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from ohmstead.core.clock import ManualClock, settle
from ohmstead.core.errors import PluginError, Refused, Unavailable
from ohmstead.core.supervise import CRASHES, Task, Tasks


async def test_down_and_up_are_logged_once_each_and_retried_with_backoff(caplog: pytest.LogCaptureFixture) -> None:
    clock, tries, told = ManualClock(), [], []

    async def work(task: Task) -> None:
        tries.append(clock.monotonic())
        if len(tries) <= 4:
            raise Unavailable("no answer from 10.0.0.5")
        task.up()
        task.up()
        await asyncio.Event().wait()

    tasks = Tasks(clock)
    with caplog.at_level(logging.INFO):
        tasks.start("plug", work, on_down=told.append, on_up=lambda: told.append("up"))
        await clock.advance(60)
    await tasks.stop("plug")
    await tasks.stop("plug")
    assert told == ["no answer from 10.0.0.5", "up"]
    assert [record.getMessage() for record in caplog.records] == ["plug: no answer from 10.0.0.5", "plug is back"]
    waits = [after - before for before, after in pairwise(tries)]
    assert all(0.8 * 2**n <= wait <= 1.2 * 2**n for n, wait in enumerate(waits))


async def test_a_retry_waits_at_least_as_long_as_asked() -> None:
    clock, tries = ManualClock(), []

    async def work(task: Task) -> None:
        tries.append(clock.monotonic())
        raise Unavailable("busy", retry_after_s=30)

    tasks = Tasks(clock)
    tasks.start("plug", work)
    await clock.advance(29)
    assert len(tries) == 1
    await clock.advance(2)
    assert len(tries) == 2
    await tasks.stop_all()


async def test_refused_credentials_stop_the_task_for_good() -> None:
    clock, given_up = ManualClock(), []

    async def work(task: Task) -> None:
        raise Refused("the password of plug is wrong")

    tasks = Tasks(clock)
    task = tasks.start("plug", work, on_given_up=given_up.append)
    await clock.advance(1000)
    assert given_up == ["the password of plug is wrong"]
    assert task.given_up == task.reason == given_up[0]
    with pytest.raises(ValueError, match="plug runs already"):
        tasks.start("plug", work)
    await tasks.stop_all()


async def test_a_crash_loop_is_given_up_and_other_ends_are_retried(caplog: pytest.LogCaptureFixture) -> None:
    clock, told, ends = ManualClock(), [], iter((None, PluginError("odd"), *[KeyError("x")] * (CRASHES + 1)))

    async def work(task: Task) -> None:
        error = next(ends)
        if error is not None:
            raise error

    task = Task("plug", work, clock, on_down=told.append, on_given_up=told.append)
    with caplog.at_level(logging.CRITICAL):
        task.start()
        await clock.advance(500)
    assert told == ["it ended by itself", "crash loop: KeyError: 'x'"]
    assert task.given_up
    await task.stop()
    await task.stop()


async def test_a_first_crash_is_told_as_a_reason() -> None:
    clock, told = ManualClock(), []

    async def work(task: Task) -> None:
        raise KeyError("x")

    task = Task("plug", work, clock, on_down=told.append)
    task.start()
    await settle()
    await task.stop()
    assert told == ["KeyError: 'x'"]


async def test_a_task_that_does_not_stop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()

    async def stubborn(task: Task) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()
            raise

    task = Task("mule", stubborn, ManualClock())
    task.start()
    await settle()
    await task.stop(within_s=0.01)
    assert "mule does not stop" in caplog.text
    release.set()
    await settle()
