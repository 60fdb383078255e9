"""The chain in the database: entries get their places inside a transaction of the one writer, so there is one order.

Whoever appends takes the row of the head first, which other houses on the same database then wait for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, insert, select, update

from ohmstead.core.model import is_slug
from ohmstead.plugins.audit.entry import GENESIS, Entry, Link, clean, sealed, text_of
from ohmstead.plugins.audit.key import Key
from ohmstead.plugins.audit.tables import checkpoints, entries, head, personal
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

BEGAN, SEAL_BROKEN = "audit.began", "audit.seal_broken"
COLUMNS = ("tenant_id", "number", "at_ms", "type", "subject", "device_id", "who", "data", "personal", "hash")
PERSONAL = ("tenant_id", "id", "at_ms", "who", "salt", "data")
SALT = 16  # bytes

Place = tuple[int, bytes]  # the number of an entry and its hash


class Chain:
    """The entries of one tenant."""

    def __init__(self, storage: Storage, key: Key) -> None:
        self._storage, self.key = storage, key
        self.tenant = storage.tenant_id

    async def append(self, tx: AsyncConnection, made: Iterable[Entry], now_ms: int) -> Place:
        """Add entries behind all others, in a transaction of `storage.write`; they are in the log once that is committed.

        The place of the last one tells whether it was: no other group could ever have its hash there.
        """
        found = await self._head(tx)
        number, hash_ = (found.number, found.hash) if found is not None else (0, GENESIS)
        if found is None:
            made = (Entry(BEGAN), *made)  # a log that was thrown away as a whole shows by when it began
        elif not hmac.compare_digest(found.seal, self.key.head(self.tenant, number, hash_)):
            made = (Entry(SEAL_BROKEN, data={"behind": number}), *made)  # somebody wrote into the log who has no key: that stays on record
        rows, aside = [], []
        for entry in made:
            number += 1
            link, beside = self._link(number, entry, now_ms)
            hash_ = sealed(self.tenant, hash_, link)
            rows.append((self.tenant, *_values(link), hash_))
            aside += beside
        await self._storage.bulk(tx, "audit_personal", PERSONAL, aside)
        await self._storage.bulk(tx, "audit_entries", COLUMNS, rows)
        values = {"number": number, "hash": hash_, "seal": self.key.head(self.tenant, number, hash_)}
        there = update(head).where(head.c.tenant_id == self.tenant) if found is not None else insert(head)
        await tx.execute(there.values(values if found is not None else {"tenant_id": self.tenant, **values}))
        return number, hash_

    async def holds(self, tx: AsyncConnection, place: Place) -> bool:
        """Whether the entry of that place is in the log."""
        number, hash_ = place
        return await tx.scalar(select(entries.c.hash).where(entries.c.tenant_id == self.tenant, entries.c.number == number)) == hash_

    async def _head(self, tx: AsyncConnection) -> Row[Any] | None:
        return (await tx.execute(select(head).where(head.c.tenant_id == self.tenant).with_for_update())).first()

    def _link(self, number: int, entry: Entry, now_ms: int) -> tuple[Link, list[tuple[Any, ...]]]:
        at_ms, who, beside = now_ms if entry.at_ms is None else entry.at_ms, entry.who, dict(entry.personal)
        if who is not None and not is_slug(who):  # somebody's name and no id
            beside["name"], who = who, None
        name, rows = None, []
        if beside:
            salt, data = secrets.token_bytes(SALT), text_of(beside)
            name = named(salt, data)
            rows = [(self.tenant, name, at_ms, who, salt, data)]
        link = Link(number, at_ms, entry.type, clean(entry.subject), clean(entry.device), who, text_of(entry.data), name)
        return link, rows

    async def read(self, tx: AsyncConnection, after: int, up_to: int, limit: int) -> Sequence[Row[Any]]:
        """Entries behind number `after` in their order, with what is kept beside them (salt, aside; None where that is deleted)."""
        beside = (personal.c.tenant_id == entries.c.tenant_id) & (personal.c.id == entries.c.personal)
        query = select(entries, personal.c.salt, personal.c.data.label("aside")).outerjoin(personal, beside)
        wanted = (entries.c.tenant_id == self.tenant, entries.c.number > after, entries.c.number <= up_to)
        return (await tx.execute(query.where(*wanted).order_by(entries.c.number).limit(limit))).all()

    async def ends(self, tx: AsyncConnection) -> tuple[Row[Any] | None, Sequence[Row[Any]]]:
        """The row of the head, and the checkpoints in their order."""
        newest = (await tx.execute(select(head).where(head.c.tenant_id == self.tenant))).first()
        cut = select(checkpoints).where(checkpoints.c.tenant_id == self.tenant).order_by(checkpoints.c.number)
        return newest, (await tx.execute(cut)).all()


def named(salt: bytes, data: str) -> str:
    """The id of what is kept beside the chain."""
    return hashlib.sha256(salt + data.encode()).hexdigest()


def link_of(row: Row[Any]) -> Link:
    """The entry a row holds."""
    return Link(row.number, row.at_ms, row.type, row.subject, row.device_id, row.who, row.data, row.personal)


def _values(link: Link) -> tuple[Any, ...]:
    return (link.number, link.at_ms, link.type, link.subject, link.device, link.who, link.data, link.personal)
