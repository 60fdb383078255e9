"""What an alert says to people."""

from __future__ import annotations

from ohmstead.core.notice import Notice
from ohmstead.plugins.rules.alerts.alert import Alert, Step
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import ERROR, OFFLINE, STORM, SYSTEM
from ohmstead.plugins.rules.compare import Comparison, shown

OWN = (SYSTEM, STORM)
PREFIX = {"triggered": "", "repeated": "Still: ", "escalated": "Escalated: ", "resolved": "Resolved: "}


def title(fact: Fact, name: str) -> str:
    """One line: the rule's own name where it has one."""
    if fact.title is not None:
        return fact.title
    stated = fact.rule.options.get("name")
    if stated:
        return f"{stated}: {name}"
    if fact.rule.kind in (OFFLINE, ERROR):
        return f"{name} is {'offline' if fact.rule.kind == OFFLINE else 'in error'}"
    return f"{name}: {_quantity(fact)} {threshold(fact.rule.comparison, fact.unit)}"


def message(fact: Fact, name: str) -> str:
    """A sentence with the value, what it was compared with and for how long."""
    if fact.message is not None:
        return fact.message
    text = f"{name}: {_quantity(fact)} is {measured(fact.value, fact.unit)}, {threshold(fact.rule.comparison, fact.unit)}"
    if fact.rule.for_ms:
        text += f" for {span(fact.rule.for_ms)}"
    description = fact.rule.options.get("description")
    return f"{text}. {description}" if description else f"{text}."


def threshold(comparison: Comparison | None, unit: str) -> str:
    """`above 50 °C`."""
    return "" if comparison is None else f"{comparison} {unit}".rstrip()


def measured(value: float | str | None, unit: str) -> str:
    """`53.2 °C`."""
    return "unknown" if value is None else f"{shown(value)} {unit}".rstrip()


def span(ms: int) -> str:
    """`30 s`, `15 min`, `2 h`."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= size and ms % size == 0:
            return f"{ms // size} {unit}"
    return f"{ms / 1000:g} s"


def notice(step: Step) -> Notice:
    """What people are told of a step in the life of an alert."""
    alert, tell = step.alert, step.tell or ""
    facts = {"value": measured(alert.value, alert.unit) if alert.value is not None else None, "threshold": alert.threshold,
             "device": alert.device, "expected cost per day": cost(alert), "assignee": alert.assignee}  # fmt: skip
    return Notice(
        kind="offline" if alert.kind == OFFLINE else "system" if alert.kind in OWN else "alert",
        title=PREFIX[tell] + alert.title, body=alert.message, severity=alert.severity, recipients=step.to,
        key=f"alert:{alert.id}:{tell}:{alert.told_ms if tell != 'resolved' else alert.resolved_ms}",
        facts={name: text for name, text in facts.items() if text is not None}, link=f"/alerts/{alert.id}",
    )  # fmt: skip


def cost(alert: Alert) -> str | None:
    """`0.35 EUR`."""
    return None if alert.cost_per_day is None else f"{alert.cost_per_day} {alert.currency}"


def _quantity(fact: Fact) -> str:
    return (fact.quantity or fact.rule.kind).replace("_", " ")
