"""The rows of the corrections: how they are written, and read by those who derive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, or_, select, update

from ohmstead.plugins.ledger.corrections.changes import AnyChange, OfReadings, ReadingChange, Replace
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.tables import corrections
from ohmstead.plugins.storage.connection import AsyncConnection


class Book:
    """Statements on the corrections of one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id
        self._mine = corrections.c.tenant_id == tenant_id

    async def of_series(
        self, tx: AsyncConnection, addresses: Iterable[str], known_at_ms: int | None = None
    ) -> dict[str, tuple[ReadingChange, ...]]:
        """The changes in force of the readings of each series (`device.quantity`) that has any, in order of their numbers.

        With `known_at_ms` those that were in force then.
        """
        found: dict[str, tuple[ReadingChange, ...]] = {}
        query = select(corrections).where(self._mine, self._in_force(known_at_ms), corrections.c.series.in_(list(addresses)))
        for row in await tx.execute(query.order_by(corrections.c.number)):
            change = correction(row).change
            assert isinstance(change, OfReadings)
            found[change.series] = (*found.get(change.series, ()), change)
        return found

    async def of_points(
        self, tx: AsyncConnection, keys: Iterable[int], known_at_ms: int | None = None
    ) -> dict[int, tuple[Correction, ...]]:
        """The corrections in force of the intervals of each meter point, by its key, in order of their numbers.

        With `known_at_ms` those that were in force then.
        """
        found: dict[int, tuple[Correction, ...]] = {}
        query = select(corrections).where(self._mine, corrections.c.point_id.in_(list(keys)), self._in_force(known_at_ms))
        for row in await tx.execute(query.order_by(corrections.c.number)):
            found[row.point_id] = (*found.get(row.point_id, ()), correction(row))
        return found

    async def replacing(self, tx: AsyncConnection) -> list[tuple[int, Correction]]:
        """All that replace one meter point by another, with the key of the one replaced: who follows whom."""
        query = select(corrections).where(self._mine, corrections.c.kind == Replace.kind, self._in_force(None))
        return [(row.point_id, correction(row)) for row in await tx.execute(query.order_by(corrections.c.number))]

    def _in_force(self, known_at_ms: int | None) -> Any:
        undone = corrections.c.undone_ms
        if known_at_ms is None:
            return undone.is_(None)
        return (corrections.c.recorded_ms <= known_at_ms) & or_(undone.is_(None), undone > known_at_ms)

    async def since(self, tx: AsyncConnection, since_ms: int) -> list[tuple[int | None, Correction]]:
        """All that were made or undone since an instant, with the key of their meter point."""
        recent = or_(corrections.c.recorded_ms >= since_ms, corrections.c.undone_ms >= since_ms)
        rows = await tx.execute(select(corrections).where(self._mine, recent).order_by(corrections.c.number))
        return [(row.point_id, correction(row)) for row in rows]

    async def one(self, tx: AsyncConnection, number: int) -> Correction | None:
        """The correction of that number."""
        row = (await tx.execute(select(corrections).where(self._mine, corrections.c.number == number))).first()
        return None if row is None else correction(row)

    def conditions(self, point: int | None, series: str | None, status: str | None) -> list[Any]:
        """What `page` takes, for the key of a meter point, a series, a status (active or undone); None: whatever it is."""
        where = [corrections.c.point_id == point] if point is not None else []
        if series is not None:
            where.append(corrections.c.series == series)
        if status is not None:
            where.append(corrections.c.undone_ms.is_(None) if status == "active" else corrections.c.undone_ms.is_not(None))
        return where

    async def page(self, tx: AsyncConnection, where: Sequence[Any], before: int | None, limit: int) -> list[Correction]:
        """Those that the conditions on the table let through, newest first, of numbers below `before`."""
        query = select(corrections).where(self._mine, *where).order_by(corrections.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(corrections.c.number < before)
        return [correction(row) for row in await tx.execute(query)]

    async def add(self, tx: AsyncConnection, change: AnyChange, point: int | None, signed: tuple[str, str, int]) -> Correction:
        """Write one under the next number, signed with reason, author and instant; `point` is the key of its meter point."""
        reason, author, recorded_ms = signed
        newest = await tx.scalar(select(func.max(corrections.c.number)).where(self._mine))
        made = Correction((newest or 0) + 1, change, reason, author, recorded_ms)
        series = change.series if isinstance(change, OfReadings) else None
        await tx.execute(insert(corrections).values(
            tenant_id=self._tenant_id, number=made.number, point_id=point, series=series, kind=change.kind, start_ms=change.start_ms,
            end_ms=change.end_ms, body=msgspec.json.encode(change).decode(), reason=reason, author=author, recorded_ms=recorded_ms,
        ))  # fmt: skip
        return made

    async def undo(self, tx: AsyncConnection, made: Correction, signed: tuple[str, str, int]) -> Correction:
        """Write that one was undone."""
        reason, author, at_ms = signed
        undone = {"undone_ms": at_ms, "undone_by": author, "undone_reason": reason}
        await tx.execute(update(corrections).where(self._mine, corrections.c.number == made.number).values(undone))
        return msgspec.structs.replace(made, **undone)


def correction(row: Row[Any]) -> Correction:
    """The correction that a row holds."""
    change: AnyChange = msgspec.json.decode(row.body, type=AnyChange)
    return Correction(row.number, change, row.reason, row.author, row.recorded_ms, row.undone_ms, row.undone_by, row.undone_reason)
