"""What the sender tells the house."""

from __future__ import annotations

from ohmstead.core.events import Event


class NotificationSent(Event, frozen=True):
    """A message was taken by the other side; `notices` are collected in it."""

    message: str
    channel: str
    recipient: str
    kind: str
    severity: str
    notices: int
    at_ms: int


class NotificationFailed(Event, frozen=True):
    """A message will not arrive: `status` is failed (tried often enough) or bounced (refused for good)."""

    message: str
    channel: str
    recipient: str
    status: str
    answer: str
    at_ms: int
