"""A metered house with what corrections and findings need: registers that were stored, and all that is derived as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from ohmstead.core.clock import ManualClock
from ohmstead.core.events import Event
from ohmstead.plugins.ledger.events import CorrectionApplied, CorrectionUndone, FindingClosed, FindingOpened
from tests.fakes.metered_house import MeteredHouse

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 1_794_960_000_000  # 2026-11-18T00:00:00Z, a UTC midnight
NOW = T0 + 3 * DAY + 12 * HOUR
DERIVED = ("track_days", "track_heads", "verdicts", "layer_days", "energy_rollups")


class CorrectedHouse(MeteredHouse):
    """`measured` stores a register; `derived` is every row of every derived table."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder, ManualClock(NOW), start=False)
        self.told: list[Event] = []
        for event in (CorrectionApplied, CorrectionUndone, FindingOpened, FindingClosed):
            self.bus.subscribe(event, self.told.append)

    async def __aenter__(self) -> CorrectedHouse:
        """Derive and listen; meter points are those that a test makes."""
        await super().__aenter__()
        self.ledger.findings.listen()
        self.hub.tasks.start("ledger", self.ledger.deriver.work)
        return self

    async def point(self, slug: str, role: str = "grid_import", quantity: str = "energy_import", **given: Any) -> None:
        """A meter point measured by the device of the same name."""
        body = {"id": slug, "role": role, "series": f"{slug}.{quantity}", **given}
        await self.ask("POST", "/meter-points", body)

    async def store_all(self, device: str, quantity: str, rows: Iterable[tuple[int, float]]) -> None:
        """Store readings, and derive from them."""
        batch = self.ingest.batch("test", "test")
        for at_ms, value in rows:
            reason = batch.add(batch.feed(device), quantity, value, at_ms)
            assert reason is None, reason
        await self.ingest.store(batch)
        await self.settle()

    async def metered(self, slug: str = "grid", kw: float = 1.0, days: int = 3, every_ms: int = 30 * MINUTE, **given: Any) -> None:
        """A register at 100 kWh at T0, and its meter point: by turns an hour at half of `kw` and one at one and a half."""
        await self.point(slug, **given)
        instants = range(0, days * DAY + 1, every_ms)
        await self.store_all(slug, "energy_import", ((T0 + at, round(100 + kw * _hours(at), 6)) for at in instants))

    async def settle(self) -> None:
        """Have everything derived that is stored."""
        await self.ledger.caught_up(20)

    async def derived(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every derived table."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        async with self.storage.read() as conn:
            for table in DERIVED:
                found[table] = sorted((tuple(row) for row in await conn.execute(text(f"SELECT * FROM {table}"))), key=repr)
        return found

    async def kwh(self, slug: str, start_ms: int = T0, end_ms: int = T0 + 3 * DAY) -> float:
        """What a meter point has in a span."""
        sheets = (await self.ledger.sheets([slug], start_ms, end_ms))[slug]
        return sum(sum(sheet.mwh) for sheet in sheets) / 1_000_000

    async def correct(self, kind: str, reason: str = "because", **given: Any) -> dict[str, Any]:
        """Apply a correction over the API."""
        data: dict[str, Any] = (await self.ask("POST", "/corrections", {"kind": kind, "reason": reason, **given})).data
        return data

    async def found(self, **wanted: Any) -> list[dict[str, Any]]:
        """The findings, once everything that changed was looked at."""
        await self.ledger.findings.catch_up()
        found: list[dict[str, Any]] = await self.get("/findings", **wanted)
        return found


def _hours(at_ms: int) -> float:
    pairs, rest = divmod(at_ms / HOUR, 2)
    return pairs * 2 + (rest / 2 if rest <= 1 else 0.5 + (rest - 1) * 1.5)
