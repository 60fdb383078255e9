"""Keeps the stored rollups: makes those anew that a change touches, in its transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.plugins.ledger.days import Said, sheets
from ohmstead.plugins.ledger.lists import delete
from ohmstead.plugins.ledger.rollups import COLUMNS, Rollup, gather, hours
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid, local

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

MOST = 1 << 30  # no limit
TABLE = "energy_rollups"
KEY = ("point_id", "resolution", "start_ms")

LONGEST_MS = {"hour": 2 * HOUR_MS, "day": 2 * DAY_MS, "month": 32 * DAY_MS, "year": 367 * DAY_MS}

Span = tuple[int, int]


@dataclass(slots=True)
class Roll:
    """A meter point and a span of it that changed. `sweep`: nothing may be left of rollups made otherwise."""

    point: int
    zone: ZoneInfo
    span: Span
    sweep: bool = False
    made: dict[str, list[Rollup]] = field(default_factory=dict)
    spans: dict[str, list[Span]] = field(default_factory=dict)  # those that were looked at

    def __post_init__(self) -> None:
        for resolution in ("day", "month", "year"):
            self.spans[resolution] = list(local(resolution, self.zone, *self.span))

    def whole(self, resolution: str) -> Span:
        """From the beginning of the first to the end of the last."""
        return self.spans[resolution][0][0], self.spans[resolution][-1][1]

    def utc_days(self) -> tuple[int, int]:
        """The UTC days [first, last) that its local days touch."""
        start_ms, end_ms = self.whole("day")
        return start_ms // DAY_MS, -(-end_ms // DAY_MS)

    def places(self) -> Iterable[tuple[int, str, int]]:
        """The keys of all rows that may be there."""
        return ((self.point, resolution, start_ms) for resolution, spans in self.spans.items() for start_ms, _ in spans)

    def hours(self, days: Mapping[int, Said], grid: Grid) -> None:
        """Make its hours and days of resolved slots."""
        found = hours(sheets(days, *self.whole("day"), grid), self.zone)
        start_ms, end_ms = self.span
        self.spans["hour"] = list(local("hour", self.zone, start_ms, end_ms))
        self.made["day"] = gather(found, self.spans["day"])
        self.made["hour"] = [hour for hour in found if hour.start_ms < end_ms and hour.end_ms > start_ms]

    def gather(self, resolution: str, finer: str, stored: Iterable[Rollup]) -> None:
        """Make its months of days, or its years of months: the fresh ones, and those stored beside them."""
        start_ms, end_ms = self.whole(finer)
        parts = [part for part in stored if not start_ms <= part.start_ms < end_ms]
        self.made[resolution] = gather(sorted(parts + self.made[finer], key=_start), self.spans[resolution])


class Rolling:
    """Reads and writes rollups."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._reader = storage, storage.reader

    async def read(self, conn: AsyncConnection, resolution: str, points: Sequence[int], start_ms: int, end_ms: int) -> list[list[Rollup]]:
        """The rollups of each meter point that touch [start, end)."""
        return await self._read(conn, [(point, resolution, (start_ms, end_ms)) for point in points])

    async def _read(self, conn: AsyncConnection, wanted: Iterable[tuple[int, str, Span]]) -> list[list[Rollup]]:
        params = [(point, kind, start_ms - LONGEST_MS[kind], end_ms, start_ms) for point, kind, (start_ms, end_ms) in wanted]
        rows = await self._reader.fetch_each(conn, _READ, params, MOST)
        return [[Rollup(*row) for row in some] for some in rows]

    async def write(self, tx: AsyncConnection, rolls: Sequence[Roll], days: Sequence[Mapping[int, Said]], grid: Grid) -> None:
        """Make the rollups anew whose resolved days, whole local ones, are given."""
        await asyncio.to_thread(_hours, rolls, days, grid)
        for resolution, finer in (("month", "day"), ("year", "month")):
            stored = await self._read(tx, [(roll.point, finer, roll.whole(resolution)) for roll in rolls])
            for roll, some in zip(rolls, stored, strict=True):
                roll.gather(resolution, finer, some)
        for roll in rolls:
            if roll.sweep:
                await self._sweep(tx, roll)
        gone = [key for roll in rolls if not roll.sweep for key in roll.places()]
        await delete(tx, self._storage.engine_name, TABLE, KEY, gone)
        await self._storage.bulk(tx, TABLE, ("point_id", "resolution", *COLUMNS), [row for roll in rolls for row in _rows(roll)])

    async def _sweep(self, tx: AsyncConnection, roll: Roll) -> None:
        for resolution, spans in roll.spans.items():
            values = {"point": roll.point, "resolution": resolution, "start": spans[0][0], "end": spans[-1][1]}
            await tx.execute(_SWEEP, values)

    async def forget(self, tx: AsyncConnection, point: int) -> None:
        """Delete all rollups of a meter point that is gone."""
        await tx.execute(text("DELETE FROM energy_rollups WHERE point_id = :point"), {"point": point})


def _hours(rolls: Sequence[Roll], days: Sequence[Mapping[int, Said]], grid: Grid) -> None:
    for roll, some in zip(rolls, days, strict=True):
        roll.hours(some, grid)


def _rows(roll: Roll) -> Iterable[tuple[Any, ...]]:
    for resolution, found in roll.made.items():
        for each in found:
            yield (roll.point, resolution, *(getattr(each, name) for name in COLUMNS))


def _start(rollup: Rollup) -> int:
    return rollup.start_ms


_READ = (
    f"SELECT {', '.join(COLUMNS)} FROM energy_rollups"  # noqa: S608
    " WHERE point_id = $1 AND resolution = $2 AND start_ms > $3 AND start_ms < $4 AND end_ms > $5 ORDER BY start_ms LIMIT $6"
)
_SWEEP = text("""
    DELETE FROM energy_rollups WHERE point_id = :point AND resolution = :resolution AND end_ms > :start AND start_ms < :end
""")
