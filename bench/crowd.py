"""Many live sockets in one process, on the bare protocol, so that the client is not what is measured.

    python -m bench.crowd PORT PATH COUNT [TOKEN]

With a token each socket subscribes to the device `probe`. For every line on its standard input it waits until each
socket got one more update, and prints the instants of the first and the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from bench.machine import allow_open_files

AT_ONCE = 200
SUBSCRIBE = b'{"type":"SUBSCRIBE","payload":{"devices":["probe"]}}'
UPDATE = b"ENERGY_UPDATE"
ACK = b"CONNECTION_ACK"


def frame(text: bytes) -> bytes:
    """A text frame as clients must send it, masked with zeros."""
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


class Crowd:
    """What all sockets heard."""

    def __init__(self) -> None:
        self.open = self.heard = 0
        self.first = self.last = 0.0

    def update(self) -> None:
        """One socket got an update."""
        self.last = time.monotonic()
        if not self.heard:
            self.first = self.last
        self.heard += 1


class Socket(asyncio.Protocol):
    """One live socket."""

    def __init__(self, crowd: Crowd, head: bytes, subscribes: bool) -> None:
        self._crowd, self._head, self._subscribes = crowd, head, subscribes
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        if not self._open:
            if b" 101 " not in data[:20]:
                raise ConnectionError(data[:300].decode())
            self._open = True
            self._crowd.open += 1
            if self._subscribes:
                self._transport.write(frame(SUBSCRIBE))
        if UPDATE in data:
            self._crowd.update()


async def crowd(port: int, path: str, count: int, token: str = "") -> None:
    """Open them, then report on every line."""
    loop = asyncio.get_running_loop()
    signed = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{signed}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    heard = Crowd()
    for opened in range(0, count, AT_ONCE):
        lot = min(AT_ONCE, count - opened)
        await asyncio.gather(*(loop.create_connection(lambda: Socket(heard, head, bool(token)), "127.0.0.1", port) for _ in range(lot)))
        while heard.open < opened + lot:
            await asyncio.sleep(0.002)
    print("ready", flush=True)
    words = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    while await words.readline():
        heard.heard = 0
        print("listening", flush=True)
        async with asyncio.timeout(30):
            while heard.heard < count:
                await asyncio.sleep(0.001)
        print(json.dumps({"first": heard.first, "last": heard.last}), flush=True)


if __name__ == "__main__":
    allow_open_files(25_000)
    asyncio.run(crowd(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *sys.argv[4:5]))
