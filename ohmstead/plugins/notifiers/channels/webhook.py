"""Webhooks: JSON to an http(s) address, with an idempotency key, and signed when a secret is set."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.plugins.protocols.http import Http


class Webhook:
    """The channel. With `secret` every body is signed: `X-Ohmstead-Signature: sha256=…`, HMAC in hexadecimal."""

    def __init__(self, http: Http) -> None:
        self.secret: str | None = None
        self._http = http

    def channel(self) -> Channel:
        """As it is declared."""
        return Channel("webhook", ("http", "https"), self.send, "JSON to any address")

    async def send(self, message: Message, address: str) -> str:
        """POST it; any 2xx takes it. Unavailable, Refused, Unsupported (every other 4xx, redirects)."""
        raw = msgspec.json.encode(_payload(message))
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
        if self.secret is not None:
            headers["X-Ohmstead-Signature"] = "sha256=" + hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        answer = await self._http.post(address, raw, headers=headers)
        return " ".join(answer[:200].decode("utf-8", "replace").split())


def _payload(message: Message) -> dict[str, Any]:
    files = [
        {"name": each.name, "content_type": each.content_type, "content": base64.b64encode(each.content).decode()}
        for each in message.attachments
    ]
    return {
        "id": message.id, "kind": message.kind, "severity": message.severity, "title": message.title, "body": message.body,
        "at": iso(message.at_ms), "facts": dict(message.facts), "link": message.link, "notices": message.notices,
        "attempt": message.attempt, "repeated": message.repeated, "attachments": files,
    }  # fmt: skip
