"""What committing an import would change, worked out without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.import_book import Import
from ohmstead.plugins.ledger.layers import kwh

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage


class Previews:
    """Looks at imports before they are committed."""

    def __init__(self, ledger: Ledger, storage: Storage) -> None:
        self._ledger, self._storage = ledger, storage

    async def of(self, made: Import) -> dict[str, Any]:
        """Rows, span and energy of the import, which other imports it contradicts, and the totals of its span before and after."""
        book = self._ledger.imports.book
        async with self._storage.read() as connection:
            extent = await book.extent(connection, made.id)
            periods, registers, amount = await book.total(connection, made.id)
            clashes = [each for each in await book.clashes(connection, made.point_id, made.layer, made.id) if each.later == made.number]
        start, end = (None, None) if extent is None else (iso(extent[0]), iso(extent[1]))
        conflicts = [{"import": each.earlier, "periods": each.count, "start": iso(each.start_ms), "end": iso(each.end_ms),
                      "kwh": kwh(each.mwh)} for each in clashes]  # fmt: skip
        return {"number": made.number, "periods": periods, "registers": registers, "start": start, "end": end, "kwh": kwh(amount),
                "conflicts": conflicts}  # fmt: skip
