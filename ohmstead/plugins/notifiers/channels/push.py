"""Web push: messages to browsers that subscribed, encrypted for them (RFC 8291) and signed with the house's own key (RFC 8292)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Unsupported
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.plugins.protocols.http import Gone, Http

SCHEME = "push"
KEPT_S = 86_400  # how long the push service keeps it for a browser that is away
PROOF_S = 12 * 3600  # how long a signature is good; at most 24 h
URGENCY = {"low": "low", "medium": "normal", "high": "high", "critical": "high"}
BODY = 2_000  # characters: a push service takes 4,096 bytes in all, encrypted
MISSING = 'web push needs an extra: pip install "ohmstead[push]"'

Find = Callable[[str], Awaitable[str | None]]
Forget = Callable[[str], Awaitable[None]]


class Push:
    """The channel. An address is `push://` and the id of a subscription; `find` gives that, `forget` deletes it."""

    def __init__(self, http: Http, clock: Clock, key_file: Path, find: Find, forget: Forget) -> None:
        self.contact = "mailto:owner@localhost.localdomain"
        self._http, self._clock, self._key_file, self._find, self._forget = http, clock, key_file, find, forget

    def channel(self) -> Channel:
        """As it is declared."""
        return Channel("push", (SCHEME,), self.send, "browsers that subscribed")

    def public_key(self) -> str:
        """What a browser subscribes with (`applicationServerKey`); the key is made when there is none. Unsupported."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from py_vapid import b64urlencode  # type: ignore[import-untyped]

        point = self._vapid().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return str(b64urlencode(point))

    async def send(self, message: Message, address: str) -> str:
        """Encrypt and send. Unavailable, Refused, Unsupported; a subscription that is gone is forgotten."""
        id_ = address.removeprefix(f"{SCHEME}://")
        found = await self._find(id_)
        if found is None:
            raise Unsupported("the browser is not subscribed any more")
        subscription = msgspec.json.decode(found)
        raw, headers = await asyncio.to_thread(self._sealed, message, subscription)
        try:
            await self._http.post(subscription["endpoint"], raw, headers=headers)
        except Gone:
            await self._forget(id_)
            raise Unsupported("the browser is not subscribed any more") from None
        return "the push service took it"

    def _sealed(self, message: Message, subscription: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        vapid = self._vapid()
        from pywebpush import WebPusher  # type: ignore[import-untyped]

        where = urlsplit(subscription["endpoint"])
        claims = {"aud": f"{where.scheme}://{where.netloc}", "sub": self.contact, "exp": self._clock.now_ms() // 1000 + PROOF_S}
        body = WebPusher(subscription).encode(_payload(message), content_encoding="aes128gcm")["body"]
        topic = message.id[:32]  # of two with one topic the service keeps the newer: a repeat replaces what it repeats
        return body, {"TTL": str(KEPT_S), "Urgency": URGENCY[message.severity], "Topic": topic, "Content-Encoding": "aes128gcm",
                      "Content-Type": "application/octet-stream", **vapid.sign(claims)}  # fmt: skip

    def _vapid(self) -> Any:
        try:
            from py_vapid import Vapid02
        except ImportError:
            raise Unsupported(MISSING) from None
        if not self._key_file.exists():
            fresh = Vapid02()
            fresh.generate_keys()
            self._key_file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(fresh.private_pem())
        return Vapid02.from_file(str(self._key_file))


def _payload(message: Message) -> bytes:
    return msgspec.json.encode({
        "id": message.id, "title": message.title[:200], "body": message.body[:BODY].encode()[:BODY].decode("utf-8", "ignore"),
        "severity": message.severity, "kind": message.kind, "link": message.link, "at": iso(message.at_ms),
    })  # fmt: skip
