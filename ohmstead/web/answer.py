"""Turns what a handler gave into an HTTP response: JSON or its own type, packed, and not sent when nothing changed."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.web_response import Response, StreamResponse

from ohmstead.core.clock import Clock
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.route import Reply
from ohmstead.web import envelope
from ohmstead.web.envelope import Failure
from ohmstead.web.exchange import Exchange

JSON = "application/json"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
ALWAYS = {
    "Server": "Ohmstead",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
PACK_FROM = 1024  # bytes
THREAD_FROM = 64 * 1024  # bytes from which packing would hold up the loop
WRITE_WAIT_S = 60.0  # how long a reader of a stream may take no data


class Answers:
    """Makes responses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def of(self, exchange: Exchange, result: Any, fields: str | None = None) -> StreamResponse:
        """The response to what a handler returned."""
        assert exchange.operation is not None
        route = exchange.operation.route
        reply = result if isinstance(result, Reply) else Reply(result, status=route.status)
        if reply.stream is not None:
            return await self._stream(exchange, aiter(reply.stream), reply)
        if not route.envelope or _is_raw(reply):
            return await self._finish(exchange, reply, *_bare(reply))
        data = b"null" if reply.data is None else envelope.encode(reply.data, fields)
        if reply.status >= 400:
            failed = envelope.failure_of_status(reply.status)
            return _response(exchange, reply, envelope.failure(failed, exchange.id, self._clock.now_ms(), data), JSON)
        tag = envelope.etag(data, (reply.next_cursor or "").encode()) if route.method == "GET" else None
        body = envelope.success(data, exchange.id, self._clock.now_ms(), reply.next_cursor)
        return await self._finish(exchange, reply, body, JSON, tag)

    async def _finish(self, exchange: Exchange, reply: Reply, body: bytes, content_type: str, tag: str | None = None) -> Response:
        assert exchange.operation is not None
        headers: dict[str, str] = {}
        if exchange.operation.route.method == "GET" and reply.status == 200:
            tag = tag or envelope.etag(body)
            headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
            if tag in exchange.request.headers.get("If-None-Match", ""):
                return _response(exchange, Reply(status=304, headers=reply.headers), b"", None, headers)
        if len(body) >= PACK_FROM and _packable(content_type):
            headers["Vary"] = "Accept-Encoding"
            if _takes_gzip(exchange):
                headers["Content-Encoding"] = "gzip"
                body = await asyncio.to_thread(_pack, body) if len(body) > THREAD_FROM else _pack(body)
        return _response(exchange, reply, body, content_type, headers)

    async def _stream(self, exchange: Exchange, pieces: AsyncIterator[bytes], reply: Reply) -> StreamResponse:
        """Send piece by piece. What fails before the first is a plain error; later the connection breaks off."""
        response = StreamResponse(status=reply.status, headers=_headers(exchange, reply.headers, {}))
        response.content_type = reply.content_type or "application/octet-stream"
        async with _closing(pieces):
            piece = await anext(pieces, b"")
            await response.prepare(exchange.request)
            while piece and exchange.request.method != "HEAD":
                try:
                    await self._clock.timeout(response.write(piece), WRITE_WAIT_S)
                except ConnectionError:
                    return response  # who asked went away, which is no failure here
                piece = await anext(pieces, b"")
        await response.write_eof()
        return response

    def refusal(self, exchange: Exchange, error: OhmsteadError) -> Response:
        """The response to an error, in the client's own protocol where the route has one."""
        failed = envelope.failure_of(error)
        route = exchange.operation.route if exchange.operation else None
        if route is not None and route.on_error is not None:
            reply = route.on_error(error)
            body, content_type = _bare(reply)
            return _response(exchange, reply, body, content_type, failed.headers)
        return self.failure(exchange, failed)

    def failure(self, exchange: Exchange, failed: Failure) -> Response:
        """The response to a failure, in the envelope."""
        body = envelope.failure(failed, exchange.id, self._clock.now_ms())
        return _response(exchange, Reply(status=failed.status), body, JSON, failed.headers)


@asynccontextmanager
async def _closing(pieces: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Tell the source of a stream when nobody wants more of it."""
    try:
        yield
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _is_raw(reply: Reply) -> bool:
    return reply.content_type is not None and isinstance(reply.data, bytes | str)


def _bare(reply: Reply) -> tuple[bytes, str]:
    """Body and type of what goes without an envelope."""
    match reply.data:
        case None:
            return b"", reply.content_type or "text/plain"
        case bytes():
            return reply.data, reply.content_type or "application/octet-stream"
        case str():
            return reply.data.encode(), reply.content_type or "text/plain; charset=utf-8"
        case _:
            return envelope.encode(reply.data), reply.content_type or JSON


def _response(exchange: Exchange, reply: Reply, body: bytes, content_type: str | None, more: Mapping[str, str] | None = None) -> Response:
    headers = _headers(exchange, reply.headers, more or {})
    if reply.status in (204, 304):
        return Response(status=reply.status, headers=headers)
    if content_type:
        headers["Content-Type"] = content_type
    return Response(body=body, status=reply.status, headers=headers)


def _headers(exchange: Exchange, own: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """All headers; in a handler's own, which may quote what the caller sent, nothing can end the line."""
    return {**ALWAYS, "X-Request-ID": exchange.id, **more, **{name: _CONTROL.sub(" ", value) for name, value in own.items()}}


def _packable(content_type: str) -> bool:
    return content_type.startswith("text/") or "json" in content_type or "javascript" in content_type or "svg" in content_type


def _takes_gzip(exchange: Exchange) -> bool:
    accepted = exchange.request.headers.get("Accept-Encoding", "").replace(" ", "").lower()
    return "gzip" in accepted and "gzip;q=0" not in accepted.replace("gzip;q=0.", "")


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=5, mtime=0)
