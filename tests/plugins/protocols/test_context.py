"""The context: polling on the hub's clock, the other loop, and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from ohmstead.core.clock import Clock, ManualClock, settle
from ohmstead.core.errors import Unsupported
from ohmstead.core.isolation import SecondLoop
from ohmstead.plugins.protocols import Context, Protocols
from tests.fakes.modbus_meter import FakeMeters
from tests.fakes.p1 import FakeP1


async def rounds(context: Context, every_s: float, seen: list[float], slow_s: dict[int, float] | None = None) -> None:
    async for at in context.poll(every_s):
        assert at == context.clock.now()
        seen.append(context.clock.monotonic())
        await context.clock.sleep((slow_s or {}).get(len(seen), 0))


@pytest.mark.parametrize(
    ("slow_s", "expected"),
    [({}, [0, 5, 10, 15, 20]), ({2: 3}, [0, 5, 10, 15, 20]), ({2: 5}, [0, 5, 10, 15, 20]), ({2: 12}, [0, 5, 20, 25, 30])],
)
async def test_poll_does_not_drift_and_leaves_out_what_it_missed(slow_s: dict[int, float], expected: list[float]) -> None:
    clock, seen = ManualClock(), []
    task = asyncio.create_task(rounds(Protocols(clock).context("d"), 5, seen, slow_s))
    await clock.advance(expected[-1] + 1)
    task.cancel()
    assert seen == expected


async def test_poll_now_adds_a_round_and_keeps_the_rhythm() -> None:
    clock, seen = ManualClock(), []
    context = Protocols(clock).context("d")
    task = asyncio.create_task(rounds(context, 5, seen))
    await clock.advance(7)
    context.poll_now()
    await settle()
    await clock.advance(5)
    task.cancel()
    assert seen == [0, 5, 7, 10]


async def test_poll_now_during_a_round_is_not_lost() -> None:
    clock, seen = ManualClock(), []
    context = Protocols(clock).context("d")
    task = asyncio.create_task(rounds(context, 5, seen, {1: 2}))
    await clock.advance(1)
    context.poll_now()
    await clock.advance(5)
    task.cancel()
    assert seen == [0, 2, 5]


async def test_the_second_loop_is_served_from_home() -> None:
    loops: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        loops.add(asyncio.get_running_loop())
        return web.json_response({"power": 5})

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    url = f"http://127.0.0.1:{port}/meter"
    second = SecondLoop()
    async with Protocols(Clock()) as protocols:
        context = protocols.context("d")

        async def readings() -> AsyncIterator[object]:
            async for meter in context.poll_json(url, 0.01):
                loops.add(asyncio.get_running_loop())
                yield meter

        taken = 0
        stream = second.stream(readings)
        async for meter in stream:
            assert meter == {"power": 5}
            taken += 1
            if taken == 3:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
    await second.stop()
    await runner.cleanup()
    assert len(loops) == 2


async def test_a_plugin_on_the_second_loop_shares_the_buses_and_streams_of_the_house() -> None:
    second = SecondLoop()
    async with Protocols(Clock()) as protocols, FakeMeters({1: {0: 230.2}}) as meters, FakeP1() as bridge:
        context = protocols.context("d")

        async def elsewhere() -> tuple[list[int], bytes]:
            async with context.modbus("127.0.0.1", meters.port) as bus, context.tcp("127.0.0.1", bridge.port) as stream:
                return await bus.read(1, 4, 0, 2), await stream.read(5)

        async with context.modbus("127.0.0.1", meters.port) as bus:
            await bus.read(1, 4, 0, 2)
            asking = asyncio.create_task(second.call(elsewhere, 5))
            await bridge.listener()
            await bridge.send(b"hello")
            assert await asking == ([0x4366, 0x3333], b"hello")
            assert meters.connections == 1
    await second.stop()


async def test_after_stored_calls_back_on_the_loop_that_asked() -> None:
    second = SecondLoop()
    told: list[object] = []
    async with Protocols(Clock()) as protocols:
        home = asyncio.get_running_loop()
        context = protocols.context("d", lambda callback: home.call_soon_threadsafe(callback) and None)

        async def ask() -> bool:
            here, done = asyncio.get_running_loop(), asyncio.Event()
            context.after_stored(lambda: (told.append(asyncio.get_running_loop() is here), done.set()))
            await done.wait()
            return True

        assert await asyncio.wait_for(ask(), 5)
        assert await second.call(ask, 5)
    await second.stop()
    assert told == [True, True]


async def test_without_a_hub_everything_is_stored_at_once() -> None:
    told: list[int] = []
    Protocols(Clock()).context("d").after_stored(lambda: told.append(1))
    assert told == [1]


async def test_a_house_without_mqtt_says_so() -> None:
    with pytest.raises(Unsupported, match="no MQTT broker"):
        _ = Protocols(Clock()).context("d").mqtt
