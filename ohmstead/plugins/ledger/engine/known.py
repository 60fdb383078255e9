"""Slots as they were known at a time: without imports and corrections recorded later.

Readings have no time of arrival, so the live layer is as it is now, but for corrections of readings that were made or
undone since: a track that has any is derived anew, in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ohmstead.plugins.ledger.engine.days import Said
from ohmstead.plugins.ledger.engine.echo import Bounds, Change, Resolver
from ohmstead.plugins.ledger.engine.rebuild import rebuild
from ohmstead.plugins.ledger.engine.strata import lay
from ohmstead.plugins.ledger.engine.tracks import Span, Track
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.engine.deriver import Deriver
    from ohmstead.plugins.ledger.points.points import MeterPoints


class KnownResolver(Resolver):
    """Resolves as of `known_at_ms`."""

    def __init__(self, deriver: Deriver, points: MeterPoints, bounds: Bounds, tracks: Sequence[Track], known_at_ms: int) -> None:
        super().__init__(deriver.echo.stack, points, deriver.grid, bounds)
        self._echo, self._readings, self._tracks, self._at_ms = deriver.echo, deriver.readings, tracks, known_at_ms

    @classmethod
    async def at(
        cls, conn: AsyncConnection, deriver: Deriver, points: MeterPoints, bounds: Bounds, known_at_ms: int
    ) -> KnownResolver:
        """One for the tracks that a connection sees."""
        return cls(deriver, points, bounds, await deriver.tracks(conn), known_at_ms)

    async def resolved(self, conn: AsyncConnection, spans: Mapping[int, Span]) -> dict[int, dict[int, Said]]:
        """See Resolver."""
        return {key: await self._one(conn, key, (first * DAY_MS, last * DAY_MS)) for key, (first, last) in spans.items()}

    async def _one(self, conn: AsyncConnection, key: int, span: Span) -> dict[int, Said]:
        point = self._points.by_key(key)
        assert point is not None
        corrections = (await self._echo.corrections.of_points(conn, [key], self._at_ms)).get(key, ())
        words = await self._echo.words(conn, Change(point, span), corrections, self._tracks, self._grid, known_at_ms=self._at_ms)
        days = words.span[0] // DAY_MS, -(-words.span[1] // DAY_MS)
        stored = (await self._stack.stored_each(conn, {key: self._bounds.get(key, ())}, {key: days}))[key]
        stored.upper.clear()
        for track in self._tracks:
            if track.point == key and track.key in stored.tracks:
                now = await self._echo.corrections.of_series(conn, [track.address])
                then = await self._echo.corrections.of_series(conn, [track.address], self._at_ms)
                if now != then:
                    made = await rebuild(conn, self._readings, track, then.get(track.address, ()), self._grid)
                    stored.tracks[track.key] = {day: row for day, row in made.days.items() if days[0] <= day < days[1]}
        others = await self._echo.others(conn, words, self, self._grid)
        await asyncio.to_thread(lay, words, stored, self._grid, others)
        return {day: said for day, said in stored.resolved().items() if span[0] <= day * DAY_MS < span[1]}
