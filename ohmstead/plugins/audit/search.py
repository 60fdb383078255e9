"""Reading the log back: by type, device, person and time, the newest entry first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Row, delete, select

from ohmstead.core.clock import iso
from ohmstead.plugins.audit.tables import entries, personal
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage


class Search:
    """Finds entries of one tenant."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._tenant = storage, storage.tenant_id

    async def find(self, wanted: Mapping[str, Any], before: int | None, limit: int) -> list[dict[str, Any]]:
        """Entries with a number below `before`. `wanted` may name type ("device.offline", or "device.*" for all such),
        subject, device, person, start and end in ms."""
        beside = (personal.c.tenant_id == entries.c.tenant_id) & (personal.c.id == entries.c.personal)
        query = select(entries, personal.c.data.label("aside")).outerjoin(personal, beside).where(entries.c.tenant_id == self._tenant)
        for condition in _conditions(wanted, before):
            query = query.where(condition)
        async with self._storage.read() as tx:
            return [_shown(row) for row in await tx.execute(query.order_by(entries.c.number.desc()).limit(limit))]

    async def forget(self, who: str | None = None, before_ms: int | None = None) -> int:
        """Delete what is kept of a person, or of everybody from before an instant, beside the chain; how many entries lost it."""
        gone = delete(personal).where(personal.c.tenant_id == self._tenant)
        gone = gone.where(personal.c.who == who) if who is not None else gone
        gone = gone.where(personal.c.at_ms < before_ms) if before_ms is not None else gone

        async def write(tx: AsyncConnection) -> int:
            return (await tx.execute(gone)).rowcount

        return int(await self._storage.write(write))


def _conditions(wanted: Mapping[str, Any], before: int | None) -> list[Any]:
    found = [] if before is None else [entries.c.number < before]
    columns = {"subject": entries.c.subject, "device": entries.c.device_id, "person": entries.c.who}
    found += [column == wanted[name] for name, column in columns.items() if name in wanted]
    if (kind := wanted.get("type", "")).endswith("*"):
        found.append(entries.c.type.startswith(kind[:-1], autoescape=True))
    elif kind:
        found.append(entries.c.type == kind)
    # Without statistics SQLite takes the index of times before one that finds far less: + 0 keeps it from that one.
    at_ms = entries.c.at_ms + 0 if {"device", "person"} & wanted.keys() else entries.c.at_ms
    found += [at_ms >= wanted["start"]] if "start" in wanted else []
    return found + ([at_ms < wanted["end"]] if "end" in wanted else [])


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "number": row.number, "at": iso(row.at_ms), "type": row.type, "subject": row.subject, "device": row.device_id, "who": row.who,
        "data": msgspec.json.decode(row.data), "personal": None if row.aside is None else msgspec.json.decode(row.aside),
        "hash": row.hash.hex(),
    }  # fmt: skip
