"""A message from the broker, and giving its acknowledgement back in the order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ohmstead.plugins.protocols.mqtt.frames import acknowledgement

STRAGGLER_S = 5.0


class Message:
    """One message. Each of its receivers calls `ack` once, when what it made of the message is committed."""

    __slots__ = ("_acks", "_mid", "_waiting_for", "arrived", "done", "late", "payload", "qos", "retain", "topic")

    def __init__(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False, mid: int = 0, acks: Acks | None = None) -> None:
        self.topic, self.payload, self.qos, self.retain = topic, payload, qos, retain
        self.arrived = 0.0
        self.done = False
        self.late = False  # others no longer wait for it
        self._mid = mid
        self._acks = acks if qos else None
        self._waiting_for = 1

    def ack(self) -> None:
        """It is stored. Once all receivers said so the broker hears it, unless the connection it came over is gone."""
        self._waiting_for -= 1
        if self._waiting_for == 0 and self._acks is not None:
            self._acks.give(self)

    def share(self, receivers: int) -> None:
        """That many have to acknowledge it."""
        self._waiting_for = receivers

    @property
    def packet(self) -> bytes:
        """What the broker is told."""
        return acknowledgement(self.qos, self._mid)


class Acks:
    """The messages of one connection that the broker still waits for, oldest first.

    The order of arrival is kept, as MQTT asks, but nobody waits for a straggler for more than 5 s: one receiver that
    stands still must not hold up the whole house.
    """

    def __init__(self, send: Callable[[bytes], None], monotonic: Callable[[], float]) -> None:
        self._send, self._monotonic = send, monotonic
        self._order: deque[Message] = deque()
        self.late = 0
        self.given = 0

    def __len__(self) -> int:
        return len(self._order) + self.late

    def expect(self, message: Message) -> None:
        """It arrived and wants an acknowledgement."""
        message.arrived = self._monotonic()
        self._order.append(message)

    def give(self, message: Message) -> None:
        """Tell the broker of this message, after those before it."""
        message.done = True
        if message.late:
            self.late -= 1
            self._tell([message])
            return
        order = self._order
        if order and order[0] is not message and not order[0].done:
            self._leave_stragglers()
        ready = []
        while order and order[0].done:
            ready.append(order.popleft())
        self._tell(ready)

    def _leave_stragglers(self) -> None:
        since = self._monotonic() - STRAGGLER_S
        while self._order and not self._order[0].done and self._order[0].arrived < since:
            self._order.popleft().late = True
            self.late += 1

    def _tell(self, messages: list[Message]) -> None:
        if messages:
            self.given += len(messages)
            self._send(b"".join([message.packet for message in messages]))

    def close(self) -> None:
        """The connection is gone: what it delivered is delivered again over the next one."""
        self._send = _nobody
        self._order.clear()
        self.late = 0


def _nobody(packets: bytes) -> None:
    """There is no broker to tell."""
