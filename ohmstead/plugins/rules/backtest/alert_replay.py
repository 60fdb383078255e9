"""Alert rules, decided again on what was recorded by the gates that decide live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.backtest.activations import Activations
from ohmstead.plugins.rules.backtest.recording import Rows
from ohmstead.plugins.rules.backtest.subjects import Subject
from ohmstead.plugins.rules.gate import Gate

WARM_MS = 86_400_000  # how much earlier a replay begins, so that it stands at its start as the house did


class Watch(msgspec.Struct, frozen=True):
    """One rule about one subject."""

    rule: Rule
    subject: Subject
    gate: Gate
    activations: Activations

    @classmethod
    def of(cls, rule: Rule, subject: Subject, zone: ZoneInfo) -> Watch:
        """It has seen nothing yet."""
        activations = Activations(rule, subject.name, zone)
        return cls(rule, subject, Gate(rule.id, subject.comparison, activations.turned, rule.for_ms), activations)

    def end(self, end_ms: int) -> None:
        """The recording is over: a deadline that lies in it has rung."""
        since_ms = self.gate.since_ms
        if self.gate.waiting and since_ms is not None and since_ms + self.rule.for_ms < end_ms:
            self.gate.ring()
        self.activations.ended(end_ms)


async def replay(watches: Sequence[Watch], start_ms: int, end_ms: int) -> None:
    """Have them see what was recorded up to `end_ms`, from so long before `start_ms` that they stand as they stood then.

    What several of them watch is read once. It is read on the event loop and decided in a thread, a portion at a time.
    """
    for source in {watch.subject.source: watch.subject for watch in watches}.values():
        some = [watch for watch in watches if watch.subject.source == source.source]
        early_ms = start_ms - WARM_MS - max(watch.rule.for_ms + watch.rule.cooldown_ms for watch in some)
        gates = [watch.gate for watch in some]
        async for rows in source.values(early_ms, end_ms):
            await asyncio.to_thread(_feed, gates, rows)
        for watch in some:
            watch.end(end_ms)


def _feed(gates: Iterable[Gate], rows: Rows) -> None:
    for gate in gates:
        look = gate.look
        for at_ms, value in rows:
            look(value, at_ms)
