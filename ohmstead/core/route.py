"""Routes are data: a handler takes a Call and returns plain data or a Reply, or raises. It never sees the web server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ohmstead.core.model import Person

ANYONE = "anyone"  # the scope of what needs no sign-in: /health and /ready, and the signed link that unsubscribes


class Call(msgspec.Struct):
    """One request: who asks, and what was validated. `stream` yields the raw chunks of a body too large to hold."""

    who: Person
    path: Mapping[str, str] = msgspec.field(default_factory=dict)
    query: Mapping[str, Any] = msgspec.field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)  # names in lower case
    raw: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    request_id: str = ""
    address: str = ""  # the IP address it came from


class Reply(msgspec.Struct, frozen=True):
    """An answer that is more than its data. `stream` sends chunks; `next_cursor` goes into the envelope's meta."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    content_type: str | None = None  # with bytes or str as data: sent as it is, without an envelope
    stream: AsyncIterator[bytes] | None = None
    next_cursor: str | None = None


Handler = Callable[[Call], Awaitable[Any]]


class Route(msgspec.Struct, frozen=True):
    """One operation of the API.

    `path` is below /api/v1 (`/devices/{id}`) unless `absolute`. `scope` names what the caller must be allowed:
    "read", "write", "admin", "ingest", or ANYONE. `body` is a voluptuous schema, a msgspec type, or None; with
    `takes="bytes"` the handler gets `call.raw`, with "stream" `call.stream`. `query` is a voluptuous schema (a dict).
    `envelope=False` is for foreign protocols, whose clients expect their own answers: errors are then given by
    `on_error(error) -> Reply` and the credentials are looked for by `sign_in` as well.
    """

    method: str
    path: str
    handler: Handler
    scope: str
    summary: str
    body: Any = None
    query: Mapping[Any, Any] | None = None
    takes: str = "json"
    absolute: bool = False
    envelope: bool = True
    status: int = 200
    max_body: int = 1_000_000
    on_error: Callable[[Exception], Reply] | None = None
    sign_in: Callable[[Call], str | None] | None = None  # the token in a foreign place; None: there is none
    answer: Any = None  # a voluptuous schema of the data, for the API document
    tags: tuple[str, ...] = ()
