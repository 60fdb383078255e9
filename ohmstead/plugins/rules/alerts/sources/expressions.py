"""Rules that a template states: worked out when a state it names moved, and once a minute, never on the way of a reading."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid
from ohmstead.core.model import State
from ohmstead.core.supervise import Task
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.alerts.sources.source import Gates
from ohmstead.plugins.rules.alerts.wording import measured, threshold
from ohmstead.plugins.rules.compare import Comparison, Value
from ohmstead.plugins.rules.gate import Gate, Turn
from ohmstead.plugins.rules.templates import Templates
from ohmstead.plugins.rules.watch import Watches

if TYPE_CHECKING:
    from ohmstead.plugins.rules.template import Template

log = logging.getLogger(__name__)

REST_S, LONGEST_S = 1.0, 60.0  # between two looks: at all, and without anything having moved
TRUE = Comparison("equals", 1.0)
SUBJECT = "template"


class Expressions:
    """Works templates out. `templates` and `want`, which is told of meter points they name, are for the house to join."""

    def __init__(self, watches: Watches, alerts: Alerts, clock: Clock) -> None:
        self.templates = Templates({})
        self.want: Callable[[str], None] = lambda point: None
        self._watches, self._clock = watches, clock
        self._gates = Gates(watches, alerts)
        self._rules: dict[str, tuple[Rule, Template]] = {}
        self._dirty: dict[str, int] = {}  # rule -> the instant of the newest reading it is about
        self._said: dict[str, tuple[Value, int]] = {}
        self._failing: set[str] = set()

    def listen(self, subscribe: Callable[[Any, Callable[[Any], object]], object]) -> None:
        """It hears of states by the index alone."""

    def start(self, rule: Rule) -> None:
        """Watch what the template names."""
        template = self.templates.compile(rule.options["template"])
        self._rules[rule.id] = rule, template
        self._dirty[rule.id] = self._clock.now_ms()
        for name, argument in template.asks:
            if name != "state":
                self.want(argument)
        addresses = {argument for name, argument in template.asks if name == "state"} | {"tariff.price_now"}

        def moved(new: State, old: State | None) -> None:
            self._dirty[rule.id] = max(new.updated_ms, self._dirty.get(rule.id, 0))

        def join(gate: Gate) -> Callable[[], None]:
            ends = [self._watches.watch(address, moved) for address in addresses]

            def end() -> None:
                for each in ends:
                    each()

            return end

        self._gates.add(rule, SUBJECT, rule.comparison or TRUE, lambda turn: self._fact(rule, turn), join)

    def stop(self, rule: Rule) -> None:
        """No longer."""
        self._rules.pop(rule.id, None)
        self._dirty.pop(rule.id, None)
        self._gates.stop(rule.id)

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What it says now."""
        value, at_ms = self._said.get(rule.id, (None, None))
        return [self._gates.says(rule, subject, gate, value, at_ms, "") for subject, gate in self._gates.of(rule.id)]

    async def work(self, task: Task) -> None:
        """Work them out, for ever."""
        task.up()
        rested_s = 0.0
        while True:
            if rested_s >= LONGEST_S:
                rested_s = 0.0
                self._dirty |= {id_: max(self._clock.now_ms(), self._dirty.get(id_, 0)) for id_ in self._rules}
            await self.look()
            await self._clock.sleep(REST_S)
            rested_s += REST_S

    async def look(self) -> None:
        """Work out what moved; each takes 50 ms at most, and others run between two."""
        dirty, self._dirty = self._dirty, {}
        for id_, at_ms in dirty.items():
            if id_ in self._rules:
                self._work_out(*self._rules[id_], at_ms)
                await self._clock.sleep(0)

    def _work_out(self, rule: Rule, template: Template, at_ms: int) -> None:
        try:
            value = template.value() if rule.comparison is not None else float(template.true())
            if rule.comparison is not None and isinstance(value, str) and rule.comparison.word not in ("equals", "differs"):
                raise Invalid(f"the template says {value[:40]!r}, which is no number")
        except Invalid as error:
            if rule.id not in self._failing:
                log.warning("alert rule %s: %s", rule.id, error)
            self._failing.add(rule.id)
            return
        self._failing.discard(rule.id)
        self._said[rule.id] = value, at_ms
        for _, gate in self._gates.of(rule.id):
            gate.look(value, at_ms)

    def _fact(self, rule: Rule, turn: Turn) -> Fact:
        said = f"it is {measured(turn.value, '')}, {threshold(rule.comparison, '')}" if rule.comparison is not None else "it is so"
        description = rule.options.get("description")
        message = f"{rule.name}: {said}." + (f" {description}" if description else "")
        return Fact(rule, SUBJECT, turn.on, turn.at_ms, turn.value, turn=turn, title=rule.name, message=message)
