"""The socket end of aiohttp, with our own answer to what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse
from aiohttp.web_server import Server

from ohmstead.web.app import App

KEEP_ALIVE_S = 75.0  # an idle connection, or one that sends no request
LINGER_S = 5.0  # how long the rest of a refused body is taken, so that its sender reads our answer
READ_AHEAD = 256 * 1024  # bytes of a body before its sender must wait

Failed = Callable[[BaseRequest, int, BaseException | None], Response]


class Connection(RequestHandler):
    """One connection. aiohttp would log every malformed request with a traceback and answer in plain text."""

    __slots__ = ("_failed",)

    def __init__(self, failed: Failed, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._failed = failed

    def connection_lost(self, exc: BaseException | None) -> None:
        """Also stop taking the rest of a refused body: aiohttp would wait for it, and nobody will send it."""
        task = None if self._request_in_progress else self._task_handler
        super().connection_lost(exc)
        if task is not None:
            task.cancel()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """The response to a bug in a handler or to what is no HTTP; ConnectionError when an answer was begun already."""
        response = self._failed(request, status, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        return response


class Listener(Server):
    """Makes the connections."""

    def __init__(self, app: App) -> None:
        super().__init__(app.handle)
        self._app = app

    def __call__(self) -> RequestHandler:
        return Connection(
            self._app.failed, self, loop=self._loop, access_log=None, auto_decompress=False, keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S, read_bufsize=READ_AHEAD,
        )  # fmt: skip
