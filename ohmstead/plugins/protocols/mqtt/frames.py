"""The packets of the hot path as bytes: cutting the stream, reading PUBLISH, writing acknowledgements.

Source: MQTT 3.1.1 and 5.0, sections 2.1 (fixed header), 3.3 (PUBLISH), 3.4 to 3.7 (acknowledgements).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 0x30, 0x40, 0x50, 0x60, 0x70


class Malformed(ValueError):
    """The bytes are no MQTT."""


class Frames:
    """Cuts a stream of bytes into packets."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._need = 2  # bytes that must be there before looking again is worthwhile

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Each packet that is complete by now: its first byte, and what follows the length. Malformed ends it."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, end, self._need = 0, len(data), 2
        try:
            while end - at >= 2:
                length, body = _length(data, at + 1)
                if body < 0 or end - body < length:
                    self._need = 0 if body < 0 else body - at + length
                    break
                first, at = data[at], body + length
                yield first, data[body:at]
        finally:  # also when whoever takes the packets stumbles over one: the others must not be lost with it
            self._rest += data[at:]


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to four bytes and where it ends; -1 when it is not all there."""
    value, shift = 0, 0
    for place in range(at, min(at + 4, len(data))):
        value |= (data[place] & 0x7F) << shift
        if not data[place] & 0x80:
            return value, place + 1
        shift += 7
    if len(data) - at >= 4:
        raise Malformed("a length of more than four bytes")
    return 0, -1


class Publish(NamedTuple):
    """A message as it came; `mid` is its number on this connection, 0 at QoS 0."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    mid: int


def publish(first: int, body: bytes, v5: bool) -> Publish:
    """The PUBLISH in `body`; its MQTT 5 properties are skipped, for the hub asks for none. Malformed if it is none."""
    try:
        qos = first >> 1 & 3
        at = 2 + (body[0] << 8 | body[1])
        topic, mid = body[2:at], 0
        if qos:
            mid = body[at] << 8 | body[at + 1]
            at += 2
        if v5:
            if body[at]:
                length, at = _length(body, at)
                at += length
            else:
                at += 1
    except IndexError:
        raise Malformed("a message that ends too early") from None
    if qos == 3 or at > len(body) or bool(qos) != bool(mid):
        raise Malformed("a message with a wrong header")
    return Publish(topic, body[at:], qos, bool(first & 1), mid)


def acknowledgement(qos: int, mid: int) -> bytes:
    """What makes a message ours: PUBACK at QoS 1, PUBREC at QoS 2."""
    return bytes((PUBACK if qos == 1 else PUBREC, 2, mid >> 8, mid & 0xFF))


def complete(pubrel: bytes) -> bytes:
    """The PUBCOMP that answers a PUBREL, by its body."""
    if len(pubrel) < 2:
        raise Malformed("a PUBREL that ends too early")
    return bytes((PUBCOMP, 2, pubrel[0], pubrel[1]))
