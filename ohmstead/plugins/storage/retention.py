"""Deletes what is older than it need be kept, a little at a time, so that readings never wait long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import text

from ohmstead.core.clock import Clock
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.partitions import FIRST_MS, month_of, name_of
from ohmstead.plugins.storage.reader import Reader

DAY_MS = 86_400_000
CHUNK = 5000  # rows a transaction deletes
FREE_PAGES = 2000  # pages a transaction gives back to the file system

Write = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]


class Keep(msgspec.Struct, frozen=True):
    """For how many days to keep what; None is for ever."""

    raw_days: float | None = 90
    fine_days: float | None = 365  # five-minute and hourly rollups
    daily_days: float | None = 5 * 365 + 1


class Policy(msgspec.Struct, frozen=True):
    """What to keep of which series; a device's own word counts more than a quantity's."""

    default: Keep = Keep()
    quantities: Mapping[str, Keep] = msgspec.field(default_factory=dict)
    devices: Mapping[str, Keep] = msgspec.field(default_factory=dict)

    def of(self, device: str, quantity: str) -> Keep:
        """What to keep of one series."""
        return self.devices.get(device) or self.quantities.get(quantity) or self.default

    def longest_raw_days(self) -> float | None:
        """The longest that any raw reading is kept."""
        days = [keep.raw_days for keep in (self.default, *self.quantities.values(), *self.devices.values())]
        return None if None in days else max(day for day in days if day is not None)


class Leaving(NamedTuple):
    """Raw readings of a series, by key, in [start, end) that may be deleted while they are exactly so many rows."""

    series: int
    start_ms: int
    end_ms: int
    rows: int


class Keeper(Protocol):
    """Whoever has raw readings kept elsewhere before they are deleted."""

    def release(self, before: Mapping[int, int]) -> AsyncIterator[Leaving]:
        """What may be deleted now of each series before an instant; a transaction deletes one of them, CHUNK rows at most."""


class _Joined(Exception):
    """Readings came in among those that were to be deleted."""


class Retention:
    """Applies a policy. Deltas are kept: they are few, and what a supplier settled is kept as bills are.

    With a `keeper` raw readings leave only as that releases them, else by their age.
    """

    def __init__(self, reader: Reader, write: Write, engine_name: str, clock: Clock) -> None:
        self._reader = reader
        self._write = write
        self._sqlite = engine_name == "sqlite"
        self._clock = clock
        self.keeper: Keeper | None = None

    async def run(self, policy: Policy) -> int:
        """Delete what the policy does not keep; how many rows went. Nothing while the clock is not trusted."""
        if not self._clock.trusted:
            return 0
        now_ms = self._clock.now_ms()
        gone, raw = 0, {}
        for key, device, quantity in await self._reader.rows("SELECT id, device_id, quantity FROM series ORDER BY id"):
            keep = policy.of(device, quantity)
            for table, instant, days in _derived(keep):
                if days is not None:
                    gone += await self._thin(table, instant, key, now_ms - round(days * DAY_MS))
            if keep.raw_days is not None:
                raw[key] = now_ms - round(keep.raw_days * DAY_MS)
        gone += await self._let_go(raw, policy, now_ms)
        if self._sqlite and gone:
            await self._give_back()
        return gone

    async def _let_go(self, before: Mapping[int, int], policy: Policy, now_ms: int) -> int:
        """Delete raw readings."""
        gone = 0
        if self.keeper is not None:
            async for leaving in self.keeper.release(before):
                gone += await self._release(leaving)
        if not self._sqlite:
            gone += await self._drop_months(policy, now_ms)
        if self.keeper is None:
            for key, before_ms in before.items():
                for table in RAW:
                    gone += await self._thin(table, "at_ms", key, before_ms)
        return gone

    async def _release(self, leaving: Leaving) -> int:
        """Delete what was released, unless something joined it meanwhile: that waits for the next time."""
        values = {"key": leaving.series, "start": leaving.start_ms, "end": leaving.end_ms}

        async def work(tx: AsyncConnection) -> None:
            _, *counts = [(await tx.execute(sql, values)).rowcount for sql in _RELEASE]
            if sum(counts) != leaving.rows:
                raise _Joined

        try:
            await self._write(work)
        except _Joined:
            return 0
        return leaving.rows

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
                count = (await tx.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()  # noqa: S608
                if not count or self.keeper is None:  # a keeper leaves behind what is needed still
                    gone += count
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


def _derived(keep: Keep) -> list[tuple[str, str, float | None]]:
    return [
        ("rollup_5m", "start_ms", keep.fine_days),
        ("rollup_1h", "start_ms", keep.fine_days),
        ("rollup_1d", "start_ms", keep.daily_days),
    ]


RAW = ("reading_notes", "readings", "texts")
_RELEASE = [text(f"DELETE FROM {table} WHERE series_id = :key AND at_ms >= :start AND at_ms < :end") for table in RAW]  # noqa: S608
_MONTHS = """
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'readings'::regclass AND c.relname ~ '^readings_[0-9]{4}_[0-9]{2}$' AND c.relname < $1
"""
