"""One entry of the log, its canonical bytes, and the hash that ties it to the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

GENESIS = bytes(32)  # what the first entry of a chain follows
TEXT_LIMIT = 300  # characters of a text that a stranger chose
DATA_LIMIT = 8_000  # bytes of what an entry says


class Entry(msgspec.Struct, frozen=True):
    """Something that happened, before it has its place in the chain.

    `type` is such as "device.offline", `subject` the id of what it happened to, `device` the device it is about, `who`
    the id of whoever did it. `personal` (names, addresses) is kept beside the chain. `at_ms` None: now. `floods` says
    that a stranger can make many of these, so that they are counted and not written one by one.
    """

    type: str
    subject: str | None = None
    device: str | None = None
    who: str | None = None
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    personal: Mapping[str, Any] = msgspec.field(default_factory=dict)
    at_ms: int | None = None
    floods: bool = False


class Link(msgspec.Struct, frozen=True, array_like=True):
    """An entry in its place, as it is stored and hashed. `data` is JSON text; `personal` names what is kept beside."""

    number: int
    at_ms: int
    type: str
    subject: str | None
    device: str | None
    who: str | None
    data: str
    personal: str | None


def sealed(tenant_id: int, previous: bytes, link: Link) -> bytes:
    """The hash of an entry: SHA-256 of the hash before it and of the JSON list [tenant, number, at_ms, …, personal]."""
    return hashlib.sha256(previous + _ENCODER.encode([tenant_id, *msgspec.structs.astuple(link)])).digest()


def text_of(data: Mapping[str, Any]) -> str:
    """Data as the one text there is for them; what is longer than DATA_LIMIT is left out, and that is said."""
    text = _ENCODER.encode(_clean(data)).decode()
    return text if len(text) <= DATA_LIMIT else _ENCODER.encode({"left_out": f"{len(text)} characters"}).decode()


def clean(text: str | None) -> str | None:
    """A text that every engine takes, at most TEXT_LIMIT characters of it: PostgreSQL knows no NUL, none knows half a surrogate pair."""
    return None if text is None else text[:TEXT_LIMIT].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value


_ENCODER = msgspec.json.Encoder(order="deterministic")
