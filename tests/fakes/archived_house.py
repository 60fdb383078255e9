"""A metered house some months after its first reading: six days of raw readings are due to leave the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ohmstead.core.clock import BUILD_MS, ManualClock
from ohmstead.plugins.storage.retention import Keep, Policy
from tests.fakes.derived import take_in
from tests.fakes.metered_house import MeteredHouse

T0 = BUILD_MS - 90 * 86_400_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DUE = T0 + 6 * DAY


class ArchivedHouse(MeteredHouse):
    """Its storage asks the ledger's archive before it deletes."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder, ManualClock(DUE + 90 * DAY + HOUR))
        self.storage.retention.keeper, self.storage.rollups.past = self.ledger.archive, self.ledger.vault

    async def measure(self, days: int = 7) -> None:
        """A register read every hour, which now and then jitters; a power; a temperature that nobody bound, and a text."""
        await self.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import", "series": "g.energy_import"})
        await self.ask("POST", "/meter-points", {"id": "pump", "role": "heat_pump", "series": "h.power"})
        rows = [(T0 + n * HOUR, round(100 + n * 0.1 - (0.15 if n % 37 == 30 else 0), 2)) for n in range(days * 24)]
        await take_in(self, "g", "energy_import", rows)
        await take_in(self, "h", "power", [(T0 + n * HOUR + n % 7, n * 0.1 + 1 / 3) for n in range(days * 24)])
        await take_in(self, "x", "temperature", [(T0 + n * 6 * HOUR, n / 7) for n in range(days * 4)])
        batch = self.ingest.batch("test", "test")
        feed = batch.feed("x")
        assert batch.add(feed, "mode", 'eco "1"\n', T0 + MINUTE) is None
        await self.ingest.store(batch)
        await self.ledger.caught_up(20)

    async def retain(self, **keep: Any) -> int:
        """What the nightly job does."""
        return await self.storage.retention.run(Policy(Keep(**keep)))

    async def raw(self, before_ms: int = DUE) -> list[tuple[Any, ...]]:
        """The raw readings in the database before an instant."""
        sql = """SELECT series_id, at_ms, value FROM readings WHERE at_ms < $1
                 UNION ALL SELECT series_id, at_ms, 0 FROM texts WHERE at_ms < $1 ORDER BY 1, 2"""
        return await self.storage.reader.rows(sql, before_ms)

    def files(self) -> list[Path]:
        """The files of the archive."""
        return sorted((self.hub.data_dir / "archive" / "readings").rglob("*.parquet"))
