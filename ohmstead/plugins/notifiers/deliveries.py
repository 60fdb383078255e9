"""The log of deliveries: every message with its status, attempts, and what the other side answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from ohmstead.core.clock import iso
from ohmstead.plugins.notifiers.inbox import place
from ohmstead.plugins.notifiers.tables import messages, outbox

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

STATUSES = ("pending", "sent", "failed", "bounced")


class Deliveries:
    """Reads it, newest first."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._mine = messages.c.tenant_id == storage.tenant_id

    async def page(
        self, most: int, cursor: str | None, status: str | None, recipient: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Messages and the cursor of the next page. Invalid for a cursor that is none."""
        query = select(messages).where(self._mine).order_by(messages.c.created_ms.desc(), messages.c.id.desc()).limit(most + 1)
        if status is not None:
            query = query.where(messages.c.status == status)
        if recipient is not None:
            query = query.where(messages.c.recipient == recipient)
        if cursor is not None:
            at_ms, id_ = place(cursor)
            query = query.where(or_(messages.c.created_ms < at_ms, and_(messages.c.created_ms == at_ms, messages.c.id < id_)))
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
        more = f"{rows[most - 1].created_ms}~{rows[most - 1].id}" if len(rows) > most else None
        return [_shown(row) for row in rows[:most]], more

    async def of_notice(self, notice_id: int) -> list[dict[str, Any]]:
        """What became of one notice: its messages, and what still waits."""
        of = select(outbox.c.message_id).where(outbox.c.notice_id == notice_id)
        async with self._storage.read() as connection:
            rows = (await connection.execute(select(messages).where(messages.c.id.in_(of)).order_by(messages.c.channel))).all()
            waiting = (await connection.execute(
                select(outbox).where(outbox.c.notice_id == notice_id, outbox.c.message_id.is_(None)))).all()  # fmt: skip
        return [*map(_shown, rows), *({"recipient": row.recipient, "status": "pending", "waits_for": row.held} for row in waiting)]


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "at": iso(row.created_ms), "recipient": row.recipient, "channel": row.channel, "address": row.place,
        "kind": row.kind, "severity": row.severity, "title": row.title, "notices": row.notices, "status": row.status,
        "attempts": row.attempts, "repeated": bool(row.repeated), "answer": row.answer,
        "next": iso(row.due_ms) if row.status == "pending" else None, "ended": None if row.ended_ms is None else iso(row.ended_ms),
    }  # fmt: skip
