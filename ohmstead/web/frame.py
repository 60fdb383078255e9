"""WebSocket frames as a server sends them (RFC 6455): made once and written to many sockets as they are."""

from __future__ import annotations

PING = b"\x89\x00"


def text(payload: bytes) -> bytes:
    """One whole text frame."""
    return _header(0x81, len(payload)) + payload


def pong(payload: bytes) -> bytes:
    """The answer to a ping, with what the ping held."""
    return _header(0x8A, len(payload)) + payload


def close(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what fits."""
    payload = code.to_bytes(2, "big") + reason.encode()[:120]
    return _header(0x88, len(payload)) + payload


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
