"""A price market on 127.0.0.1: answers what a test gives it, remembers what it was asked, and can be busy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Any]


class Market:
    """`answer` gives JSON, bytes, or None for 204; it may be replaced at any time."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, str]] = []
        self.fail_with: int | None = None
        self.headers: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Market:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked.append({"path": request.path, **request.query})
        self.headers.append(dict(request.headers))
        if self.fail_with is not None:
            return web.Response(status=self.fail_with, text="slow down", headers={"Retry-After": "17"})
        answer = self.answer(request)
        if answer is None:
            return web.Response(status=204)
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer)
