"""The readings of a track as they count, corrections of readings applied, a portion at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS
from ohmstead.plugins.ledger.archive.vault import NEVER, READINGS
from ohmstead.plugins.ledger.corrections.amend import amend, amend_deltas, source, target
from ohmstead.plugins.ledger.corrections.changes import ReadingChange, Shift
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.archive.vault import Vault
    from ohmstead.plugins.ledger.engine.tracks import Span, Track
    from ohmstead.plugins.storage.reader import Reader

PORTION = 100_000  # readings

Rows = list[tuple[int, float | Fraction]]
Changes = Sequence[ReadingChange]


class Readings:
    """Reads them; each method takes the connection it is to run on."""

    def __init__(self, reader: Reader, vault: Vault) -> None:
        self._reader, self._vault = reader, vault

    async def some(
        self, conn: AsyncConnection, track: Track, changes: Changes, start_ms: int, end_ms: int, blind_ms: int = NEVER
    ) -> tuple[Rows, int]:
        """Readings that count in [start, end), in order of time, and up to where these are all; those archived are among them.

        Lost, when those cannot be read; `blind_ms` does without the ones archived of the days before.
        """
        farthest, most = max((abs(change.by_ms) for change in changes if isinstance(change, Shift)), default=-1), PORTION
        while True:
            low, high = source(changes, start_ms, end_ms)
            rows: Rows = await self._reader.fetch(conn, READINGS, track.series, low, high, most)
            rows = await self._vault.add(conn, track.series, (low, high), rows, most, blind_ms)
            edge_ms = end_ms if len(rows) < most else rows[-1][0] - farthest
            if edge_ms > start_ms:
                break
            most *= 4
        if not changes:
            return rows, edge_ms
        return await asyncio.to_thread(_counted, changes, rows, start_ms, edge_ms), edge_ms

    async def first_ms(self, conn: AsyncConnection, track: Track) -> int | None:
        """When the first reading of a track was, or its first delta began."""
        span = track.rules.start_ms, track.end_ms
        [(there,)] = await self._reader.fetch(conn, _FIRST, track.series, *span)
        archived = await self._vault.first_ms(conn, track.series, *span)
        return min([at_ms for at_ms in (there, archived) if at_ms is not None], default=None)

    async def periods(
        self, conn: AsyncConnection, track: Track, changes: Changes, span: Span
    ) -> tuple[list[tuple[int, int, float | Fraction]], Span]:
        """The deltas (end, start, value) that count around a span, and that span widened to UTC days that none of them crosses."""
        while True:
            span = span[0] - span[0] % DAY_MS, min(-(-span[1] // DAY_MS) * DAY_MS, LATEST_MS)
            low, high = source(changes, *target(changes, *span))
            rows = await self._reader.fetch(conn, _PERIODS, track.series, low, high)
            counted = [row for row in amend_deltas(changes, rows) if row[0] > span[0] and row[1] < span[1]]
            wider = min([span[0], *(row[1] for row in counted)]), max([span[1], *(row[0] for row in counted)])
            if wider == span:
                return counted, span
            span = wider

    async def all_periods(self, conn: AsyncConnection, track: Track, changes: Changes) -> list[tuple[int, int, float | Fraction]]:
        """All deltas (end, start, value) that count."""
        rows = await self._reader.fetch(conn, _PERIODS, track.series, EARLIEST_MS, LATEST_MS)
        return list(amend_deltas(changes, rows))


def _counted(changes: Changes, rows: Rows, start_ms: int, end_ms: int) -> Rows:
    return [reading for reading in amend(changes, rows) if start_ms <= reading[0] < end_ms]


_FIRST = """
    SELECT min(at_ms) FROM (
        SELECT (SELECT min(at_ms) FROM readings WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3) AS at_ms
        UNION ALL SELECT (SELECT min(from_ms) FROM deltas WHERE series_id = $1 AND at_ms > $2 AND from_ms < $3)) firsts
"""
_PERIODS = "SELECT at_ms, from_ms, value FROM deltas WHERE series_id = $1 AND at_ms > $2 AND from_ms < $3 ORDER BY at_ms, from_ms"
