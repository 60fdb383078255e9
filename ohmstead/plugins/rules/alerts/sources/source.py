"""What all sources share: gates by rule and subject, each turn of which is a fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ohmstead.core.clock import iso
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.watch import Watches

FactOf = Callable[[Turn], Fact]


class Source(Protocol):
    """One way to watch."""

    def start(self, rule: Rule) -> None:
        """Watch for a rule from now on."""

    def stop(self, rule: Rule) -> None:
        """No longer."""

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What the rule says now of each of its subjects: subject, value, holds, and since when."""


class Gates:
    """The gates of one source."""

    def __init__(self, watches: Watches, alerts: Alerts) -> None:
        self._watches, self._alerts = watches, alerts
        self._by_rule: dict[str, dict[str, tuple[Gate, Callable[[], None]]]] = {}

    def add(self, rule: Rule, subject: str, comparison: Comparison, fact_of: FactOf, join: Callable[[Gate], Callable[[], None]]) -> Gate:
        """A gate that stands as it did before a restart; on where there is an open alert.

        `join` begins to feed it; what it returns ends that.
        """
        name = f"alert:{rule.id}:{subject}:{rule.stamp}"
        gate = self._watches.gate(name, comparison, lambda turn: self._alerts.hear(fact_of(turn)), rule.for_ms)
        alert = self._alerts.find(rule.id, subject)
        if alert is not None and not gate.on:
            gate.restore(alert.triggered_ms, True, alert.value if alert.value is not None else 0.0)
        self._by_rule.setdefault(rule.id, {})[subject] = gate, join(gate)
        return gate

    def drop(self, rule: str, subject: str) -> None:
        """End one."""
        gate, end = self._by_rule[rule].pop(subject)
        end()
        self._watches.drop(gate)

    def leave(self, rule: Rule, subject: str) -> None:
        """The rule is no longer about that: what is open of it is over."""
        self.drop(rule.id, subject)
        if (alert := self._alerts.find(rule.id, subject)) is not None:
            self._alerts.hear(Fact(rule, subject, False, alert.triggered_ms))

    def stop(self, rule: str) -> None:
        """End those of a rule."""
        for subject in list(self._by_rule.get(rule, ())):
            self.drop(rule, subject)
        self._by_rule.pop(rule, None)

    def follow(self, rule: Rule, subject: str, wanted: bool, add: Callable[[Rule, str], None]) -> None:
        """Begin or end one, as a rule is about it or not."""
        there = subject in self._by_rule.get(rule.id, {})
        if there and not wanted:
            self.leave(rule, subject)
        elif wanted and not there:
            add(rule, subject)

    def of(self, rule: str) -> Iterator[tuple[str, Gate]]:
        """The subjects of a rule and their gates."""
        for subject, (gate, _) in self._by_rule.get(rule, {}).items():
            yield subject, gate

    def says(self, rule: Rule, subject: str, gate: Gate, value: Any, at_ms: int | None, unit: str) -> dict[str, Any]:
        """What a rule says of a subject now, and why."""
        test = None if rule.comparison is None or value is None else rule.comparison.enters()(value)
        since, alert = gate.since_ms, self._alerts.find(rule.id, subject)
        return {
            "subject": subject, "value": value, "unit": unit, "at": None if at_ms is None else iso(at_ms), "meets": test,
            "holds": gate.on, "since": None if since is None else iso(since),
            "fires_at": iso(since + rule.for_ms) if gate.waiting and since is not None else None,
            "alert": None if alert is None else alert.id, "why": _why(rule, gate, value, unit, test),
        }  # fmt: skip


def _why(rule: Rule, gate: Gate, value: Any, unit: str, test: bool | None) -> str:
    if value is None:
        return "nothing is known of it yet"
    told = f"{value} {unit}".rstrip()
    if gate.on and not test:
        return f"{told} no longer meets it, but is not far enough back for it to be over"
    if gate.waiting:
        return f"{told} meets it, and not yet for {rule.for_ms / 1000:g} s"
    if test and not gate.on:
        return f"{told} meets it; it fires with the next reading"
    return f"{told} {'meets it' if gate.on else 'does not meet it'}"
