"""Deletes what is older than it need be kept, a little at a time, so that readings never wait long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.clock import Clock
from ohmstead.plugins.storage.partitions import FIRST_MS, month_of, name_of
from ohmstead.plugins.storage.reader import Reader

DAY_MS = 86_400_000
CHUNK = 5000  # rows a transaction deletes
FREE_PAGES = 2000  # pages a transaction gives back to the file system

Write = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days to keep what; None is for ever."""

    raw_days: float | None = 90
    fine_days: float | None = 365  # five-minute and hourly rollups
    daily_days: float | None = 5 * 365 + 1


@dataclass(frozen=True, slots=True)
class Policy:
    """What to keep of which series; a device's own word counts more than a quantity's."""

    default: Keep = Keep()
    quantities: Mapping[str, Keep] = field(default_factory=dict)
    devices: Mapping[str, Keep] = field(default_factory=dict)

    def of(self, device: str, quantity: str) -> Keep:
        """What to keep of one series."""
        return self.devices.get(device) or self.quantities.get(quantity) or self.default

    def longest_raw_days(self) -> float | None:
        """The longest that any raw reading is kept."""
        days = [keep.raw_days for keep in (self.default, *self.quantities.values(), *self.devices.values())]
        return None if None in days else max(day for day in days if day is not None)


class Retention:
    """Applies a policy. Deltas are kept: they are few, and what a supplier settled is kept as bills are."""

    def __init__(self, reader: Reader, write: Write, engine_name: str, clock: Clock) -> None:
        self._reader = reader
        self._write = write
        self._sqlite = engine_name == "sqlite"
        self._clock = clock

    async def run(self, policy: Policy) -> int:
        """Delete what the policy does not keep; how many rows went. Nothing while the clock is not trusted."""
        if not self._clock.trusted:
            return 0
        now_ms = self._clock.now_ms()
        gone = 0 if self._sqlite else await self._drop_months(policy, now_ms)
        for key, device, quantity in await self._reader.rows("SELECT id, device_id, quantity FROM series ORDER BY id"):
            keep = policy.of(device, quantity)
            for table, instant, days in _places(keep):
                if days is not None:
                    gone += await self._thin(table, instant, key, now_ms - round(days * DAY_MS))
        if self._sqlite and gone:
            await self._give_back()
        return gone

    async def _thin(self, table: str, instant: str, key: int, before_ms: int) -> int:
        gone = 0
        while True:
            # The row after the chunk bounds it; without one the rest fits.
            sql = f"SELECT {instant} FROM {table} WHERE series_id = $1 AND {instant} < $2 ORDER BY {instant} LIMIT 1 OFFSET {CHUNK}"  # noqa: S608
            rows = await self._reader.rows(sql, key, before_ms)
            count = await self._delete(table, instant, key, rows[0][0] if rows else before_ms)
            gone += count
            if not rows:
                return gone

    async def _delete(self, table: str, instant: str, key: int, before_ms: int) -> int:
        there = f"SELECT 1 FROM {table} WHERE series_id = $1 AND {instant} < $2 LIMIT 1"  # noqa: S608
        if not await self._reader.rows(there, key, before_ms):
            return 0
        sql = text(f"DELETE FROM {table} WHERE series_id = :key AND {instant} < :before_ms")  # noqa: S608

        async def work(tx: AsyncConnection) -> int:
            return (await tx.execute(sql, {"key": key, "before_ms": before_ms})).rowcount

        count: int = await self._write(work)
        return count

    async def _drop_months(self, policy: Policy, now_ms: int) -> int:
        """Drop the partitions of PostgreSQL that hold nothing to keep."""
        days = policy.longest_raw_days()
        if days is None:
            return 0
        first_kept = name_of(month_of(max(now_ms - round(days * DAY_MS), FIRST_MS))[0])
        rows = await self._reader.rows(_MONTHS, first_kept)

        async def work(tx: AsyncConnection) -> int:
            gone = 0
            for (name,) in rows:
                gone += (await tx.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()  # noqa: S608
                await tx.execute(text(f"DROP TABLE {name}"))
            return gone

        count: int = await self._write(work) if rows else 0
        return count

    async def _give_back(self) -> None:
        """Give the freed pages of the SQLite file back to the file system."""

        async def work(tx: AsyncConnection) -> int:
            await tx.execute(text(f"PRAGMA incremental_vacuum({FREE_PAGES})"))
            left: int = (await tx.execute(text("PRAGMA freelist_count"))).scalar_one()
            return left

        before = None
        while (left := await self._write(work)) and left != before:
            before = left


def _places(keep: Keep) -> list[tuple[str, str, float | None]]:
    return [
        ("readings", "at_ms", keep.raw_days),
        ("texts", "at_ms", keep.raw_days),
        ("reading_notes", "at_ms", keep.raw_days),
        ("rollup_5m", "start_ms", keep.fine_days),
        ("rollup_1h", "start_ms", keep.fine_days),
        ("rollup_1d", "start_ms", keep.daily_days),
    ]


_MONTHS = """
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'readings'::regclass AND c.relname ~ '^readings_[0-9]{4}_[0-9]{2}$' AND c.relname < $1
"""
