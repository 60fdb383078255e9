"""The `ledger:` part of the YAML: how long slots are, and from which day on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from ohmstead.core.clock import EARLIEST_MS
from ohmstead.plugins.ledger.points.registrar import Registrar
from ohmstead.plugins.ledger.slots import DAY_MS, DEFAULT_MS, MINUTE_MS
from ohmstead.plugins.ledger.tables import layer_days, slot_lengths, track_days
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

EPOCH = date(1970, 1, 1)
FIRST_DAY = EARLIEST_MS // DAY_MS
Lengths = list[tuple[int, int]]  # first UTC day since 1970, length in ms


class SlotLengths:
    """Puts the lengths of slots in force. `reload` has them read again by whoever derives."""

    def __init__(self, storage: Storage, registrar: Registrar, reload: Callable[[], Awaitable[None]]) -> None:
        self._storage, self._registrar, self._reload = storage, registrar, reload

    def problems(self, sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Days that are named twice."""
        seen: set[date] = set()
        for number, change in enumerate(sections["ledger"]["changes"]):
            if change["from"] in seen:
                yield ("changes", number, "from"), f"{change['from']} is named twice; keep one of them"
            seen.add(change["from"])

    async def apply(self, given: Mapping[str, Any]) -> None:
        """Write them; from the first day that is cut differently, everything is derived anew in the same transaction's marks."""
        after = lengths(given)

        async def write(tx: AsyncConnection) -> bool:
            mine = slot_lengths.c.tenant_id == self._storage.tenant_id
            rows = await tx.execute(select(slot_lengths.c.from_day, slot_lengths.c.slot_ms).where(mine))
            before = sorted((row[0], row[1]) for row in rows)
            if before == after:
                return False
            await tx.execute(delete(slot_lengths).where(mine))
            for day, slot_ms in after:
                await tx.execute(insert(slot_lengths).values(tenant_id=self._storage.tenant_id, from_day=day, slot_ms=slot_ms))
            changed = differs(before, after)
            if changed is not None:
                await tx.execute(delete(track_days).where(track_days.c.day >= changed))
                await tx.execute(delete(layer_days).where(layer_days.c.day >= changed))
                await self._registrar.mark_all(tx, changed * DAY_MS)
            return True

        if await self._storage.write(write):
            await self._reload()
            self._registrar.wake()


def lengths(given: Mapping[str, Any]) -> Lengths:
    """The rows that validated data describes; nothing for 15 minutes, which slots have anyway."""
    first = [(FIRST_DAY, _ms(given["slot"]))] if _ms(given["slot"]) != DEFAULT_MS else []
    return first + sorted(((change["from"] - EPOCH).days, _ms(change["slot"])) for change in given["changes"])


def differs(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> int | None:
    """The first UTC day on which slots are of another length; None when there is none."""
    days = sorted({FIRST_DAY, *(day for day, _ in before), *(day for day, _ in after)})
    return next((day for day in days if _at(before, day) != _at(after, day)), None)


def _at(rows: Sequence[tuple[int, int]], day: int) -> int:
    place = bisect_right([first for first, _ in rows], day)
    return rows[place - 1][1] if place else DEFAULT_MS


def _ms(text: str) -> int:
    return int(text.removesuffix("m")) * MINUTE_MS
