"""Byte streams: what arrives, silence, and the ways a connection ends."""

from __future__ import annotations

import asyncio

import pytest

from ohmstead.core.clock import Clock, ManualClock, settle
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.protocols import Protocols
from tests.fakes.p1 import FakeP1


async def test_bytes_as_they_come() -> None:
    async with Protocols(Clock()) as protocols, FakeP1() as bridge, protocols.context("p1").tcp("127.0.0.1", bridge.port) as stream:
        await bridge.listener()
        await bridge.send(b"abc")
        assert await stream.read(5) == b"abc"
        await stream.write(b"hello")
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
