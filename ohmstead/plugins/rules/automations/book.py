"""The rows of automations: those of the API, what was decided of any, runs that wait, traces, holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Table, delete, insert, select, update

from ohmstead.plugins.rules.automations.automation import Automation
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.insertion import insert_rows
from ohmstead.plugins.rules.tables import automation_runs, automation_state, automation_traces, automations, holds
from ohmstead.plugins.storage.connection import AsyncConnection

MANY, RINGS = 500, 50  # rows, and rings of traces, in one statement

Claims = list[tuple[str, str]]  # device and capability


class Stood(NamedTuple):
    """What is known of an automation from before: whether somebody switched it, how often it ran, and when last."""

    enabled: bool | None
    times: int
    last_ms: int | None


class Book:
    """Statements on the rows of one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id

    def _mine(self, table: Table) -> ColumnElement[bool]:
        found: ColumnElement[bool] = table.c.tenant_id == self._tenant_id
        return found

    # Automations

    async def made(self, conn: AsyncConnection) -> dict[str, dict[str, Any]]:
        """Those of the API, as they were stated."""
        rows = await conn.execute(select(automations.c.id, automations.c.body).where(self._mine(automations)))
        return {row.id: msgspec.json.decode(row.body) for row in rows}

    async def put(self, tx: AsyncConnection, id_: str, options: Mapping[str, Any], now_ms: int) -> None:
        """Keep one of the API."""
        values = {"body": msgspec.json.encode(options).decode()}
        done = await tx.execute(update(automations).where(self._mine(automations), automations.c.id == id_).values(**values))
        if not done.rowcount:
            await tx.execute(insert(automations).values(tenant_id=self._tenant_id, id=id_, created_ms=now_ms, **values))

    async def remove(self, tx: AsyncConnection, id_: str) -> None:
        """Forget one of the API and all that was known of it."""
        columns = {automations: "id", automation_state: "id", automation_runs: "automation", automation_traces: "automation"}
        for table, column in columns.items():
            await tx.execute(delete(table).where(self._mine(table), table.c[column] == id_))

    async def stood(self, conn: AsyncConnection) -> dict[str, Stood]:
        """What is known of each from before."""
        rows = await conn.execute(select(automation_state).where(self._mine(automation_state)))
        return {id_: Stood(None if enabled is None else bool(enabled), times, last_ms) for _, id_, enabled, times, last_ms in rows}

    async def switch(self, tx: AsyncConnection, automation: Automation, enabled: bool) -> None:
        """Keep that somebody enabled or disabled it."""
        await self._state(tx, automation, {"enabled": int(enabled)})

    async def _state(self, tx: AsyncConnection, automation: Automation, more: Mapping[str, Any]) -> None:
        values = {"count": automation.count, "last_ms": automation.last_ms, **more}
        mine = (self._mine(automation_state), automation_state.c.id == automation.id)
        done = await tx.execute(update(automation_state).where(*mine).values(**values))
        if not done.rowcount:
            await tx.execute(insert(automation_state).values(tenant_id=self._tenant_id, id=automation.id, **values))

    # Runs and traces

    async def runs(self, conn: AsyncConnection) -> list[dict[str, Any]]:
        """The runs that wait."""
        rows = await conn.execute(select(automation_runs.c.body).where(self._mine(automation_runs)))
        return [msgspec.json.decode(row.body) for row in rows]

    async def put_runs(self, tx: AsyncConnection, waiting: Iterable[tuple[Run, Claims]], over: Collection[str]) -> None:
        """Write where runs wait and what they hold, and forget those that are over."""
        rows = [self._run(run, claims) for run, claims in waiting]
        gone = [*over, *(row["id"] for row in rows)]
        for start in range(0, len(gone), 500):
            some = automation_runs.c.id.in_(gone[start : start + 500])
            await tx.execute(delete(automation_runs).where(self._mine(automation_runs), some))
        for start in range(0, len(rows), 500):
            await tx.execute(insert(automation_runs).values(rows[start : start + 500]))

    def _run(self, run: Run, claims: Claims) -> dict[str, Any]:
        body = msgspec.json.encode({**kept(run), "claims": claims}).decode()
        return {"tenant_id": self._tenant_id, "id": run.id, "automation": run.automation.id, "body": body}

    async def traces(self, conn: AsyncConnection) -> dict[str, list[dict[str, Any]]]:
        """The traces of each automation, oldest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        query = select(automation_traces.c.automation, automation_traces.c.body).where(self._mine(automation_traces))
        for id_, body in await conn.execute(query.order_by(automation_traces.c.began_ms)):
            found.setdefault(id_, []).append(msgspec.json.decode(body))
        return found

    async def put_told(self, tx: AsyncConnection, told: Iterable[Automation]) -> None:
        """Keep when each was last set off."""
        rows = [{"tenant_id": self._tenant_id, "id": each.id, "count": each.count, "last_ms": each.last_ms} for each in told]
        tail = "ON CONFLICT (tenant_id, id) DO UPDATE SET count = excluded.count, last_ms = excluded.last_ms"
        for start in range(0, len(rows), MANY):
            await insert_rows(tx, automation_state, rows[start : start + MANY], tail)

    async def put_traces(self, tx: AsyncConnection, told: Sequence[Automation], fresh: Iterable[Run]) -> None:
        """Write the traces that have no row yet, and drop those that left their ring."""
        t = automation_traces
        for start in range(0, len(told), RINGS):
            some = told[start : start + RINGS]
            ring = [run.id for each in some for run in each.traces]
            await tx.execute(delete(t).where(self._mine(t), t.c.automation.in_([each.id for each in some]), t.c.id.not_in(ring)))
        rows = [
            {"tenant_id": self._tenant_id, "automation": run.automation.id, "id": run.id, "began_ms": run.began_ms,
             "body": msgspec.json.encode(kept(run)).decode()}
            for run in fresh
        ]  # fmt: skip
        tail = "ON CONFLICT (tenant_id, automation, id) DO UPDATE SET began_ms = excluded.began_ms, body = excluded.body"
        for start in range(0, len(rows), MANY):
            await insert_rows(tx, automation_traces, rows[start : start + MANY], tail)

    # Holds

    async def held(self, conn: AsyncConnection) -> list[tuple[str, str, str, int, int]]:
        """Device, capability, automation, priority and until when (ms)."""
        rows = await conn.execute(select(holds).where(self._mine(holds)))
        return [(row.device, row.capability, row.automation, row.priority, row.until_ms) for row in rows]

    async def put_holds(self, tx: AsyncConnection, held: Iterable[tuple[str, str, str, int, int]]) -> None:
        """Make these all there are."""
        await tx.execute(delete(holds).where(self._mine(holds)))
        names = ("device", "capability", "automation", "priority", "until_ms")
        rows = [{"tenant_id": self._tenant_id, **dict(zip(names, each, strict=True))} for each in held]
        if rows:
            await tx.execute(insert(holds).values(rows))


FIELDS = ("id", "pc", "spent", "began_ms", "ended_ms", "due_ms", "result", "reason", "where", "facts", "cause", "steps", "counters")


def kept(run: Run) -> dict[str, Any]:
    """A run as JSON keeps it."""
    return {"automation": run.automation.id, "digest": run.automation.digest, **{name: getattr(run, name) for name in FIELDS}}


def run_of(automation: Automation, body: Mapping[str, Any]) -> Run:
    """The run that `kept` kept. KeyError for what it did not make."""
    run = Run(automation, body["facts"], tuple(body["cause"]), body["began_ms"], body["id"])
    for name in ("pc", "spent", "ended_ms", "due_ms", "result", "reason", "where"):
        setattr(run, name, body[name])
    run.steps = [(where, result, saw, at_ms) for where, result, saw, at_ms in body["steps"]]
    run.counters = {int(place): count for place, count in body["counters"].items()}
    run.stored = True
    return run
