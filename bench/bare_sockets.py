"""The limit of live sockets: an aiohttp server that writes one pre-built frame to every transport by hand.

    python -m bench.bare_sockets PORT
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from bench.machine import allow_open_files

MESSAGE = b'{"type":"ENERGY_UPDATE","payload":{"device":"probe","quantity":"power","value":1234.5,"at":"2026-02-07T11:26:00Z"}}'
FRAME = bytes([0x81, len(MESSAGE)]) + MESSAGE


async def serve(port: int) -> None:
    """Until killed."""
    transports: set[asyncio.Transport] = set()

    async def live(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        transport = request.transport
        assert transport is not None
        transports.add(transport)
        try:
            async for _ in socket:
                pass
        finally:
            transports.discard(transport)
        return socket

    async def send(request: web.Request) -> web.Response:
        for transport in transports:
            transport.write(FRAME)
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/live", live), web.post("/send", send)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    allow_open_files(25_000)
    asyncio.run(serve(int(sys.argv[1])))
