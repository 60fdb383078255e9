"""The rows of the findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update

from ohmstead.plugins.ledger.findings.finding import Finding, Found, Looked
from ohmstead.plugins.ledger.tables import findings, meter_points
from ohmstead.plugins.storage.connection import AsyncConnection

STATE = ("status", "found_ms", "notified_ms", "closed_ms", "closed_by", "reason", "news_ms")  # columns that change with decisions


class Body(msgspec.Struct, frozen=True):
    """What a row holds as JSON."""

    found: Found
    days: dict[int, int] = {}
    worth: tuple[tuple[str, str, str], ...] = ()


class FindingBook:
    """Statements on the findings of one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id
        self._mine = findings.c.tenant_id == tenant_id
        self._select = select(findings, meter_points.c.slug).join(meter_points, meter_points.c.id == findings.c.point_id).where(self._mine)

    async def there(self, conn: AsyncConnection, point: int, looked: Iterable[Looked]) -> list[Finding]:
        """What is kept of what was looked for, where it was looked: of the meter point with that key."""
        found: dict[int, Finding] = {}
        for each in looked:
            here = (findings.c.point_id == point, findings.c.place.startswith(f"{each.detector}:", autoescape=True),
                    findings.c.start_ms < each.end_ms, findings.c.end_ms > each.start_ms)  # fmt: skip
            found |= {row.id: finding(row) for row in await conn.execute(self._select.where(*here))}
        return list(found.values())

    async def same(self, conn: AsyncConnection, point: int, found: Found) -> Finding | None:
        """The finding of that cause and place, wherever it reached before."""
        here = (findings.c.point_id == point, findings.c.cause == found.cause.value, findings.c.place == found.place)
        row = (await conn.execute(self._select.where(*here))).first()
        return None if row is None else finding(row)

    async def one(self, conn: AsyncConnection, number: int) -> Finding | None:
        """The finding of that number."""
        row = (await conn.execute(self._select.where(findings.c.id == number))).first()
        return None if row is None else finding(row)

    async def page(self, conn: AsyncConnection, where: Mapping[str, Any], before: int | None, limit: int) -> list[Finding]:
        """Findings whose columns have these values, newest first."""
        query = self._select.where(*(findings.c[name] == value for name, value in where.items()))
        if before is not None:
            query = query.where(findings.c.id < before)
        return [finding(row) for row in await conn.execute(query.order_by(findings.c.id.desc()).limit(limit))]

    async def due(self, conn: AsyncConnection, now_ms: int) -> list[Finding]:
        """Those that are open, due and not told yet."""
        here = (findings.c.status == "open", findings.c.notified_ms.is_(None), findings.c.due_ms <= now_ms)
        return [finding(row) for row in await conn.execute(self._select.where(*here).order_by(findings.c.id))]

    async def news(self, conn: AsyncConnection) -> list[Finding]:
        """Those of which somebody may not have heard that they opened or closed."""
        return [finding(row) for row in await conn.execute(self._select.where(findings.c.news_ms.is_not(None)).order_by(findings.c.id))]

    async def heard(self, tx: AsyncConnection, before_ms: int) -> None:
        """What was said before an instant, everybody has heard."""
        await tx.execute(update(findings).where(self._mine, findings.c.news_ms < before_ms).values(news_ms=None))

    async def add(self, tx: AsyncConnection, point: int, made: Finding) -> None:
        """Write a new one; its number is given by the table."""
        row = {"tenant_id": self._tenant_id, "point_id": point, "place": made.found.place, "cause": made.found.cause.value}
        await tx.execute(insert(findings).values({**row, "status": made.status, "found_ms": made.found_ms, **_facts(made)}))

    async def put(self, tx: AsyncConnection, changed: Finding) -> None:
        """Write one as it is now."""
        state = {name: getattr(changed, name) for name in STATE}
        await tx.execute(update(findings).where(self._mine, findings.c.id == changed.number).values({**state, **_facts(changed)}))

    async def drop(self, tx: AsyncConnection, numbers: Sequence[int]) -> None:
        """Forget findings that nobody was told of."""
        await tx.execute(delete(findings).where(self._mine, findings.c.id.in_(numbers)))


def _facts(made: Finding) -> dict[str, Any]:
    found = made.found
    body = msgspec.json.encode(Body(found, made.days, made.worth)).decode()
    return {"start_ms": found.start_ms, "end_ms": found.end_ms, "mwh": found.mwh, "due_ms": found.due_ms, "body": body}


def finding(row: Row[Any]) -> Finding:
    """The finding that a row holds."""
    body = msgspec.json.decode(row.body, type=Body)
    state = (row.notified_ms, row.closed_ms, row.closed_by, row.reason, row.news_ms)
    return Finding(row.id, row.slug, body.found, row.status, row.found_ms, body.days, body.worth, *state)
