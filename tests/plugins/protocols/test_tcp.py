"""Byte streams: what arrives, silence, and the ways a connection ends."""

from __future__ import annotations

import asyncio

import pytest

from ohmstead.core.clock import Clock, ManualClock, settle
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.protocols import Protocols
from tests.fakes.house import until
from tests.fakes.p1 import FakeP1


async def test_bytes_as_they_come() -> None:
    async with Protocols(Clock()) as protocols, FakeP1() as bridge, protocols.context("p1").tcp("127.0.0.1", bridge.port) as stream:
        await bridge.listener()
        await bridge.send(b"abc")
        assert await stream.read(5) == b"abc"
        await stream.write(b"hello")
        await until(lambda: bridge.received == b"hello")  # a socket closed with something unread resets its connection
        await bridge.hang_up()
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+ closed the connection"):
            await stream.read(5)


async def test_silence_is_measured_on_the_hubs_clock() -> None:
    clock = ManualClock()
    async with Protocols(clock) as protocols, FakeP1() as bridge, protocols.context("p1").tcp("127.0.0.1", bridge.port) as stream:
        reading = asyncio.create_task(stream.read(60))
        await settle()
        await clock.advance(61)
        with pytest.raises(Unavailable, match="sends nothing for 60 s"):
            await reading


async def test_nobody_there() -> None:
    async with FakeP1() as bridge:
        port = bridge.port
    async with Protocols(Clock()) as protocols:
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} cannot be reached"):
            async with protocols.context("p1").tcp("127.0.0.1", port):
                pass
        with pytest.raises(Unavailable, match="cannot be reached"):
            async with protocols.context("p1").tcp("no-such-host.invalid", port):
                pass


async def test_a_connection_that_breaks() -> None:
    async with Protocols(Clock()) as protocols, FakeP1() as bridge, protocols.context("p1").tcp("127.0.0.1", bridge.port) as stream:
        await bridge.listener()
        await bridge.reset()
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+: Connection reset by peer"):
            await stream.read(5)
        with pytest.raises(Unavailable):
            await stream.write(b"x" * 10_000_000)


async def test_a_bridge_that_takes_nothing() -> None:
    clock = ManualClock()
    stuck = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    async with server, Protocols(clock) as protocols:
        async with protocols.context("p1").tcp("127.0.0.1", server.sockets[0].getsockname()[1]) as stream:
            writing = asyncio.create_task(stream.write(b"x" * 50_000_000, within_s=5))
            await settle()
            await clock.advance(6)
            with pytest.raises(Unavailable, match="takes nothing for 5 s"):
                await writing
            stuck.set()
        await asyncio.sleep(0.01)
