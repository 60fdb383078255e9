"""Messages inside the app: rows to read, and news on the live socket."""

from __future__ import annotations

from typing import Any

from ohmstead.core.bus import Bus
from ohmstead.core.clock import iso
from ohmstead.core.events import Announced
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.plugins.notifiers.inbox import Inbox

SCHEME = "app"
ADDRESS = f"{SCHEME}://"
KIND = "NOTIFICATION"


class App:
    """The channel. It delivers exactly once: a message that is there already is not put there again."""

    def __init__(self, inbox: Inbox, bus: Bus) -> None:
        self._inbox, self._bus = inbox, bus

    def channel(self) -> Channel:
        """As it is declared."""
        return Channel("app", (SCHEME,), self.send, "messages in the app")

    async def send(self, message: Message, address: str) -> str:
        """Keep it, and tell the live socket. Unavailable."""
        if await self._inbox.put(message):
            self._bus.publish(Announced(KIND, message.id, "", _payload(message)))
        return "kept"


def _payload(message: Message) -> dict[str, Any]:
    return {
        "id": message.id, "person": message.person, "kind": message.kind, "severity": message.severity, "title": message.title,
        "body": message.body, "facts": dict(message.facts), "link": message.link, "at": iso(message.at_ms),
    }  # fmt: skip
