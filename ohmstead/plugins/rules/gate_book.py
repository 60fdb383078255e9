"""The rows of the gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import delete, select

from ohmstead.plugins.rules.compare import Value
from ohmstead.plugins.rules.insertion import insert_rows
from ohmstead.plugins.rules.tables import gates
from ohmstead.plugins.storage.connection import AsyncConnection

CHUNK = 500


class Kept(NamedTuple):
    """How a gate stands: since when it holds, whether for long enough, and the value."""

    since_ms: int
    on: bool
    value: Value


class GateBook:
    """Statements on the gates of one tenant; each takes the connection it is to run on."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id

    async def read(self, conn: AsyncConnection) -> dict[str, Kept]:
        """Every gate that holds."""
        rows = await conn.execute(select(gates).where(gates.c.tenant_id == self._tenant_id))
        return {row.key: Kept(row.since_ms, bool(row.is_on), row.number if row.text is None else row.text) for row in rows}

    async def put(self, tx: AsyncConnection, changes: Mapping[str, Kept | None]) -> None:
        """Write gates as they stand; None for one that does not hold."""
        keys = list(changes)
        for start in range(0, len(keys), CHUNK):
            some = keys[start : start + CHUNK]
            await tx.execute(delete(gates).where(gates.c.tenant_id == self._tenant_id, gates.c.key.in_(some)))
            rows = [self._row(key, kept) for key in some if (kept := changes[key]) is not None]
            if rows:
                await insert_rows(tx, gates, rows)

    def _row(self, key: str, kept: Kept) -> dict[str, object]:
        number, text = (None, kept.value) if isinstance(kept.value, str) else (kept.value, None)
        return {"tenant_id": self._tenant_id, "key": key, "since_ms": kept.since_ms, "is_on": int(kept.on), "number": number, "text": text}
