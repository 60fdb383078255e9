"""The rows of alerts and of their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, select

from ohmstead.plugins.rules.alerts.alert import Alert, Status, Step
from ohmstead.plugins.rules.insertion import insert_rows
from ohmstead.plugins.rules.tables import alert_events, alerts
from ohmstead.plugins.storage.connection import AsyncConnection

COLUMNS = ("rule", "subject", "open_key", "severity", "device", "triggered_ms", "due_ms")
FILTERS = ("rule", "status", "severity", "device")
CHUNK = 500  # alerts a transaction deletes


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

    async def add(self, tx: AsyncConnection, made: Sequence[Alert]) -> dict[str, int]:
        """Write new ones; the number of each by its open key. One is missing whose rule has an open one about that subject already."""
        if not made:
            return {}
        rows = [{"tenant_id": self._tenant_id, **_row(each)} for each in made]
        tail = "ON CONFLICT (tenant_id, open_key) DO NOTHING RETURNING open_key, id"
        return {row.open_key: int(row.id) for row in await insert_rows(tx, alerts, rows, tail)}

    async def put(self, tx: AsyncConnection, changed: Sequence[Alert]) -> None:
        """Write some as they are now."""
        if not changed:
            return
        rows = [{"id": each.id, "tenant_id": self._tenant_id, **_row(each)} for each in changed]
        fresh = ",".join(f"{name}=excluded.{name}" for name in _row(changed[0]))
        await insert_rows(tx, alerts, rows, f"ON CONFLICT (id) DO UPDATE SET {fresh}")

    async def note(self, tx: AsyncConnection, steps: Iterable[Step], at_ms: int) -> None:
        """Write lines of history."""
        rows = [
            {"tenant_id": self._tenant_id, "alert_id": step.alert.id, "at_ms": at_ms, "what": step.what, "who": step.who, "text": step.text}
            for step in steps
        ]
        if rows:
            await insert_rows(tx, alert_events, rows)

    async def prune(self, tx: AsyncConnection, before_ms: int) -> int:
        """Delete some of those that are resolved and of which nothing was noted since an instant, with their history; how many."""
        later = select(alert_events.c.id).where(
            alert_events.c.tenant_id == self._tenant_id, alert_events.c.alert_id == alerts.c.id, alert_events.c.at_ms >= before_ms
        )
        old = select(alerts.c.id).where(self._mine, alerts.c.open_key.is_(None), alerts.c.triggered_ms < before_ms, ~later.exists())
        ids = list(await tx.scalars(old.order_by(alerts.c.id).limit(CHUNK)))
        await tx.execute(delete(alert_events).where(alert_events.c.tenant_id == self._tenant_id, alert_events.c.alert_id.in_(ids)))
        await tx.execute(delete(alerts).where(self._mine, alerts.c.id.in_(ids)))
        return len(ids)


def _row(made: Alert) -> dict[str, Any]:
    plain = {name: getattr(made, name) for name in COLUMNS}
    return {**plain, "status": made.status.value, "group_id": made.group, "body": msgspec.json.encode(made).decode()}


def alert(row: Row[Any]) -> Alert:
    """The alert that a row holds."""
    body = msgspec.json.decode(row.body, type=Alert)
    return msgspec.structs.replace(body, id=row.id, status=Status(row.status))
