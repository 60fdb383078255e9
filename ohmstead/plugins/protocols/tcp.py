"""A stream of bytes over TCP, for meters and bridges that just talk."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.protocols.home import Home

CHUNK = 65_536
CONNECT_S = 10.0
CLOSE_S = 2.0


class ByteStream:
    """An open connection. Unavailable when it breaks, ends, or stays silent for longer than asked."""

    def __init__(self, place: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock, home: Home) -> None:
        self._place, self._reader, self._writer, self._clock, self._home = place, reader, writer, clock, home

    async def read(self, within_s: float) -> bytes:
        """What arrives next, at least one byte."""

        async def read() -> bytes:
            return await self._clock.timeout(self._reader.read(CHUNK), within_s)

        try:
            chunk = await self._home.run(read)
        except TimeoutError:
            raise Unavailable(f"{self._place} sends nothing for {within_s:g} s") from None
        except OSError as error:
            raise Unavailable(f"{self._place}: {why(error)}") from error
        if not chunk:
            raise Unavailable(f"{self._place} closed the connection")
        return chunk

    async def write(self, data: bytes, within_s: float = CONNECT_S) -> None:
        """Send bytes; returns once the system took them."""

        async def write() -> None:
            self._writer.write(data)
            await self._clock.timeout(self._writer.drain(), within_s)

        try:
            await self._home.run(write)
        except TimeoutError:
            raise Unavailable(f"{self._place} takes nothing for {within_s:g} s") from None
        except OSError as error:
            raise Unavailable(f"{self._place}: {why(error)}") from error


class Tcp:
    """Opens byte streams."""

    def __init__(self, clock: Clock, home: Home) -> None:
        self._clock, self._home = clock, home

    @asynccontextmanager
    async def open(self, host: str, port: int, within_s: float = CONNECT_S) -> AsyncIterator[ByteStream]:
        """A connection to `host`, closed at the end of the block; connecting again is the runner's work."""
        place = f"{host}:{port}"

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await self._clock.timeout(asyncio.open_connection(host, port), within_s)

        try:
            reader, writer = await self._home.run(connect)
        except TimeoutError:
            raise Unavailable(f"{place} does not answer within {within_s:g} s") from None
        except OSError as error:
            raise Unavailable(f"{place} cannot be reached ({why(error)})") from error

        async def close() -> None:
            writer.close()
            await asyncio.wait({asyncio.ensure_future(_closed(writer))}, timeout=CLOSE_S)

        try:
            yield ByteStream(place, reader, writer, self._clock, self._home)
        finally:
            await self._home.run(close)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it broke before we closed it
        await writer.wait_closed()


def why(error: OSError) -> str:
    """The system's own few words for what went wrong, without the call it went wrong in."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno)
