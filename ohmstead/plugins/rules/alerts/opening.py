"""How a fact becomes an alert: when it may, what it says, and what may explain it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.plugins.rules.alerts import alert as life
from ohmstead.plugins.rules.alerts import wording
from ohmstead.plugins.rules.alerts.alert import Alert, Status, Step, key
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import OFFLINE, STORM
from ohmstead.plugins.rules.alerts.setting import Setting
from ohmstead.plugins.rules.alerts.storm import SUBJECT, Storm

GATHER_S = 10.0  # how long a silent device behind a gateway waits for its gateway to fall silent too
FREE_MS = 120_000  # how long devices behind a gateway that is back have to be back themselves


class Opening:
    """Looks at the alerts that are open, by open key; moves none of them."""

    def __init__(self, open_alerts: Mapping[str, Alert], setting: Setting, clock: Clock) -> None:
        self._open, self._setting, self._clock = open_alerts, setting, clock
        self.storm = Storm()

    def wait_s(self, fact: Fact, last_ms: int | None) -> float:
        """For how long a fact must still hold before it becomes an alert: schedule, cooldown, and a gateway that may follow."""
        rule, last_ms = fact.rule, None if fact.gathered else last_ms
        wait_s = (rule.fires_ms(fact.at_ms, last_ms, self._setting.zone(fact.device)) - fact.at_ms) / 1000
        if rule.kind != OFFLINE or fact.gathered or next(self._setting.gateways(fact.device), None) is None:
            return wait_s
        return max(wait_s, 0.0 if self._setting.dead_gateway(fact.device) is not None else GATHER_S)

    def step(self, fact: Fact) -> Step:
        """The first step of the alert: triggered, or suppressed under what explains it."""
        alert, now_ms = self._alert(fact), self._clock.now_ms()
        gateway = self._setting.dead_gateway(fact.device) if alert.kind == OFFLINE else None
        if gateway is not None:
            return self.behind(alert, gateway)
        if alert.kind not in wording.OWN and self.storm.folds(self._clock.monotonic()):
            return life.suppressed(alert, self.of_storm(), "one of too many at once")
        return life.triggered(alert, now_ms)

    def again(self, alert: Alert) -> Step | None:
        """What is to be done about one whose time has come; a step that says nothing only looks again later."""
        now_ms = self._clock.now_ms()
        gateway = self._setting.dead_gateway(alert.device) if alert.kind == OFFLINE else None
        if gateway is None or alert.status not in (Status.TRIGGERED, Status.SUPPRESSED):
            return life.freed(alert, now_ms) if alert.status is Status.SUPPRESSED else life.due(alert, max(now_ms, alert.due_ms or 0))
        hidden = self.behind(alert, gateway)
        return hidden if alert.status is Status.TRIGGERED else msgspec.structs.replace(hidden, what="")

    def behind(self, alert: Alert, gateway: str) -> Step:
        """Suppressed under the alert of its gateway."""
        group = next((each.id for each in self._open.values() if each.kind == OFFLINE and each.device == gateway), None)
        return life.suppressed(alert, group, f"behind {gateway}, which is not there", self._clock.now_ms() + FREE_MS)

    def of_storm(self) -> int | None:
        """The alert that says there are too many."""
        found = self._open.get(key(STORM, SUBJECT))
        return None if found is None else found.id

    def _alert(self, fact: Fact) -> Alert:
        rule, name = fact.rule, fact.name or self._setting.name(fact.device)
        message = wording.message(fact, name)
        if rule.kind == OFFLINE and fact.device is not None and (behind := self._setting.behind(fact.device)):
            message += f" {behind} device{'s' if behind > 1 else ''} behind it cannot be heard."
        watts = fact.value if fact.quantity == "power" else None
        cost, currency = self._setting.cost_per_day(fact.device, watts) or (None, None)
        return Alert(
            rule=rule.id, subject=fact.subject, kind=rule.kind, severity=fact.severity or rule.severity, title=wording.title(fact, name),
            message=message, device=fact.device, quantity=fact.quantity, unit=fact.unit, value=fact.value,
            threshold=wording.threshold(rule.comparison, fact.unit) or None, triggered_ms=fact.at_ms, opened_ms=self._clock.now_ms(),
            notify=rule.notify, escalation=rule.escalation, repeat_ms=rule.repeat_ms, cost_per_day=cost, currency=currency,
        )  # fmt: skip
