"""Modbus against pymodbus's own server and against a gateway that misbehaves."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.plugins.protocols import Protocols
from tests.fakes.modbus_meter import FakeGateway, FakeMeters

TWO_REGISTERS = bytes.fromhex("04 04 43 66 33 33")


async def test_the_recorded_bytes() -> None:
    async with Protocols(Clock()) as protocols, FakeGateway(TWO_REGISTERS) as gateway:
        async with protocols.context("m").modbus("127.0.0.1", gateway.port) as bus:
            assert await bus.read(1, 4, 0, 2) == [0x4366, 0x3333]
        assert gateway.asked[0][2:] == bytes.fromhex("00 00 00 06 01 04 00 00 00 02")


async def test_units_of_a_bus_share_one_connection_and_take_turns() -> None:
    async with Protocols(Clock()) as protocols, FakeGateway(*[TWO_REGISTERS] * 6) as gateway:
        contexts = [protocols.context(f"m{i}") for i in range(3)]

        async def read(unit: int) -> None:
            async with contexts[unit].modbus("127.0.0.1", gateway.port) as bus:
                for _ in range(2):
                    await bus.read(unit, 4, 0, 2)

        await asyncio.gather(*(read(unit) for unit in range(3)))
        assert gateway.overlaps == 0
        assert len(gateway.asked) == 6


async def test_the_last_one_out_hangs_up() -> None:
    async with Protocols(Clock()) as protocols, FakeMeters({1: {0: 230.2}, 2: {0: 231.5}}) as meters:
        one, two = (protocols.context(name) for name in ("one", "two"))
        async with one.modbus("127.0.0.1", meters.port) as bus:
            async with two.modbus("127.0.0.1", meters.port) as same:
                assert same is bus
                await bus.read(1, 4, 0, 2)
                await same.read(2, 3, 0, 2)
                assert meters.connections == 1
            await bus.read(1, 4, 0, 2)
            assert meters.connections == 1
        async with asyncio.timeout(5):
            while meters.connections:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (1, Unsupported, "does not know this function"),
        (2, Unsupported, r"unit 7 at 127.0.0.1:\d+, input registers 0x0156 to 0x0157: illegal address: it has no such registers"),
        (6, Unavailable, "busy"),
        (11, Unavailable, "does not answer the gateway"),
        (99, Unavailable, "exception 99"),
    ],
)
async def test_exceptions_have_names(code: int, error: type[Exception], text: str) -> None:
    async with Protocols(Clock()) as protocols, FakeGateway(bytes([0x84, code])) as gateway:
        async with protocols.context("m").modbus("127.0.0.1", gateway.port) as bus:
            with pytest.raises(error, match=text):
                await bus.read(7, 4, 0x0156, 2)


async def test_too_few_registers_are_no_answer() -> None:
    async with Protocols(Clock()) as protocols, FakeGateway(TWO_REGISTERS) as gateway:
        async with protocols.context("m").modbus("127.0.0.1", gateway.port) as bus:
            with pytest.raises(Unavailable, match=r"2 came instead of 4|does not answer"):
                await bus.read(1, 4, 0, 4)


async def test_nobody_there_and_back_again(caplog: pytest.LogCaptureFixture) -> None:
    meters = await FakeMeters({1: {0: 230.2}}).start()
    async with Protocols(Clock()) as protocols, protocols.context("m").modbus("127.0.0.1", meters.port) as bus:
        await bus.read(1, 4, 0, 2)
        await meters.stop()
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{meters.port} cannot be reached"):
            await bus.read(1, 4, 0, 2)
        await meters.start()
        assert await bus.read(1, 4, 0, 2) == [0x4366, 0x3333]
        await meters.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and record.name.startswith("pymodbus")]


async def test_a_silent_unit_delays_but_does_not_stop_the_others() -> None:
    async with Protocols(Clock()) as protocols, FakeGateway(None, None, TWO_REGISTERS) as gateway:
        async with protocols.context("m").modbus("127.0.0.1", gateway.port, timeout_s=0.2) as bus:
            with pytest.raises(Unavailable, match=r"unit 3 at 127.0.0.1:\d+ does not answer"):
                await bus.read(3, 4, 0, 2)
            assert await bus.read(1, 4, 0, 2) == [0x4366, 0x3333]


async def test_impossible_requests_are_mistakes_of_the_plugin() -> None:
    async with Protocols(Clock()) as protocols, protocols.context("m").modbus("127.0.0.1", 1) as bus:
        with pytest.raises(ValueError, match="1 to 125"):
            await bus.read(1, 4, 0, 126)
        with pytest.raises(ValueError, match="3 or 4"):
            await bus.read(1, 6, 0, 1)


async def test_an_answer_nobody_waits_for_any_more_is_not_the_next_ones() -> None:
    other = bytes.fromhex("04 04 00 01 00 02")
    async with Protocols(Clock()) as protocols, FakeGateway(TWO_REGISTERS, other) as gateway:
        async with protocols.context("m").modbus("127.0.0.1", gateway.port) as bus:
            left = asyncio.create_task(bus.read(1, 4, 0, 2))
            async with asyncio.timeout(5):
                while not gateway.asked:
                    await asyncio.sleep(0.001)
            left.cancel()
            assert await bus.read(1, 4, 0, 2) == [1, 2]


async def test_the_connection_lost_in_mid_request() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(12)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Protocols(Clock()) as protocols, server, protocols.context("m").modbus("127.0.0.1", port, timeout_s=0.2) as bus:
        with pytest.raises(Unavailable, match="lost the connection|does not answer|cannot be reached"):
            await bus.read(1, 4, 0, 2)


async def test_what_is_open_closes_with_the_house() -> None:
    async with FakeMeters({1: {0: 230.2}}) as meters:
        protocols = Protocols(Clock())
        async with protocols.context("m").modbus("127.0.0.1", meters.port) as bus:
            await bus.read(1, 4, 0, 2)
            await protocols.close()
            async with asyncio.timeout(5):
                while meters.connections:
                    await asyncio.sleep(0.005)
