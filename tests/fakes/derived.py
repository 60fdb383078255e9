"""What the ledger derived, as bytes, and how to throw it away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.plugins.ledger.marks import Reach
from tests.fakes.metered_house import MeteredHouse

DERIVED = {
    "track_days": "binding_id, term, day, slot_ms, energy, cover, state",
    "track_heads": "binding_id, term, last_ms, state",
    "verdicts": "binding_id, term, at_ms, from_ms, verdict, before_mwh, mwh, step_mwh",
    "layer_days": "point_id, layer, day, slot_ms, energy, cover, origin",
    "energy_rollups": "point_id, resolution, start_ms, end_ms, mwh, measured_ms, estimated_ms, reset_ms,"
    " peak_15_mwh, peak_15_ms, peak_60_mwh, peak_60_ms, source",
}

Bytes = dict[str, list[tuple[Any, ...]]]


async def derived(house: MeteredHouse) -> Bytes:
    """All that is derived, once nothing waits."""
    await house.ledger.caught_up(20)
    return {table: await house.storage.reader.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3") for table, columns in DERIVED.items()}


async def rebuilt(house: MeteredHouse) -> Bytes:
    """The same after everything derived was thrown away."""

    async def throw_away(tx: AsyncConnection) -> None:
        for table in DERIVED:
            await tx.execute(text(f"DELETE FROM {table}"))
        for point in house.points:
            await house.ledger.marks.point(tx, point.key, 0, None, Reach.TRACKS)

    await house.ledger.caught_up(20)
    await house.storage.write(throw_away)
    return await derived(house)


async def take_in(house: MeteredHouse, device: str, quantity: str, readings: Iterable[tuple[int, float]]) -> None:
    """Store readings of one series in one batch."""
    batch = house.ingest.batch("test", "test")
    feed = batch.feed(device)
    for at_ms, value in readings:
        reason = batch.add(feed, quantity, value, at_ms)
        assert reason is None, reason
    await house.ingest.store(batch)
