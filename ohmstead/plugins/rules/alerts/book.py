"""The rows of alerts and of their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.plugins.rules.alerts.alert import Alert, Status, Step
from ohmstead.plugins.rules.tables import alert_events, alerts

COLUMNS = ("rule", "subject", "open_key", "severity", "device", "triggered_ms", "due_ms")
FILTERS = ("rule", "status", "severity", "device")
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class AlertBook:
    """Statements on the alerts of one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id
        self._mine = alerts.c.tenant_id == tenant_id

    async def open_ones(self, conn: AsyncConnection) -> list[Alert]:
        """Every alert that is open."""
        return [alert(row) for row in await conn.execute(select(alerts).where(self._mine, alerts.c.open_key.is_not(None)))]

    async def last(self, conn: AsyncConnection) -> dict[tuple[str, str], int]:
        """When each rule last fired about each of its subjects."""
        query = select(alerts.c.rule, alerts.c.subject, func.max(alerts.c.triggered_ms)).where(self._mine)
        return {(rule, subject): at_ms for rule, subject, at_ms in await conn.execute(query.group_by(alerts.c.rule, alerts.c.subject))}

    async def one(self, conn: AsyncConnection, id_: int) -> Alert | None:
        """The alert of that number."""
        row = (await conn.execute(select(alerts).where(self._mine, alerts.c.id == id_))).first()
        return None if row is None else alert(row)

    async def page(self, conn: AsyncConnection, where: Mapping[str, Any], open_only: bool, before: int | None, limit: int) -> list[Alert]:
        """Alerts whose columns have these values, newest first."""
        query = select(alerts).where(self._mine, *(alerts.c[name] == value for name, value in where.items()))
        if open_only:
            query = query.where(alerts.c.open_key.is_not(None))
        if before is not None:
            query = query.where(alerts.c.id < before)
        return [alert(row) for row in await conn.execute(query.order_by(alerts.c.id.desc()).limit(limit))]

    async def history(self, conn: AsyncConnection, id_: int) -> Sequence[Row[Any]]:
        """The lines of an alert's history, in order."""
        query = select(alert_events).where(alert_events.c.tenant_id == self._tenant_id, alert_events.c.alert_id == id_)
        return (await conn.execute(query.order_by(alert_events.c.id))).all()

    async def put(self, tx: AsyncConnection, made: Alert) -> Alert | None:
        """Write one; a new one gets its number. None: its rule has an open one about that subject already."""
        if made.id:
            await tx.execute(update(alerts).where(self._mine, alerts.c.id == made.id).values(_row(made)))
            return made
        statement = _INSERTS[tx.dialect.name](alerts).values(tenant_id=self._tenant_id, **_row(made))
        statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "open_key"]).returning(alerts.c.id)
        id_ = (await tx.execute(statement)).scalar()
        return None if id_ is None else msgspec.structs.replace(made, id=int(id_))

    async def note(self, tx: AsyncConnection, steps: Iterable[Step], at_ms: int) -> None:
        """Write lines of history."""
        rows = [
            {"tenant_id": self._tenant_id, "alert_id": step.alert.id, "at_ms": at_ms, "what": step.what, "who": step.who, "text": step.text}
            for step in steps
        ]
        if rows:
            await tx.execute(insert(alert_events).values(rows))


def _row(made: Alert) -> dict[str, Any]:
    plain = {name: getattr(made, name) for name in COLUMNS}
    return {**plain, "status": made.status.value, "group_id": made.group, "body": msgspec.json.encode(made).decode()}


def alert(row: Row[Any]) -> Alert:
    """The alert that a row holds."""
    body = msgspec.json.decode(row.body, type=Alert)
    return msgspec.structs.replace(body, id=row.id, status=Status(row.status))
