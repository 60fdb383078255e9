"""Keeps the stored rollups: makes those anew that a change touches, in its transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import text

from ohmstead.plugins.ledger.engine.days import Said, sheets
from ohmstead.plugins.ledger.lists import delete
from ohmstead.plugins.ledger.rollups import COLUMNS, QUARTER_MS, RESOLUTIONS, Rollup, gather, hours
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid, local
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

MOST = 1 << 30  # no limit
TABLE = "energy_rollups"

FINER = {"day": "hour", "month": "day", "year": "month"}
LONGEST_MS = {"hour": 2 * HOUR_MS, "day": 2 * DAY_MS, "month": 32 * DAY_MS, "year": 367 * DAY_MS}

Span = tuple[int, int]
Rows = Sequence[tuple[Any, ...]]  # COLUMNS


class Roll(msgspec.Struct):
    """A meter point and a span of it that changed. `sweep`: nothing may be left of rollups made otherwise."""

    point: int
    zone: ZoneInfo
    span: Span
    sweep: bool = False
    made: dict[str, list[Rollup]] = msgspec.field(default_factory=dict)
    spans: dict[str, tuple[Span, ...]] = msgspec.field(default_factory=dict)  # those that were looked at

    def __post_init__(self) -> None:
        start_ms, end_ms = self.span
        quarters = start_ms - start_ms % QUARTER_MS, end_ms + -end_ms % QUARTER_MS  # no local span begins within one
        for resolution in RESOLUTIONS:
            self.spans[resolution] = _spans(resolution, self.zone, *quarters)

    def whole(self, resolution: str) -> Span:
        """From the beginning of the first to the end of the last."""
        return self.spans[resolution][0][0], self.spans[resolution][-1][1]

    def utc_days(self) -> tuple[int, int]:
        """The UTC days [first, last) that its hours touch."""
        start_ms, end_ms = self.whole("hour")
        return start_ms // DAY_MS, -(-end_ms // DAY_MS)

    def hours(self, days: Mapping[int, Said], grid: Grid) -> None:
        """Make its hours of resolved slots."""
        self.made["hour"] = hours(sheets(days, *self.whole("hour"), grid), self.zone)

    def gather(self, resolution: str, stored: Rows = ()) -> None:
        """Make its days of hours, months of days, or years of months: of the fresh ones, and rows of those stored beside them."""
        finer = FINER[resolution]
        start_ms, end_ms = self.whole(finer)
        parts = [Rollup._make(row) for row in stored if not start_ms <= row[0] < end_ms]
        self.made[resolution] = gather(sorted(parts + self.made[finer], key=_start), self.spans[resolution])


class Rolling:
    """Reads and writes rollups."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._reader = storage, storage.reader

    async def read(self, conn: AsyncConnection, resolution: str, points: Sequence[int], start_ms: int, end_ms: int) -> list[list[Rollup]]:
        """The rollups of each meter point that touch [start, end)."""
        rows = await self._rows(conn, resolution, [(point, (start_ms, end_ms)) for point in points])
        return [list(map(Rollup._make, some)) for some in rows]

    async def _rows(self, conn: AsyncConnection, resolution: str, wanted: Iterable[tuple[int, Span]]) -> list[Rows]:
        longest_ms = LONGEST_MS[resolution]
        params = [(point, resolution, start_ms - longest_ms, end_ms, start_ms) for point, (start_ms, end_ms) in wanted]
        return list(await self._reader.fetch_each(conn, _READ, params, MOST))

    async def write(self, tx: AsyncConnection, rolls: Sequence[Roll], days: Sequence[Mapping[int, Said]], grid: Grid) -> None:
        """Make the rollups anew whose resolved days are given."""
        await asyncio.to_thread(_hours, rolls, days, grid)
        for resolution, finer in FINER.items():
            stored = await self._rows(tx, finer, [(roll.point, roll.whole(resolution)) for roll in rolls])
            await asyncio.to_thread(_gather, rolls, resolution, stored)
        for roll in rolls:
            if roll.sweep:
                await self._sweep(tx, roll)
        for resolution in RESOLUTIONS:
            gone = [(roll.point, start_ms) for roll in rolls if not roll.sweep for start_ms, _ in roll.spans[resolution]]
            await delete(tx, self._reader, TABLE, ("point_id", "start_ms"), gone, f"resolution = '{resolution}'")
        await self._storage.bulk(tx, TABLE, ("point_id", "resolution", *COLUMNS), [row for roll in rolls for row in _rows(roll)])

    async def _sweep(self, tx: AsyncConnection, roll: Roll) -> None:
        for resolution, spans in roll.spans.items():
            values = {"point": roll.point, "resolution": resolution, "start": spans[0][0], "end": spans[-1][1]}
            await tx.execute(_SWEEP, values)

    async def forget(self, tx: AsyncConnection, point: int) -> None:
        """Delete all rollups of a meter point that is gone."""
        await tx.execute(text("DELETE FROM energy_rollups WHERE point_id = :point"), {"point": point})


@lru_cache(256)  # what changes in a thousand meter points mostly lies in the same quarter of an hour
def _spans(resolution: str, zone: ZoneInfo, start_ms: int, end_ms: int) -> tuple[Span, ...]:
    return tuple(local(resolution, zone, start_ms, end_ms))


def _hours(rolls: Sequence[Roll], days: Sequence[Mapping[int, Said]], grid: Grid) -> None:
    for roll, some in zip(rolls, days, strict=True):
        roll.hours(some, grid)


def _gather(rolls: Sequence[Roll], resolution: str, stored: Sequence[Rows]) -> None:
    for roll, some in zip(rolls, stored, strict=True):
        roll.gather(resolution, some)


def _rows(roll: Roll) -> Iterable[tuple[Any, ...]]:
    for resolution, found in roll.made.items():
        for each in found:
            yield (roll.point, resolution, *each)


def _start(rollup: Rollup) -> int:
    return rollup.start_ms


_READ = (
    f"SELECT {', '.join(COLUMNS)} FROM energy_rollups"  # noqa: S608
    " WHERE point_id = $1 AND resolution = $2 AND start_ms > $3 AND start_ms < $4 AND end_ms > $5 ORDER BY start_ms LIMIT $6"
)
_SWEEP = text("""
    DELETE FROM energy_rollups WHERE point_id = :point AND resolution = :resolution AND end_ms > :start AND start_ms < :end
""")
