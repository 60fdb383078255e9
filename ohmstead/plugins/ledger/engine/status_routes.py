"""`/ledger`: how far derivation is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ohmstead.core.clock import Clock, iso
from ohmstead.core.route import Call, Route

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage


class StatusRoutes:
    """Looking at the ledger itself."""

    def __init__(self, ledger: Ledger, storage: Storage, clock: Clock) -> None:
        self._ledger, self._storage, self._clock = ledger, storage, clock

    def all(self) -> list[Route]:
        """The operation."""
        return [Route("GET", "/ledger", self.status, "read", "How far derivation is, and what waits", tags=("ledger",))]

    async def status(self, call: Call) -> dict[str, Any]:
        """What waits to be derived, and the earliest reading of that; the length of a slot now."""
        async with self._storage.read() as connection:
            readings, earliest_ms, points = (await connection.execute(text(_WAITING))).one()
        return {
            "caught_up": not readings and not points, "reading_marks": readings, "meter_point_marks": points,
            "earliest": None if earliest_ms is None else iso(earliest_ms), "meter_points": len(self._ledger.points),
            "slot_s": self._ledger.deriver.grid.slot_ms(self._clock.now_ms()) // 1000,
        }  # fmt: skip


_WAITING = "SELECT count(*), min(from_ms), (SELECT count(*) FROM point_marks) FROM ledger_marks"
