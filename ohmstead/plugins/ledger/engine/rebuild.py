"""Derives a track from the beginning, into memory: to compare it with what is stored, or to see it as it was known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ohmstead.core.clock import EARLIEST_MS
from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.corrections.changes import ReadingChange
from ohmstead.plugins.ledger.derive import delta
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.walk import begin
from ohmstead.plugins.ledger.engine.days import Day, pack
from ohmstead.plugins.ledger.slots import Grid
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.engine.readings import Readings
    from ohmstead.plugins.ledger.engine.tracks import Track


class Rebuilt(msgspec.Struct, frozen=True):
    """All of a track: its days, and what was odd."""

    days: dict[int, Day]
    verdicts: list[Verdict]


async def rebuild(
    conn: AsyncConnection, readings: Readings, track: Track, changes: Sequence[ReadingChange], grid: Grid, state: State | None = None
) -> Rebuilt:
    """Derive all readings of a track, streamed: what it holds of them is one portion.

    From a checkpoint on the days behind that one's are whole. Lost, when archived readings cannot be read.
    """
    if track.kind is Kind.DELTA:
        rows = await readings.all_periods(conn, track, changes)
        shared = await asyncio.to_thread(delta.derive, track.rules, grid, rows)
        return Rebuilt({day: pack(sheet) for day, sheet in shared.days.items()}, shared.verdicts)
    walk, at_ms = begin(track.rules, grid, state), max(track.rules.start_ms, EARLIEST_MS) if state is None else state.kept_ms + 1
    while at_ms < track.end_ms:
        some, at_ms = await readings.some(conn, track, changes, at_ms, track.end_ms)
        await asyncio.to_thread(walk.feed, some)
    await asyncio.to_thread(walk.finish)
    return Rebuilt({day: pack(sheet) for day, sheet in walk.days.items()}, walk.verdicts)
