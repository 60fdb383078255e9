"""Reads the body of a request: bounded, with a time limit, and unpacked where the sender packed it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, TooLarge

CHUNK_WAIT_S = 20.0  # how long a sender may pause within a body
PIECE = 256 * 1024  # most bytes unpacked at a time
THREAD_FROM = 64 * 1024  # packed bytes from which unpacking would hold up the loop
GZIP = 16 + zlib.MAX_WBITS


async def read(request: BaseRequest, limit: int, clock: Clock) -> bytes:
    """The whole body, unpacked, of at most `limit` bytes either way. TooLarge or Invalid."""
    await _welcome(request, limit)
    packed = _is_packed(request)
    chunks: list[bytes] = []
    size = 0
    while chunk := await _next(request, clock):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if not packed:
        return raw
    return await asyncio.to_thread(unpack, raw, limit) if size > THREAD_FROM else unpack(raw, limit)


async def stream(request: BaseRequest, limit: int, clock: Clock) -> AsyncIterator[bytes]:
    """The body in pieces, unpacked, of at most `limit` bytes in all. TooLarge or Invalid."""
    await _welcome(request, limit)
    unpacker = Unpacker(limit) if _is_packed(request) else None
    size = 0
    while chunk := await _next(request, clock):
        if unpacker is None:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk
            continue
        for piece in unpacker.feed(chunk):
            yield piece
    if unpacker is not None:
        unpacker.end()


async def _next(request: BaseRequest, clock: Clock) -> bytes:
    """What has arrived of the body; nothing at its end."""
    payload = request.content
    try:
        while not payload.at_eof():
            chunk = payload.read_nowait()  # what is here already costs no timer and no task
            if not chunk:
                chunk = await clock.timeout(payload.readany(), CHUNK_WAIT_S)
            if chunk:
                return chunk
    except TimeoutError:
        raise Invalid(f"the body stopped for {CHUNK_WAIT_S:g} s before its end") from None
    except (RequestPayloadError, HttpProcessingError) as error:
        raise Invalid("the body ended before it was complete") from error
    return b""


async def _welcome(request: BaseRequest, limit: int) -> None:
    """Refuse what is announced too large before it is sent, and tell those who ask first to go on."""
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _is_packed(request: BaseRequest) -> bool:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return False
    if encoding in ("gzip", "x-gzip"):
        return True
    raise Invalid(f"Content-Encoding {encoding[:40]!r} is unknown; expected gzip or none")


def unpack(raw: bytes, limit: int) -> bytes:
    """The content of gzip data, of at most `limit` bytes. Invalid when it is broken or cut short, TooLarge."""
    unpacker = Unpacker(limit)
    content = b"".join(unpacker.feed(raw))
    unpacker.end()
    return content


class Unpacker:
    """Unpacks gzip piece by piece, so that a few bytes never become gigabytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._inflate = zlib.decompressobj(GZIP)

    def feed(self, packed: bytes) -> list[bytes]:
        """The pieces that are complete with these bytes."""
        pieces = []
        while packed:
            if self._inflate.eof:  # a file of several members
                self._inflate = zlib.decompressobj(GZIP)
            try:
                piece = self._inflate.decompress(packed, PIECE)
            except zlib.error as error:
                raise Invalid(f"the gzip data is broken: {error}") from None
            self._size += len(piece)
            if self._size > self._limit:
                raise _too_large(self._limit)
            pieces.append(piece)
            packed = self._inflate.unconsumed_tail or self._inflate.unused_data
        return pieces

    def end(self) -> None:
        """There is no more; Invalid when something is missing."""
        if not self._inflate.eof:
            raise Invalid("the gzip data is cut short")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit:,} bytes")
