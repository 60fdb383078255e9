"""What the rules say on the bus."""

from __future__ import annotations

from ohmstead.core.events import Event


class AlertStep(Event, frozen=True):
    """A step in the life of an alert, after its commit. `who` is None where the house took it; `text` says it to people."""

    alert: int
    rule: str
    subject: str
    device: str | None
    severity: str
    title: str
    who: str | None
    text: str | None


class AlertTriggered(AlertStep, frozen=True):
    """It began, or came back after a snooze or from under another."""


class AlertAcknowledged(AlertStep, frozen=True):
    """Somebody takes care of it."""


class AlertResolved(AlertStep, frozen=True):
    """It is over: by itself, or because somebody says so."""


class AlertSuppressed(AlertStep, frozen=True):
    """Another alert explains it, so nobody was told."""


class AlertSnoozed(AlertStep, frozen=True):
    """Somebody silenced it for a while."""


class AlertEscalated(AlertStep, frozen=True):
    """Nobody acknowledged it, so others were told."""


class AlertRepeated(AlertStep, frozen=True):
    """Nobody acknowledged it, so people were told again."""


class AlertAssigned(AlertStep, frozen=True):
    """Somebody is to take care of it."""


class AlertCommented(AlertStep, frozen=True):
    """Somebody said something about it."""
