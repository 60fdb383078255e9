"""What committing an import would change, worked out without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.imports.book import Import
from ohmstead.plugins.ledger.layers import kwh
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage

PORTION_MS = 60 * DAY_MS  # looked at in one go, so that memory stays flat


class Previews:
    """Looks at imports before they are committed."""

    def __init__(self, ledger: Ledger, storage: Storage) -> None:
        self._ledger, self._storage = ledger, storage

    async def of(self, made: Import) -> dict[str, Any]:
        """Rows, span and energy of the import, which other imports it contradicts, and the totals of its span before and after.

        A total is null where nothing of the span is known.
        """
        book = self._ledger.imports.book
        async with self._storage.read() as connection:
            extent = await book.extent(connection, made.id)
            periods, registers, amount = await book.total(connection, made.id)
            clashes = [each for each in await book.clashes(connection, made.point_id, made.layer, made.id) if each.later == made.number]
            before, after, changed = (None, None, 0) if extent is None else await self._totals(connection, made, *extent)
        start, end = (None, None) if extent is None else (iso(extent[0]), iso(extent[1]))
        conflicts = [{"import": each.earlier, "periods": each.count, "start": iso(each.start_ms), "end": iso(each.end_ms),
                      "kwh": kwh(each.mwh)} for each in clashes]  # fmt: skip
        point = self._ledger.points.by_key(made.point_id)
        unit = "kWh" if point is None else point.unit
        return {"number": made.number, "periods": periods, "registers": registers, "start": start, "end": end, "kwh": kwh(amount),
                "unit": unit, "before_kwh": _shown(before), "after_kwh": _shown(after), "slots_changed": changed,
                "conflicts": conflicts}  # fmt: skip

    async def _totals(
        self, connection: AsyncConnection, made: Import, start_ms: int, end_ms: int
    ) -> tuple[int | None, int | None, int]:
        """The energy of the import's span as it is and as it would be, and how many slots would differ."""
        point, changed = self._ledger.points.by_key(made.point_id), 0
        before: int | None = None
        after: int | None = None
        start_ms, end_ms = await self._ledger.imports.book.reach(connection, made, start_ms, end_ms)
        while point is not None and start_ms < end_ms:
            now, then = await self._ledger.deriver.would(connection, point, (start_ms, min(end_ms, start_ms + PORTION_MS)), made.id)
            before, after, changed = _with(before, now), _with(after, then), changed + _differing(now, then)
            start_ms = max(start_ms + PORTION_MS, now[-1].end_ms)
        return before, after, changed


def _with(total: int | None, sheets: Sequence[Sheet]) -> int | None:
    """A total with the energy of more slots; None while nothing is covered."""
    known = any(any(cover) for sheet in sheets for cover in (sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms))
    return (total or 0) + sum(sum(sheet.mwh) for sheet in sheets) if known else total


def _shown(total: int | None) -> str | None:
    return None if total is None else kwh(total)


def _differing(now: Sequence[Sheet], then: Sequence[Sheet]) -> int:
    return sum(
        one != other for before, after in zip(now, then, strict=True)
        for one, other in zip(zip(before.mwh, before.source, strict=True), zip(after.mwh, after.source, strict=True), strict=True)
    )  # fmt: skip
