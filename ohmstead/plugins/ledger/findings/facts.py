"""What detectors look at: in the database, and archived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from sqlalchemy import func, select

from ohmstead.plugins.ledger.archive.vault import Lost, Vault
from ohmstead.plugins.ledger.corrections.amend import amend, source
from ohmstead.plugins.ledger.corrections.book import Book
from ohmstead.plugins.ledger.findings.imports import LEAST_MWH, Brought
from ohmstead.plugins.ledger.findings.registers import Odd
from ohmstead.plugins.ledger.findings.signals import DayStat, Readings, stat
from ohmstead.plugins.ledger.imports.book import Clash, ImportBook
from ohmstead.plugins.ledger.points.bindings import Binding
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.ledger.tables import imports, meter_points, verdicts
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.tables import readings, series


class Facts:
    """Questions for one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int, corrections: Book, vault: Vault) -> None:
        self._tenant_id, self._corrections, self._vault = tenant_id, corrections, vault
        self._imports = ImportBook(tenant_id)

    async def odds(self, conn: AsyncConnection, bindings: Iterable[Binding], start_ms: int, end_ms: int) -> list[Odd]:
        """The verdicts of bindings that reach into a span, in order of time."""
        by_number = {binding.number: binding for binding in bindings}
        here = (verdicts.c.binding_id.in_(by_number), verdicts.c.at_ms >= start_ms, verdicts.c.from_ms < end_ms)
        rows = await conn.execute(select(verdicts).where(*here).order_by(verdicts.c.at_ms, verdicts.c.binding_id, verdicts.c.term))
        return [
            Odd(by_number[row.binding_id], by_number[row.binding_id].terms[row.term], row.verdict, row.at_ms, row.from_ms,
                row.before_mwh, row.mwh, row.step_mwh)
            for row in rows
        ]  # fmt: skip

    async def days(self, conn: AsyncConnection, address: str, first: int, last: int) -> list[int]:
        """The UTC days, from the first to the last, of which there are readings of a series, those lost left out."""
        return [stat.day for stat in await self.stats(conn, address, first, last + 1)] if first <= last else []

    async def stats(self, conn: AsyncConnection, address: str, first: int, last: int) -> list[DayStat]:
        """UTC days in numbers, as they were sent, from the first to before the last; left out those without readings, or lost."""
        day = (readings.c.at_ms - readings.c.at_ms % DAY_MS).label("day")
        value = readings.c.value
        query = select(day, func.count(), func.count(value.distinct()), func.min(value), func.max(value)).group_by(day).order_by(day)
        key = await self._key(conn, address)
        here = (readings.c.series_id == key, readings.c.at_ms >= first * DAY_MS, readings.c.at_ms < last * DAY_MS)
        found = {start_ms // DAY_MS: DayStat(start_ms // DAY_MS, *rest) for start_ms, *rest in await conn.execute(query.where(*here))}
        for archived in [] if key is None else await self._vault.days(conn, key, first * DAY_MS, last * DAY_MS):
            found.pop(archived, None)
            with suppress(Lost):
                rows = await self._vault.readings(conn, key or 0, archived * DAY_MS, (archived + 1) * DAY_MS)
                found[archived] = stat(archived, [(at_ms, float(value)) for at_ms, value in rows])
        return [found[each] for each in sorted(found)]

    async def readings(self, conn: AsyncConnection, address: str, day: int) -> Readings:
        """The readings of a UTC day as they count. Lost."""
        changes = (await self._corrections.of_series(conn, [address])).get(address, ())
        low, high = source(changes, day * DAY_MS, (day + 1) * DAY_MS)
        key = await self._key(conn, address)
        counted = amend(changes, [] if key is None else await self._vault.readings(conn, key, low, high))
        return [(at_ms, float(value)) for at_ms, value in counted if day * DAY_MS <= at_ms < (day + 1) * DAY_MS]

    async def clashes(self, conn: AsyncConnection, point: int) -> list[Clash]:
        """Imports of one layer of a meter point that say different things of the same periods."""
        found = [clash for layer in (Layer.LIVE, Layer.MANUAL, Layer.SETTLED) for clash in await self._imports.clashes(conn, point, layer)]
        return [clash for clash in found if clash.mwh > LEAST_MWH]

    async def brought(self, conn: AsyncConnection, point: int) -> list[Brought]:
        """The settled imports of a meter point that are in force."""
        mine = (imports.c.tenant_id == self._tenant_id, imports.c.point_id == point, imports.c.layer == Layer.SETTLED)
        in_force = (imports.c.status == "committed", imports.c.start_ms.is_not(None))
        rows = await conn.execute(select(imports).where(*mine, *in_force).order_by(imports.c.number))
        return [Brought(row.number, row.source, row.recorded_ms, row.start_ms, row.end_ms) for row in rows]

    async def imported_since(self, conn: AsyncConnection, since_ms: int) -> list[tuple[str, int, int]]:
        """The meter points and spans of what was imported since an instant."""
        made = imports.join(meter_points, meter_points.c.id == imports.c.point_id)
        query = select(meter_points.c.slug, imports.c.start_ms, imports.c.end_ms).select_from(made)
        here = (imports.c.tenant_id == self._tenant_id, imports.c.recorded_ms >= since_ms, imports.c.start_ms.is_not(None))
        return [(slug, start_ms, end_ms) for slug, start_ms, end_ms in await conn.execute(query.where(*here))]

    async def _key(self, conn: AsyncConnection, address: str) -> int | None:
        device, _, quantity = address.partition(".")
        here = (series.c.tenant_id == self._tenant_id, series.c.device_id == device, series.c.quantity == quantity)
        found: int | None = await conn.scalar(select(series.c.id).where(*here))
        return found


def spans(days: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Runs of days that follow each other, at most so many, as spans in ms."""
    found: list[tuple[int, int]] = []
    for day in days:
        if found and found[-1][1] == day * DAY_MS and found[-1][1] - found[-1][0] < most * DAY_MS:
            found[-1] = (found[-1][0], (day + 1) * DAY_MS)
        else:
            found.append((day * DAY_MS, (day + 1) * DAY_MS))
    return found
