"""When a rule would have fired: turns of a gate become activations by the rule's own cooldown and schedule. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.compare import Value
from ohmstead.plugins.rules.gate import Turn


class Activation(msgspec.Struct, frozen=True):
    """It fired at `at_ms` about `subject`; `until_ms` is None while it was not over at the end of the recording."""

    subject: str
    at_ms: int
    value: Value
    until_ms: int | None = None


class Activations:
    """Of one rule about one subject; takes the turns of its gate in order."""

    def __init__(self, rule: Rule, subject: str, zone: ZoneInfo) -> None:
        self._rule, self._subject, self._zone = rule, subject, zone
        self._on: Turn | None = None
        self._last_ms: int | None = None
        self.found: list[Activation] = []

    def turned(self, turn: Turn) -> None:
        """Take one."""
        if turn.on:
            self._on = turn
        elif self._on is not None:
            self._fire(self._on, turn.at_ms)
            self._on = None

    def ended(self, end_ms: int) -> None:
        """Nothing is recorded from `end_ms` on."""
        if self._on is not None:
            self._fire(self._on, None, end_ms - 1)

    def _fire(self, on: Turn, until_ms: int | None, last_ms: int | None = None) -> None:
        """It held from a turn on, and fires once it has cooled down and the schedule is open, if it still holds then: what waits
        rings before a reading of the same instant, as deadlines of gates do.
        """
        limit_ms = until_ms if last_ms is None else last_ms
        assert limit_ms is not None
        at_ms = on.at_ms
        while (fires_ms := self._rule.fires_ms(at_ms, self._last_ms, self._zone)) > at_ms:
            at_ms = fires_ms
            if at_ms > limit_ms:
                return
        self._last_ms = at_ms
        self.found.append(Activation(self._subject, at_ms, on.value, until_ms))
