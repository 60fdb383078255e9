"""Slots read back: resolved, layer by layer, as known at a time, and by tariff register."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ohmstead.plugins.ledger import layers
from ohmstead.plugins.ledger.engine.days import Said, sheets
from ohmstead.plugins.ledger.engine.echo import Resolver
from ohmstead.plugins.ledger.engine.known import KnownResolver
from ohmstead.plugins.ledger.engine.stack import Bound
from ohmstead.plugins.ledger.points import registers
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.engine.deriver import Deriver
    from ohmstead.plugins.ledger.points.points import MeterPoints

LAYERS = (Layer.LIVE, Layer.MANUAL, Layer.SETTLED, Layer.CORRECTION)


class Reading:
    """Each method takes the connection it reads on: one that only reads, or the writer's in a transaction."""

    def __init__(self, points: MeterPoints, deriver: Deriver) -> None:
        self._points, self._deriver = points, deriver

    async def sheets(
        self, conn: AsyncConnection, slugs: Sequence[str], start_ms: int, end_ms: int, known_at_ms: int | None = None
    ) -> dict[str, list[Sheet]]:
        """See Ledger.sheets."""
        points, grid = [self._points.get(slug) for slug in slugs], self._deriver.grid
        start_ms, end_ms = grid.start(start_ms), grid.end(end_ms)
        days = start_ms // DAY_MS, -(-end_ms // DAY_MS)
        resolver = await self._resolver(conn, known_at_ms)
        found = await resolver.days(conn, [(point, days) for point in points])
        return await asyncio.to_thread(self._joined, slugs, found, start_ms, end_ms)

    async def _resolver(self, conn: AsyncConnection, known_at_ms: int | None) -> Resolver:
        if known_at_ms is None:
            return Resolver(self._deriver.echo.stack, self._points, self._deriver.grid, self._bounds())
        return await KnownResolver.at(conn, self._deriver, self._points, self._bounds(), known_at_ms)

    def _joined(self, slugs: Sequence[str], found: Sequence[Mapping[int, Said]], start_ms: int, end_ms: int) -> dict[str, list[Sheet]]:
        return {slug: sheets(days, start_ms, end_ms, self._deriver.grid) for slug, days in zip(slugs, found, strict=True)}

    async def layers(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> dict[Layer, list[Sheet]]:
        """See Ledger.layers."""
        key, grid = self._points.get(slug).key, self._deriver.grid
        if self._points.composition(slug):
            return {Layer.LIVE: (await self.sheets(conn, [slug], start_ms, end_ms))[slug]}
        bounds = {key: self._bounds().get(key, ())}
        stored = (await self._deriver.echo.stack.stored(conn, bounds, grid.start(start_ms), grid.end(end_ms)))[key]
        return {layer: sheets(stored.layer(layer), start_ms, end_ms, grid) for layer in LAYERS}

    async def registers(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> dict[str, list[Sheet]]:
        """See Ledger.registers."""
        grid = self._deriver.grid
        start_ms, end_ms = grid.start(start_ms), grid.end(end_ms)
        named = [(tariff, (each.number, place)) for each in self._points.bindings(self._points.get(slug).id)
                 for tariff, place in registers.tracks(each)]  # fmt: skip
        days = await self._deriver.echo.stack.tracks(conn, [key for _, key in named], start_ms // DAY_MS, -(-end_ms // DAY_MS))
        found: dict[str, dict[int, list[list[Sheet]]]] = {}
        for (tariff, (number, _)), some in zip(named, days, strict=True):
            if some:
                said: dict[int, Said] = {day: (row, Layer.LIVE) for day, row in some.items()}
                found.setdefault(tariff, {}).setdefault(number, []).append(sheets(said, start_ms, end_ms, grid))
        return {tariff: _together(by_binding) for tariff, by_binding in sorted(found.items())}

    def _bounds(self) -> dict[int, list[Bound]]:
        return {
            point.key: [Bound(each.number, len(each.terms), each.from_ms, each.to_ms) for each in self._points.bindings(point.id)]
            for point in self._points
        }


def _together(by_binding: Mapping[int, Sequence[Sequence[Sheet]]]) -> list[Sheet]:
    """Registers of one binding added, those of bindings one after another joined; stretch by stretch."""
    sums = [[layers.add(terms) for terms in zip(*some, strict=True)] for some in by_binding.values()]
    return [layers.join(parts) for parts in zip(*sums, strict=True)]
