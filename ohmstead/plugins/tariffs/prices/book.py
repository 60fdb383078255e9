"""The book of prices: numbered imports, each laid over those before, so that any earlier knowledge can be asked for.

An import holds only what it says anew: the same again makes no import. Nothing is ever changed or deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Select, func, insert, select, update

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.tariffs.prices.events import PricesChanged
from ohmstead.plugins.tariffs.prices.tables import imports, prices, series
from ohmstead.plugins.tariffs.prices.timeline import Span, Timeline, compose, news

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

CHUNK = 500  # rows in one statement


class PriceSeries(msgspec.Struct, frozen=True):
    """A series of prices: what it is called, and the ISO 4217 code of its money."""

    id: str
    currency: str
    longest_ms: int = 0  # of its spans


class PriceImport(msgspec.Struct, frozen=True):
    """One import: what it laid over the ones before, from when to when, and how many prices. Number 0: it was only tried."""

    number: int
    series: str
    source: str
    recorded_ms: int
    start_ms: int
    end_ms: int
    count: int


class PriceBook:
    """All prices of this house."""

    def __init__(self, storage: Storage, clock: Clock, bus: Bus) -> None:
        self._storage, self._clock, self._bus = storage, clock, bus
        self._turn = asyncio.Lock()  # what is new is decided before it is written
        self._tenant = storage.tenant_id

    async def series(self) -> list[PriceSeries]:
        """All series, by id."""
        return [PriceSeries(*row) for row in await self._rows(self._series().order_by(series.c.id))]

    async def one(self, name: str) -> PriceSeries:
        """One series; NotFound."""
        found = await self._find(name)
        if found is None:
            raise NotFound(f"there is no series of prices {name[:64]!r}")
        return found

    async def timeline(self, name: str, start_ms: int, end_ms: int, known_at_ms: int | None = None) -> Timeline:
        """The prices that touch a time, whole, as recorded up to `known_at_ms` if given; none of a series nobody knows."""
        found = await self._find(name)
        return Timeline() if found is None else await self._timeline(found, start_ms, end_ms, known_at_ms)

    async def imports(self, name: str, before: int | None, limit: int) -> list[PriceImport]:
        """Imports of a series, newest first, with lesser numbers than `before`."""
        query = select(imports).where(imports.c.tenant_id == self._tenant, imports.c.series == name)
        if before is not None:
            query = query.where(imports.c.number < before)
        return [PriceImport(*row[1:]) for row in await self._rows(query.order_by(imports.c.number.desc()).limit(limit))]

    async def add(self, name: str, currency: str, given: Sequence[Span], source: str, dry_run: bool = False) -> PriceImport | None:
        """Lay prices that do not overlap over what is known; None when they say nothing new. Conflict for another currency."""
        async with self._turn:
            known = await self._find(name) or PriceSeries(name, currency)
            if known.currency != currency:
                raise Conflict(f"the prices of {name} are in {known.currency}, not in {currency}; give other prices another name")
            fresh = await self._news(known, sorted(given))
            if not fresh:
                return None
            made = PriceImport(0, name, source, self._clock.now_ms(), fresh[0].start_ms, max(span.end_ms for span in fresh), len(fresh))
            if dry_run:
                return made
            stored: PriceImport = await self._storage.write(lambda tx: self._insert(tx, known, made, fresh))
        self._bus.publish(PricesChanged(name, stored.start_ms, stored.end_ms))
        return stored

    async def _news(self, known: PriceSeries, given: Sequence[Span]) -> list[Span]:
        if not given:
            return []
        line = await self._timeline(known, given[0].start_ms, max(span.end_ms for span in given), None)
        return await asyncio.to_thread(news, line, given)

    async def _timeline(self, known: PriceSeries, start_ms: int, end_ms: int, known_at_ms: int | None) -> Timeline:
        p = prices.c
        query = select(p.start_ms, p.end_ms, p.price, p.number).where(
            p.tenant_id == self._tenant, p.series == known.id,
            p.start_ms < end_ms, p.start_ms > start_ms - known.longest_ms, p.end_ms > start_ms,
        )  # fmt: skip
        if known_at_ms is not None:
            query = query.join(imports, (imports.c.tenant_id == p.tenant_id) & (imports.c.number == p.number))
            query = query.where(imports.c.recorded_ms <= known_at_ms)
        rows = await self._rows(query)
        return await asyncio.to_thread(lambda: compose(Span(*row) for row in rows))

    async def _find(self, name: str) -> PriceSeries | None:
        rows = await self._rows(self._series().where(series.c.id == name))
        return PriceSeries(*rows[0]) if rows else None

    def _series(self) -> Select[Any]:
        return select(series.c.id, series.c.currency, series.c.longest_ms).where(series.c.tenant_id == self._tenant)

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        async with self._storage.read() as connection:
            found: Sequence[Any] = (await connection.execute(query)).all()
        return found

    async def _insert(self, tx: AsyncConnection, known: PriceSeries, made: PriceImport, fresh: Sequence[Span]) -> PriceImport:
        newest = select(func.max(imports.c.number), func.max(imports.c.recorded_ms)).where(imports.c.tenant_id == self._tenant)
        number, recorded_ms = (await tx.execute(newest)).one()
        made = msgspec.structs.replace(made, number=(number or 0) + 1, recorded_ms=max(made.recorded_ms, recorded_ms or 0))
        await self._put_series(tx, known, made, max(span.end_ms - span.start_ms for span in fresh))
        await tx.execute(insert(imports).values(tenant_id=self._tenant, **msgspec.structs.asdict(made)))
        for start in range(0, len(fresh), CHUNK):
            some = fresh[start : start + CHUNK]
            values = tuple(v for s in some for v in (self._tenant, made.series, s.start_ms, made.number, s.end_ms, s.price))
            await tx.exec_driver_sql(_insert_sql(len(some), tx.dialect.name), values)
        return made

    async def _put_series(self, tx: AsyncConnection, known: PriceSeries, made: PriceImport, longest_ms: int) -> None:
        if known.longest_ms == 0:
            values: Mapping[str, Any] = {"currency": known.currency, "longest_ms": longest_ms, "created_ms": made.recorded_ms}
            await tx.execute(insert(series).values(tenant_id=self._tenant, id=made.series, **values))
        elif longest_ms > known.longest_ms:
            mine = (series.c.tenant_id == self._tenant, series.c.id == made.series)
            await tx.execute(update(series).where(*mine).values(longest_ms=longest_ms))


def _insert_sql(count: int, engine: str) -> str:
    """One statement for many rows, as text: SQLAlchemy takes seconds to compile one for a thousand."""
    places = iter(f"${place}" if engine == "postgresql" else "?" for place in range(1, count * 6 + 1))
    rows = ",".join(f"({','.join(_take(places, 6))})" for _ in range(count))
    return f"INSERT INTO prices (tenant_id, series, start_ms, number, end_ms, price) VALUES {rows}"  # noqa: S608


def _take(places: Iterator[str], count: int) -> list[str]:
    return [next(places) for _ in range(count)]
