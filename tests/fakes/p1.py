"""A P1 bridge on 127.0.0.1 that sends what it is told to, in the chunks it is told to; and telegrams with their CRC."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct


def telegram(*lines: str, header: str = "/Ene5\\T210-D ESMR5.0", crc: bool = True) -> bytes:
    """A telegram of these lines, closed with its CRC-16 (polynomial 0xA001, computed bit by bit, unlike ours)."""
    text = "\r\n".join([header, "", *lines, "!"]).encode()
    if not crc:
        return text + b"\r\n"
    total = 0
    for byte in text:
        total ^= byte
        for _ in range(8):
            total = (total >> 1) ^ (0xA001 * (total & 1))
    return text + f"{total:04X}\r\n".encode()


class FakeP1:
    """`send(…)` speaks to all who listen; `hang_up()` closes their connections."""

    def __init__(self) -> None:
        self.port = 0
        self.connected = 0
        self.received = b""
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connected += 1
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1000):
                self.received += chunk
        self._writers.discard(writer)
        writer.close()

    async def listener(self, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.connected < count:
                await asyncio.sleep(0.005)

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            for writer in self._writers:
                writer.write(chunk)
                await writer.drain()
            await asyncio.sleep(0.002)

    async def hang_up(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def reset(self) -> None:
        for writer in list(self._writers):
            linger = struct.pack("ii", 1, 0)  # close at once, with RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def start(self) -> FakeP1:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            await self.hang_up()
            await server.wait_closed()
            async with asyncio.timeout(30):
                while self._writers:
                    await asyncio.sleep(0.005)

    async def __aenter__(self) -> FakeP1:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
