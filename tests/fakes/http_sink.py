"""A real HTTP server on port 0 that takes messages, and can be slow, refuse, redirect, or hang up in mid-message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True)
class Taken:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class HttpSink:
    """Use it with `async with`; `taken` are the requests it answered with 2xx, `seen` all."""

    def __init__(self) -> None:
        self.seen: list[Taken] = []
        self.taken: list[Taken] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer = "thanks"
        self.held: asyncio.Event | None = None  # set it to let the answers go
        self.hang_up = 0  # so many requests are taken, and the line is cut instead of an answer

    async def __aenter__(self) -> HttpSink:
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        self.url = f"http://127.0.0.1:{self.port}/hook?token=s3cret"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self.held is not None:
            self.held.set()
            await asyncio.sleep(0.01)
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        taken = Taken(request.path, {name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.seen.append(taken)
        if self.held is not None:
            await self.held.wait()
        if self.hang_up:
            self.hang_up -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.status < 300:
            self.taken.append(taken)
        return web.Response(status=self.status, text=self.answer, headers=self.headers)
