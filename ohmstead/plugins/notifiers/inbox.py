"""The messages people find in the app, until they are old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, func, insert, or_, select, update

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.notice import Message
from ohmstead.plugins.notifiers.tables import inbox
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage


class Inbox:
    """Rows, newest first."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        self._mine = inbox.c.tenant_id == storage.tenant_id

    async def put(self, message: Message) -> bool:
        """Keep a message; False when it is there already."""
        row = {
            "id": message.id, "tenant_id": self._storage.tenant_id, "person": message.person or "", "kind": message.kind,
            "severity": message.severity, "title": message.title, "body": message.body,
            "facts": msgspec.json.encode(dict(message.facts)).decode(), "link": message.link, "at_ms": message.at_ms,
        }  # fmt: skip

        async def write(tx: AsyncConnection) -> bool:
            if await tx.scalar(select(inbox.c.id).where(inbox.c.id == message.id)) is not None:
                return False
            await tx.execute(insert(inbox).values(row))
            return True

        return bool(await self._storage.write(write, urgent=True))

    async def page(self, most: int, cursor: str | None, person: str | None, unread: bool) -> tuple[list[dict[str, Any]], str | None]:
        """Messages and the cursor of the next page. Invalid for a cursor that is none."""
        query = select(inbox).where(self._mine).order_by(inbox.c.at_ms.desc(), inbox.c.id.desc()).limit(most + 1)
        if person is not None:
            query = query.where(inbox.c.person == person)
        if unread:
            query = query.where(inbox.c.read_ms.is_(None))
        if cursor is not None:
            at_ms, id_ = place(cursor)
            query = query.where(or_(inbox.c.at_ms < at_ms, and_(inbox.c.at_ms == at_ms, inbox.c.id < id_)))
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
        more = f"{rows[most - 1].at_ms}~{rows[most - 1].id}" if len(rows) > most else None
        return [_shown(row) for row in rows[:most]], more

    async def unread(self, person: str | None = None) -> int:
        """How many nobody has read."""
        query = select(func.count()).select_from(inbox).where(self._mine, inbox.c.read_ms.is_(None))
        async with self._storage.read() as connection:
            return int(await connection.scalar(query if person is None else query.where(inbox.c.person == person)) or 0)

    async def read(self, id_: str) -> dict[str, Any]:
        """Mark one as read, once; the message. NotFound."""
        statement = update(inbox).where(self._mine, inbox.c.id == id_).values(read_ms=func.coalesce(inbox.c.read_ms, self._clock.now_ms()))

        async def write(tx: AsyncConnection) -> Any:
            return (await tx.execute(statement.returning(*inbox.c))).one_or_none()

        row = await self._storage.write(write)
        if row is None:
            raise NotFound(f"there is no message {id_[:64]!r}")
        return _shown(row)

    async def read_all(self, person: str | None) -> int:
        """Mark all as read; how many that were."""
        statement = update(inbox).where(self._mine, inbox.c.read_ms.is_(None)).values(read_ms=self._clock.now_ms())
        if person is not None:
            statement = statement.where(inbox.c.person == person)

        async def write(tx: AsyncConnection) -> int:
            return int((await tx.execute(statement)).rowcount)

        return int(await self._storage.write(write))


def place(cursor: str) -> tuple[int, str]:
    """Where a page goes on: `at_ms~id`. Invalid."""
    at_ms, tilde, id_ = cursor.partition("~")
    if not tilde or not at_ms.isdecimal() or len(at_ms) > 15:
        raise Invalid("this is no cursor; take meta.nextCursor of the page before")
    return int(at_ms), id_


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "person": row.person or None, "kind": row.kind, "severity": row.severity, "title": row.title, "body": row.body,
        "facts": msgspec.json.decode(row.facts), "link": row.link, "at": iso(row.at_ms),
        "read": None if row.read_ms is None else iso(row.read_ms),
    }  # fmt: skip
