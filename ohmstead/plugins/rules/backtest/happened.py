"""What really happened, beside what a replay comes to: alerts and runs of the rule and automation of the same id."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from ohmstead.core.clock import iso
from ohmstead.plugins.rules.alerts.rule import READING, Rule
from ohmstead.plugins.rules.automations.run import CONDITION, IGNORED, LOOP
from ohmstead.plugins.rules.backtest.activations import Activation
from ohmstead.plugins.rules.tables import alerts, automation_traces

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

LISTED = 1000
NEAR_MS = 15 * 60_000  # energy and prices are looked at when they are derived, which is a little after the slot they are of

LATENCY_MS = 5_000  # of what the clock sets off, live
LEFT_OUT = (CONDITION, IGNORED, LOOP)

Moment = tuple[int, str]  # instant and subject


class Happened:
    """Reads the history of alerts, and the traces of automations."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def compared(self, rule: Rule, replayed: Sequence[Activation], start_ms: int, end_ms: int) -> dict[str, Any] | None:
        """How the replay differs from the alerts of [start, end); None where the house has none of a rule of that id.

        Where no reading came late, the hub ran throughout and the rule was the same, nothing differs.
        """
        here = alerts.c.tenant_id == self._storage.tenant_id, alerts.c.rule == rule.id
        span = alerts.c.triggered_ms >= start_ms, alerts.c.triggered_ms < end_ms
        async with self._storage.read() as conn:
            rows = (await conn.execute(select(alerts.c.triggered_ms, alerts.c.subject).where(*here, *span))).all()
        return _shown([(each.at_ms, each.subject) for each in replayed], [(at_ms, subject) for at_ms, subject in rows], _near_ms(rule))

    async def runs(self, automation: str, replayed: Sequence[int], start_ms: int, end_ms: int) -> dict[str, Any] | None:
        """How the replay differs from the runs of [start, end) of which there are traces; None where there are none."""
        t = automation_traces
        here = t.c.tenant_id == self._storage.tenant_id, t.c.automation == automation
        async with self._storage.read() as conn:
            bodies = [msgspec.json.decode(row.body) for row in await conn.execute(select(t.c.body).where(*here))]
        if not bodies:
            return None
        start_ms = max(start_ms, min(body["began_ms"] for body in bodies))  # those before were dropped from the ring
        began = [_set_off(body) for body in bodies if body["result"] not in LEFT_OUT and "by" not in body["facts"]]
        happened = [(at_ms, automation) for at_ms in began if start_ms <= at_ms < end_ms]
        return _shown([(at_ms, automation) for at_ms in replayed if at_ms >= start_ms], happened, LATENCY_MS)


def _set_off(body: Mapping[str, Any]) -> int:
    """When a run was set off, by the readings where they did it."""
    at_ms: int = body["facts"].get("at_ms", body["began_ms"])
    return at_ms


def _shown(replayed: Sequence[Moment], happened: Sequence[Moment], near_ms: int) -> dict[str, Any] | None:
    if not happened:
        return None
    only_replayed, only_happened = differences(replayed, happened, near_ms)
    same = len(happened) - len(only_happened)
    return {"happened": len(happened), "same": same, "only_replayed": _listed(only_replayed), "only_happened": _listed(only_happened)}


def differences(replayed: Sequence[Moment], happened: Sequence[Moment], near_ms: int) -> tuple[list[Moment], list[Moment]]:
    """Those of either side that the other has not, within so much of the same instant. Both sides come back in order."""
    left: dict[str, deque[int]] = {}
    for at_ms, subject in sorted(happened):
        left.setdefault(subject, deque()).append(at_ms)
    alone, missed = list[Moment](), list[Moment]()
    for at_ms, subject in sorted(replayed):
        queue = left.setdefault(subject, deque())
        while queue and queue[0] < at_ms - near_ms:
            missed.append((queue.popleft(), subject))
        if queue and queue[0] <= at_ms + near_ms:
            queue.popleft()
        else:
            alone.append((at_ms, subject))
    return alone, sorted([*missed, *((at_ms, subject) for subject, queue in left.items() for at_ms in queue)])


def _near_ms(rule: Rule) -> int:
    return 0 if rule.kind == READING else NEAR_MS


def _listed(found: Sequence[Moment]) -> list[dict[str, Any]]:
    return [{"subject": subject, "at": iso(at_ms)} for at_ms, subject in found[:LISTED]]
