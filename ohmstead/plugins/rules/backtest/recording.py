"""What was recorded: stored readings of series, archived ones among them, in portions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.history import TABLE, SeriesInfo

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.archive.vault import Vault
    from ohmstead.plugins.storage.storage import Storage

PORTION = 50_000  # readings of a series that are held at once
WINDOW_MS = 86_400_000  # of several series: the first portion, the others follow how much that was
Rows = list[tuple[int, Any]]  # (instant, value)
Merged = Sequence[tuple[int, int, Any]]  # (instant, place of the series, value)


class Recording:
    """Reads it back. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, vault: Vault) -> None:
        self._storage, self._vault = storage, vault

    async def series(self) -> dict[str, SeriesInfo]:
        """All that is stored, by address."""
        return {f"{info.device}.{info.quantity}": info for info in await self._storage.history.find()}

    async def before(self, info: SeriesInfo, at_ms: int) -> Rows:
        """The last reading before an instant, if there is one; one that was archived is not looked for."""
        return await self._storage.reader.rows(_BEFORE.format(table=TABLE[info.kind]), info.key, at_ms)

    async def portions(self, info: SeriesInfo, start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
        """The readings in [start, end) in order of time. Unavailable where archived ones cannot be read."""
        while True:
            rows = await self._some(info, start_ms, end_ms)
            if rows:
                yield rows
            if len(rows) < PORTION:
                return
            start_ms = rows[-1][0] + 1

    async def merged(
        self, infos: Sequence[SeriesInfo], start_ms: int, end_ms: int, beside: Merged = ()
    ) -> AsyncIterator[Merged]:
        """The readings of several series in one order of time, those of one instant in the order of `infos`.

        `beside` are others, in order of time, that no series stores.
        """
        window_ms = WINDOW_MS
        while start_ms < end_ms:
            until_ms = min(start_ms + window_ms, end_ms)
            found = [await self._some(info, start_ms, until_ms) for info in infos]
            cut = [rows[-1][0] + 1 for rows in found if len(rows) == PORTION]
            until_ms = min([until_ms, *cut])
            rows = [(at_ms, place, value) for place, some in enumerate(found) for at_ms, value in some if at_ms < until_ms]
            yield sorted([*rows, *beside[bisect_left(beside, (start_ms,)) : bisect_left(beside, (until_ms,))]])
            window_ms = until_ms - start_ms if cut else 2 * window_ms
            start_ms = until_ms

    async def _some(self, info: SeriesInfo, start_ms: int, end_ms: int) -> Rows:
        """The first PORTION of them."""
        async with self._storage.read() as conn:
            rows = await self._storage.reader.fetch(conn, _SOME.format(table=TABLE[info.kind]), info.key, start_ms, end_ms, PORTION)
            if info.kind in (Kind.GAUGE, Kind.COUNTER):
                return await self._vault.add(conn, info.key, (start_ms, end_ms), rows, PORTION)
            return rows


_SOME = "SELECT at_ms, value FROM {table} WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4"
_BEFORE = "SELECT at_ms, value FROM {table} WHERE series_id = $1 AND at_ms < $2 ORDER BY at_ms DESC LIMIT 1"
