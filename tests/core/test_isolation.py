from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from types import FunctionType

import pytest

from ohmstead.core.errors import PluginError, Unavailable
from ohmstead.core.isolation import BRIDGE_SIZE, SecondLoop, Watchdog, blame, guard, in_thread
from tests.fakes.house import until


@pytest.fixture
async def second() -> AsyncIterator[SecondLoop]:
    loop = SecondLoop()
    yield loop
    await loop.stop()
    await loop.stop()


async def test_calls_run_on_the_other_thread(second: SecondLoop) -> None:
    async def where() -> int:
        return threading.get_ident()

    assert await second.call(where) != threading.get_ident()
    assert await second.call(where, within_s=5) == await second.call(where)


async def test_what_is_stopped_may_clean_up(second: SecondLoop) -> None:
    gone = []

    async def connected() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            gone.append("said goodbye")

    running = asyncio.create_task(second.call(connected))
    await until(lambda: second.loop is not None and len(asyncio.all_tasks(second.loop)) == 1)
    await second.stop()
    assert gone == ["said goodbye"]
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_sleeping_plugin_delays_only_its_like(second: SecondLoop) -> None:
    gate = threading.Event()

    async def blocks(call: object) -> str:
        gate.wait(30)
        return "late"

    slow = asyncio.create_task(guard(second, blocks)(None))
    await asyncio.sleep(0.01)
    assert not slow.done()
    gate.set()
    assert await slow == "late"


async def test_a_call_that_takes_too_long_is_cancelled(second: SecondLoop) -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        await second.call(forever, within_s=0.05)
    await until(cancelled.is_set)


async def test_a_stream_crosses_over_in_order_and_slows_its_maker(second: SecondLoop) -> None:
    made = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(BRIDGE_SIZE * 3):
            made.append(number)
            yield number

    stream = second.stream(numbers)
    assert await anext(stream) == 0
    await asyncio.sleep(0.2)
    assert len(made) <= BRIDGE_SIZE + 3
    assert [number async for number in stream] == list(range(1, BRIDGE_SIZE * 3))


async def test_an_error_crosses_over_and_a_closed_stream_ends_its_maker(second: SecondLoop) -> None:
    ended = threading.Event()

    async def fails() -> AsyncIterator[int]:
        yield 1
        raise Unavailable("gone")

    with pytest.raises(Unavailable, match="gone"):
        assert [item async for item in second.stream(fails)]

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    stream = second.stream(endless)
    assert await anext(stream) == 1
    await stream.aclose()
    await until(ended.is_set)


async def test_the_watchdog_names_who_blocks_a_loop(second: SecondLoop, caplog: pytest.LogCaptureFixture) -> None:
    blocked: list[tuple[str | None, str, int]] = []
    watchdog = Watchdog(lambda file: "sleepy" if file == __file__ else None, lambda *what: blocked.append(what), blocked_s=0.1)
    watchdog.watch(asyncio.get_running_loop())
    watchdog.watch(second.start())

    async def sleeps() -> None:
        time.sleep(0.5)

    await second.call(sleeps)
    await until(lambda: blocked)
    watchdog.stop()
    await asyncio.sleep(0.05)
    [(plugin, file, line)] = [what for what in blocked if what[0] is not None]
    assert (plugin, file) == ("sleepy", __file__)
    assert line > 0
    assert "plugin sleepy blocks" in caplog.text


def test_blame_without_a_plugin_names_the_innermost_line() -> None:
    plugin, file, line = blame(sys._getframe(), lambda file: None)
    assert (plugin, file) == (None, __file__)
    assert line > 0
    assert blame(None, lambda file: None) == (None, "?", 0)


def test_blame_where_an_instruction_belongs_to_no_line_names_the_function() -> None:
    code = _blamed.__code__
    assert FunctionType(code.replace(co_linetable=b""), globals())() == (None, __file__, code.co_firstlineno)


def _blamed() -> object:
    return blame(sys._getframe(), lambda file: None)


def test_foreign_code_in_a_thread() -> None:
    assert in_thread(lambda: 7, 5, "seven") == 7
    with pytest.raises(SystemExit):
        in_thread(lambda: sys.exit(3), 5, "exit")
    release = threading.Event()
    with pytest.raises(PluginError, match="import of slow takes longer than 0.05 s"):
        in_thread(release.wait, 0.05, "import of slow")
    release.set()


async def test_a_loop_that_never_comes_back_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    loop, release = SecondLoop(), threading.Event()

    async def stuck() -> None:
        release.wait(5)

    asyncio.run_coroutine_threadsafe(stuck(), loop.start())
    await loop.stop(within_s=0.1)
    assert "left behind" in caplog.text
    release.set()
