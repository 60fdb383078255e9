"""The browsers that subscribed to web push, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.plugins.notifiers.channels.push import SCHEME
from ohmstead.plugins.notifiers.tables import push_subscriptions as rows
from ohmstead.plugins.people.address import shown
from ohmstead.plugins.people.vault import Vault
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

MOST = 20  # browsers of one person


class Subscriptions:
    """Their rows; what identifies a browser is sealed."""

    def __init__(self, storage: Storage, vault: Vault, clock: Clock) -> None:
        self._storage, self._vault, self._clock = storage, vault, clock
        self._mine = rows.c.tenant_id == storage.tenant_id

    async def add(self, person: str, subscription: Mapping[str, Any]) -> str:
        """Take in a browser, once however often it says so; its id. Conflict when somebody has very many."""
        id_ = self._vault.name(subscription["endpoint"])
        sealed = self._vault.seal(msgspec.json.encode(subscription).decode())
        row = {"id": id_, "tenant_id": self._storage.tenant_id, "person": person, "subscription": sealed,
               "created_ms": self._clock.now_ms()}  # fmt: skip

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(delete(rows).where(self._mine, rows.c.id == id_))
            if len((await self.all(tx)).get(person, ())) >= MOST:
                raise Conflict(f"{person} has {MOST} browsers already; remove one first")
            await tx.execute(insert(rows).values(row))

        await self._storage.write(write)
        return id_

    async def all(self, tx: AsyncConnection) -> dict[str, list[str]]:
        """The addresses of everybody's browsers."""
        found: dict[str, list[str]] = {}
        for person, id_ in await tx.execute(select(rows.c.person, rows.c.id).where(self._mine)):
            found.setdefault(person, []).append(f"{SCHEME}://{id_}")
        return found

    async def listing(self) -> list[dict[str, Any]]:
        """All of them, without what is secret."""
        async with self._storage.read() as connection:
            found = (await connection.execute(select(rows).where(self._mine).order_by(rows.c.created_ms))).all()
        return [{"id": row.id, "person": row.person, "since": iso(row.created_ms), "service": self._service(row)} for row in found]

    async def find(self, id_: str) -> str | None:
        """A subscription as the browser gave it, JSON."""
        async with self._storage.read() as connection:
            sealed = await connection.scalar(select(rows.c.subscription).where(self._mine, rows.c.id == id_))
        return None if sealed is None else self._vault.unseal(sealed)

    async def forget(self, id_: str) -> None:
        """Delete one that is gone."""
        await self._storage.write(lambda tx: tx.execute(delete(rows).where(self._mine, rows.c.id == id_)))

    async def remove(self, id_: str) -> None:
        """Delete one that is there. NotFound."""
        if await self.find(id_) is None:
            raise NotFound(f"no browser {id_[:64]!r} is subscribed")
        await self.forget(id_)

    def _service(self, row: Any) -> str:
        return shown(msgspec.json.decode(self._vault.unseal(row.subscription))["endpoint"])
