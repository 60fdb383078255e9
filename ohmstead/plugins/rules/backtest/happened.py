"""What really happened, beside what a replay comes to: alerts of the rule of the same id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ohmstead.core.clock import iso
from ohmstead.plugins.rules.backtest.activations import Activation
from ohmstead.plugins.rules.tables import alerts

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

LISTED = 1000


class Happened:
    """Reads the history of alerts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def compared(self, rule: str, replayed: Sequence[Activation], start_ms: int, end_ms: int) -> dict[str, Any] | None:
        """How the replay differs from the alerts of [start, end); None where the house has none of a rule of that id.

        Where no reading came late, the hub ran throughout and the rule was the same, nothing differs.
        """
        here = alerts.c.tenant_id == self._storage.tenant_id, alerts.c.rule == rule
        span = alerts.c.triggered_ms >= start_ms, alerts.c.triggered_ms < end_ms
        async with self._storage.read() as conn:
            rows = (await conn.execute(select(alerts.c.triggered_ms, alerts.c.subject).where(*here, *span))).all()
        if not rows:
            return None
        then, now = {(at_ms, subject) for at_ms, subject in rows}, {(each.at_ms, each.subject) for each in replayed}
        return {
            "alerts": len(then), "same": len(then & now), "only_replayed": _listed(now - then), "only_happened": _listed(then - now),
        }  # fmt: skip


def _listed(found: set[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"subject": subject, "at": iso(at_ms)} for at_ms, subject in sorted(found)[:LISTED]]
