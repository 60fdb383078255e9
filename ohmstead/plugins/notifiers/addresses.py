"""What is known of addresses: who unsubscribed from what, which bounce and are paused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import ColumnElement, delete, select, text, update

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import NotFound
from ohmstead.plugins.notifiers.book import MANY, batches
from ohmstead.plugins.notifiers.tables import addresses, refusals
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

BOUNCES = 3  # in a row, and the address is paused


class Known(msgspec.Struct):
    """One address: since when it is paused and why, and the kinds nobody wants there."""

    paused_ms: int | None = None
    reason: str | None = None
    refused: set[str] = msgspec.field(default_factory=set)

    def why_not(self, kind: str) -> str | None:
        """Why notices of a kind are not sent there; None when they are."""
        if kind in self.refused:
            return f"unsubscribed from {kind}"
        if self.paused_ms is not None:
            return f"paused since {iso(self.paused_ms)}: {self.reason}"
        return None


class Addresses:
    """The rows of one tenant."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        self._tenant_id = storage.tenant_id

    async def known(self, tx: AsyncConnection, keys: Iterable[str]) -> dict[str, Known]:
        """What is known of these; nothing of most."""
        found: dict[str, Known] = {}
        for some in batches(sorted(keys), MANY):
            mine = addresses.c.tenant_id == self._tenant_id, addresses.c.address_key.in_(some), addresses.c.paused_ms.is_not(None)
            for row in await tx.execute(select(addresses).where(*mine)):
                found[row.address_key] = Known(row.paused_ms, row.reason)
            refused = select(refusals).where(refusals.c.tenant_id == self._tenant_id, refusals.c.address_key.in_(some))
            for row in await tx.execute(refused):
                found.setdefault(row.address_key, Known()).refused.add(row.kind)
        return found

    async def look(self, keys: Iterable[str]) -> dict[str, Known]:
        """The same, outside of any transaction."""
        async with self._storage.read() as connection:
            return await self.known(connection, keys)

    async def took(self, tx: AsyncConnection, key: str) -> None:
        """It took a message: what bounced before is forgiven."""
        await tx.execute(delete(addresses).where(*self._is(key), addresses.c.paused_ms.is_(None)))

    async def bounced(self, tx: AsyncConnection, key: str, place: str, answer: str) -> bool:
        """It refused a message for good; whether it is paused from now on."""
        values = {"tenant": self._tenant_id, "key": key, "place": place}
        bounces, paused_ms = (await tx.execute(text(_BOUNCED), values)).one()
        if bounces < BOUNCES or paused_ms is not None:
            return False
        reason = f"{bounces} messages in a row were refused for good, the last with: {answer}"
        await tx.execute(update(addresses).where(*self._is(key)).values(paused_ms=self._clock.now_ms(), reason=reason))
        return True

    async def resume(self, key: str) -> None:
        """Use a paused address again. NotFound."""

        async def write(tx: AsyncConnection) -> int:
            return int((await tx.execute(delete(addresses).where(*self._is(key), addresses.c.paused_ms.is_not(None)))).rowcount)

        if not await self._storage.write(write):
            raise NotFound(f"no address {key[:64]!r} is paused")

    async def refuse(self, key: str, kind: str) -> None:
        """Send no more notices of a kind there."""
        values = {"tenant": self._tenant_id, "key": key, "kind": kind, "at": self._clock.now_ms()}
        await self._storage.write(lambda tx: tx.execute(text(_REFUSED), values))

    async def accept(self, key: str, kind: str) -> None:
        """Send them again. NotFound."""
        which = refusals.c.tenant_id == self._tenant_id, refusals.c.address_key == key, refusals.c.kind == kind

        async def write(tx: AsyncConnection) -> int:
            return int((await tx.execute(delete(refusals).where(*which))).rowcount)

        if not await self._storage.write(write):
            raise NotFound(f"no address {key[:64]!r} is unsubscribed from {kind}")

    def _is(self, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return addresses.c.tenant_id == self._tenant_id, addresses.c.address_key == key


_BOUNCED = """
    INSERT INTO addresses (tenant_id, address_key, place, bounces) VALUES (:tenant, :key, :place, 1)
    ON CONFLICT (tenant_id, address_key) DO UPDATE SET bounces = addresses.bounces + 1, place = excluded.place
    RETURNING bounces, paused_ms
"""
_REFUSED = """
    INSERT INTO refusals (tenant_id, address_key, kind, at_ms) VALUES (:tenant, :key, :kind, :at)
    ON CONFLICT (tenant_id, address_key, kind) DO NOTHING
"""
