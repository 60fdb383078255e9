"""Messages as an async iterator, for an integration on whichever loop it runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from ohmstead.plugins.protocols.mqtt.message import Message

SIZE = 1000  # messages at QoS 0 that may wait; those at QoS 1 and 2 are bounded by what the broker has out


class Inbox:
    """Filled at home, emptied wherever it was made. At QoS 0, what comes while it is full is dropped and counted."""

    def __init__(self) -> None:
        self._here = self.home = asyncio.get_running_loop()
        self._waiting: deque[Message] = deque()
        self._filled = asyncio.Event()
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Take one in; called at home."""
        if message.qos == 0 and len(self._waiting) >= SIZE:
            self.dropped += 1
            return
        self._waiting.append(message)
        if self.home is self._here:
            self._filled.set()
        else:
            self._here.call_soon_threadsafe(self._filled.set)

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            self._filled.clear()
            while self._waiting:
                message = self._waiting.popleft()
                yield message if self.home is self._here else self._abroad(message)
            await self._filled.wait()

    def _abroad(self, message: Message) -> Message:
        return _Abroad(message, self.home.call_soon_threadsafe)

    def rest(self) -> list[Message]:
        """What nobody took."""
        return list(self._waiting)


class _Abroad(Message):
    """A message on another loop, whose acknowledgement goes home."""

    __slots__ = ("_carry", "_original")

    def __init__(self, original: Message, carry: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(original.topic, original.payload, original.qos, original.retain)
        self._original, self._carry = original, carry

    def ack(self) -> None:
        self._carry(self._original.ack)
