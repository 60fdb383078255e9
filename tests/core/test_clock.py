from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ohmstead.core.clock import BUILD_MS, Clock, ManualClock, from_ms, iso, to_ms


def test_instants_go_both_ways() -> None:
    at = datetime(2026, 2, 7, 12, 26, 0, 125_000, tzinfo=timezone(timedelta(hours=1)))
    assert from_ms(to_ms(at)) == at
    assert iso(to_ms(at)) == "2026-02-07T11:26:00.125Z"
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1000


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        to_ms(datetime(2026, 1, 1))


async def test_the_real_clock_tells_waits_and_times_out() -> None:
    clock = Clock()
    assert abs(clock.now().timestamp() * 1000 - clock.now_ms()) < 1000
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert await clock.timeout(asyncio.sleep(0, "done"), 5) == "done"
    with pytest.raises(TimeoutError):
        await clock.timeout(asyncio.Event().wait(), 0.001)


def test_a_clock_that_boots_in_1970_is_not_trusted() -> None:
    clock = ManualClock(0)
    assert not clock.trusted
    clock.set(BUILD_MS + 1)
    assert clock.trusted
    clock.not_before(BUILD_MS + 5000)
    assert not clock.trusted
    clock.set(from_ms(BUILD_MS + 6000))
    assert clock.trusted


async def test_sleepers_of_a_manual_clock_wake_in_their_order() -> None:
    clock, woken = ManualClock(), []

    async def sleeper(name: str, delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((name, clock.monotonic()))

    await clock.sleep(0)
    async with asyncio.TaskGroup() as group:
        for name, delay_s in (("late", 10), ("early", 2), ("middle", 5)):
            group.create_task(sleeper(name, delay_s))
        await clock.advance(5)
        assert woken == [("early", 2), ("middle", 5)]
        await clock.advance(5)
    assert woken[-1] == ("late", 10)
    assert clock.now_ms() == ManualClock().now_ms() + 10_000


async def test_a_manual_clock_times_out_only_when_moved() -> None:
    clock = ManualClock()
    waiting = asyncio.create_task(clock.timeout(asyncio.Event().wait(), 30))
    await clock.advance(29)
    assert not waiting.done()
    await clock.advance(2)
    with pytest.raises(TimeoutError):
        await waiting
    assert await clock.timeout(asyncio.sleep(0, 7), 30) == 7
