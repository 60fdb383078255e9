"""One alert, and how it may move: pure. Each step takes an alert as it is and gives what it becomes, with a line of history.

triggered → acknowledged → resolved; on the way it may be snoozed, or suppressed under another that explains it. It is
open until it is resolved, and nothing moves it afterwards.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict
from ohmstead.plugins.people import address
from ohmstead.plugins.rules.alerts.rule import Level
from ohmstead.plugins.rules.compare import Value

replace = msgspec.structs.replace


class Status(StrEnum):
    """Where an alert stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert. `triggered_ms` is an instant of readings, all other times are of the hub's clock.

    `due_ms`: when something is to be done about it by itself. `group`: the alert under which it is suppressed. `level`:
    how many steps of the escalation were taken. `told`: whether anybody was told of it. `cost_per_day` is a decimal
    text in `currency`.
    """

    id: int = 0
    rule: str
    subject: str
    kind: str
    status: Status = Status.TRIGGERED
    severity: str
    title: str
    message: str
    device: str | None = None
    quantity: str | None = None
    unit: str = ""
    value: Value | None = None
    threshold: str | None = None
    triggered_ms: int
    opened_ms: int
    due_ms: int | None = None
    group: int | None = None
    assignee: str | None = None
    acknowledged_ms: int | None = None
    acknowledged_by: str | None = None
    snoozed_until_ms: int | None = None
    resolved_ms: int | None = None
    resolved_by: str | None = None  # None: by itself
    level: int = 0
    told: bool = False
    told_ms: int | None = None
    notify: tuple[str, ...] = ()
    escalation: tuple[Level, ...] = ()
    repeat_ms: int | None = None
    cost_per_day: str | None = None
    currency: str | None = None

    @property
    def open_key(self) -> str | None:
        """What no two open alerts share; None once resolved."""
        return None if self.status is Status.RESOLVED else key(self.rule, self.subject)

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.status is not Status.RESOLVED


class Step(msgspec.Struct, frozen=True):
    """What an alert became, the line of history that says why, and whether people are to be told: `tell` says of what."""

    alert: Alert
    what: str
    who: str | None = None
    text: str | None = None
    tell: str | None = None  # triggered, repeated, escalated, resolved
    to: tuple[str, ...] = ()


def key(rule: str, subject: str) -> str:
    """What no two open alerts share."""
    return f"{rule}|{subject}"


def triggered(alert: Alert, now_ms: int) -> Step:
    """A new one that people are told of."""
    told = replace(alert, told=True, told_ms=now_ms)
    return Step(replace(told, due_ms=due_ms(told)), "triggered", text=alert.message, tell="triggered", to=alert.notify)


def suppressed(alert: Alert, group: int | None, why: str, due: int | None = None) -> Step:
    """One that another explains: nobody is told of it. `due` is when that is looked at again."""
    return Step(replace(alert, status=Status.SUPPRESSED, group=group, due_ms=due), "suppressed", text=why)


def freed(alert: Alert, now_ms: int, tell: bool = True) -> Step:
    """What explained a suppressed one is over, and it is still so."""
    told_ms = now_ms if tell else alert.told_ms
    free = replace(alert, status=Status.TRIGGERED, group=None, told=alert.told or tell, told_ms=told_ms)
    what = "triggered" if tell else None
    return Step(replace(free, due_ms=due_ms(free)), "triggered", text="no longer suppressed", tell=what, to=alert.notify)


def acknowledged(alert: Alert, who: str, now_ms: int, text: str | None = None) -> Step:
    """Somebody takes care of it: no repeating, no escalating. Conflict when it is resolved, or acknowledged already."""
    _open(alert)
    if alert.status is Status.ACKNOWLEDGED:
        raise Conflict(f"alert {alert.id} was acknowledged by {alert.acknowledged_by} already")
    by = {"acknowledged_ms": now_ms, "acknowledged_by": who}
    done = replace(alert, status=Status.ACKNOWLEDGED, group=None, due_ms=None, snoozed_until_ms=None, **by)
    return Step(done, "acknowledged", who, text)


def snoozed(alert: Alert, until_ms: int, who: str, text: str | None = None) -> Step:
    """Silent until then; if it is still open then, people are told again. Conflict when it is resolved."""
    _open(alert)
    quiet = replace(alert, status=Status.SNOOZED, snoozed_until_ms=until_ms, due_ms=until_ms, group=None)
    return Step(quiet, "snoozed", who, text or f"until {iso(until_ms)}")


def assigned(alert: Alert, assignee: str | None, who: str) -> Step:
    """Somebody is to take care of it; None: nobody any more. Conflict when it is resolved."""
    _open(alert)
    return Step(replace(alert, assignee=assignee), "assigned", who, assignee or "nobody")


def resolved(alert: Alert, now_ms: int, who: str | None = None, text: str | None = None, value: Value | None = None) -> Step:
    """It is over: by itself, or because somebody (`who`) says so. Conflict when it is already."""
    _open(alert)
    done = replace(
        alert, status=Status.RESOLVED, resolved_ms=now_ms, resolved_by=who, due_ms=None, group=None, snoozed_until_ms=None,
        value=alert.value if value is None else value,
    )  # fmt: skip
    tell = "resolved" if alert.told and who is None and alert.status is not Status.SNOOZED else None
    return Step(done, "resolved", who, text, tell, alert.notify)


def due(alert: Alert, now_ms: int) -> Step | None:
    """What is to be done about one whose `due_ms` has come: end its snooze, escalate it, or tell people again."""
    if alert.status is Status.SNOOZED:
        awake = replace(alert, status=Status.TRIGGERED, snoozed_until_ms=None, told=True, told_ms=now_ms)
        return Step(replace(awake, due_ms=due_ms(awake)), "triggered", text="the snooze is over", tell="triggered", to=alert.notify)
    if alert.status is not Status.TRIGGERED:
        return None
    if alert.level < len(alert.escalation) and now_ms >= alert.opened_ms + alert.escalation[alert.level].after_ms:
        return _escalated(alert, alert.escalation[alert.level], now_ms)
    again = replace(alert, told_ms=now_ms, told=True)
    return Step(replace(again, due_ms=due_ms(again)), "repeated", tell="repeated", to=alert.notify)


def due_ms(alert: Alert) -> int | None:
    """When a triggered one escalates or is repeated next."""
    escalates = alert.opened_ms + alert.escalation[alert.level].after_ms if alert.level < len(alert.escalation) else None
    repeats = None if alert.repeat_ms is None else (alert.told_ms or alert.opened_ms) + alert.repeat_ms
    return min((each for each in (escalates, repeats) if each is not None), default=None)


def _escalated(alert: Alert, level: Level, now_ms: int) -> Step:
    to = level.notify or alert.notify
    everybody = (*alert.notify, *(each for each in to if each not in alert.notify))
    risen = replace(
        alert, level=alert.level + 1, severity=level.severity or alert.severity, told=True, told_ms=now_ms, notify=everybody
    )
    text = f"level {risen.level}" + (f": {', '.join(address.shown(each) for each in level.notify)}" if level.notify else "")
    return Step(replace(risen, due_ms=due_ms(risen)), "escalated", text=text, tell="escalated", to=to)


def _open(alert: Alert) -> None:
    if alert.status is Status.RESOLVED:
        raise Conflict(f"alert {alert.id} is resolved already")


def shown(alert: Alert) -> dict[str, Any]:
    """An alert for the API and the live socket."""
    times = ("triggered", "opened", "acknowledged", "snoozed_until", "resolved")
    plain = ("id", "rule", "subject", "kind", "severity", "title", "message", "device", "quantity", "unit", "value", "threshold", "group",
             "assignee", "acknowledged_by", "resolved_by", "level", "cost_per_day", "currency")  # fmt: skip
    found = {name: getattr(alert, name) for name in plain}
    stamps = {name: None if (at := getattr(alert, f"{name}_ms")) is None else iso(at) for name in times}
    return {**found, "status": alert.status.value, **stamps}
