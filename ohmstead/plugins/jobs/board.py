"""The board the jobs hang on: rows that are claimed in one statement, so that several houses on one database share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select, text, update

from ohmstead.plugins.jobs.tables import jobs
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

HOLD_MS = 60_000  # how long a claim lasts unless it is held again; a dead runner's job is free after that

_HANG = "INSERT INTO jobs (tenant_id, name, schedule) VALUES (:tenant, :name, :schedule) ON CONFLICT DO NOTHING"

UNFINISHED = ("running", "interrupted")  # results of a run that nobody saw the end of


class Board:
    """The rows of the jobs of one tenant."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tenant = jobs.c.tenant_id == storage.tenant_id

    async def rows(self) -> dict[str, Mapping[str, Any]]:
        """Every job ever declared, by name."""
        async with self._storage.read() as connection:
            found = await connection.execute(select(jobs).where(self._tenant))
            return {row["name"]: dict(row) for row in found.mappings()}

    async def plan(self, name: str, schedule: str, next_ms: int | None) -> None:
        """Set when a job is due next."""

        async def write(tx: AsyncConnection) -> None:
            await self._hang(tx, name, schedule)
            await tx.execute(update(jobs).where(self._tenant, jobs.c.name == name).values(schedule=schedule, next_ms=next_ms))

        await self._storage.write(write)

    async def _hang(self, tx: AsyncConnection, name: str, schedule: str) -> None:
        """See that a job has its row."""
        values = {"tenant": self._storage.tenant_id, "name": name, "schedule": schedule}
        await tx.execute(text(_HANG), values)

    async def claim(self, name: str, schedule: str, now_ms: int, next_ms: int | None, due_only: bool) -> bool:
        """Take a job to run it, unless it is running; its next due time is set in the same statement.

        With `due_only` it must be due, or its runner must have died. `next_ms` None leaves the next due time alone: whoever
        runs a job by hand may come before it was ever planned.
        """
        free = or_(jobs.c.held_until_ms.is_(None), jobs.c.held_until_ms <= now_ms)
        wanted = or_(jobs.c.next_ms <= now_ms, jobs.c.result.in_(UNFINISHED))
        values: dict[str, Any] = {"held_until_ms": now_ms + HOLD_MS, "started_ms": now_ms, "result": "running"}
        if next_ms is not None:
            values["next_ms"] = next_ms
        statement = update(jobs).where(self._tenant, jobs.c.name == name, free).values(values).returning(jobs.c.name)
        if due_only:
            statement = statement.where(wanted)

        async def write(tx: AsyncConnection) -> bool:
            await self._hang(tx, name, schedule)
            return (await tx.execute(statement)).first() is not None

        return bool(await self._storage.write(write))

    async def hold(self, names: list[str], until_ms: int) -> None:
        """Keep the claims on jobs that still run."""
        statement = update(jobs).where(self._tenant, jobs.c.name.in_(names)).values(held_until_ms=until_ms)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(statement)

        await self._storage.write(write)

    async def finish(self, name: str, **outcome: Any) -> None:
        """Note how a run went (ended_ms, took_s, result, error, next_ms) and let go of the job."""
        statement = update(jobs).where(self._tenant, jobs.c.name == name).values(held_until_ms=None, **outcome)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(statement)

        await self._storage.write(write)
