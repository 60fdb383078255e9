"""Rules on findings, and the hub's own troubles: what begins and ends by word, with nothing to compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import Clock
from ohmstead.core.events import SystemTrouble, SystemTroubleOver
from ohmstead.plugins.ledger.events import FindingClosed, FindingOpened
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import SYSTEM, Rule, own

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.points.points import MeterPoints

Subscribe = Callable[[Any, Callable[[Any], object]], object]


class Findings:
    """Each finding is a subject of the rules that look for its cause at its meter point."""

    def __init__(self, alerts: Alerts, points: MeterPoints, clock: Clock) -> None:
        self._alerts, self._points, self._clock = alerts, points, clock
        self._rules: dict[str, Rule] = {}

    def listen(self, subscribe: Subscribe) -> None:
        """Hear of findings."""
        subscribe(FindingOpened, self._opened)
        subscribe(FindingClosed, self._closed)

    def start(self, rule: Rule) -> None:
        """Watch for a rule."""
        self._rules[rule.id] = rule

    def stop(self, rule: Rule) -> None:
        """No longer."""
        self._rules.pop(rule.id, None)

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """The findings it has open alerts of."""
        found = self._alerts.of_rule(rule.id)
        return [{"subject": alert.subject, "holds": True, "alert": alert.id, "why": alert.message} for alert in found]

    def _opened(self, event: FindingOpened) -> None:
        for rule in self._rules.values():
            if concerns(rule, event.cause, event.meter_point, self._points):
                title = f"{event.meter_point}: {event.cause.replace('_', ' ')}"
                self._alerts.hear(Fact(rule, _subject(event), True, self._clock.now_ms(), title=title, message=event.text))

    def _closed(self, event: FindingClosed) -> None:
        for rule in self._rules.values():
            if self._alerts.find(rule.id, _subject(event)) is not None:
                self._alerts.hear(Fact(rule, _subject(event), False, self._clock.now_ms()))


def concerns(rule: Rule, cause: str, meter_point: str, points: MeterPoints) -> bool:
    """Whether a rule is about findings of a cause at a meter point."""
    options = rule.options
    if options.get("cause") and cause not in options["cause"]:
        return False
    if options.get("meter_point", meter_point) != meter_point:
        return False
    point = points.find(meter_point)
    return "location" not in options or (point is not None and point.location in points.locations.within(options["location"]))


class Troubles:
    """What is wrong with the hub itself, always watched."""

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts, self._clock = alerts, clock

    def listen(self, subscribe: Subscribe) -> None:
        """Hear of troubles."""
        subscribe(SystemTrouble, self._began)
        subscribe(SystemTroubleOver, self._ended)

    def _began(self, event: SystemTrouble) -> None:
        rule = own(SYSTEM, event.severity)
        self._alerts.hear(Fact(rule, event.key, True, self._clock.now_ms(), title=event.title, message=event.message))

    def _ended(self, event: SystemTroubleOver) -> None:
        self._alerts.hear(Fact(own(SYSTEM, "high"), event.key, False, self._clock.now_ms()))


def _subject(event: FindingOpened | FindingClosed) -> str:
    return f"finding {event.number}"
