"""The rows of the archive: what it holds of which series and day, and the seals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

from ohmstead.plugins.ledger.archive import digest
from ohmstead.plugins.ledger.archive.parquet import Raw
from ohmstead.plugins.ledger.lists import delete
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

EVER = -(1 << 20)  # a UTC day before all days
COLUMNS = ("series_id", "day", "file", "digest", "first_ms", "last_ms")


class Entry(NamedTuple):
    """Where the readings of a series and UTC day are, and what they must come to."""

    series: int
    day: int
    file: str
    digest: bytes
    first_ms: int
    last_ms: int


class ArchiveBook:
    """Statements; each takes the connection it is to run on."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._reader = storage, storage.reader

    async def newest(self) -> dict[int, int]:
        """The instant of the newest archived reading of each series that has any."""
        return {int(key): int(at_ms) for key, at_ms in await self._reader.rows(_NEWEST)}

    async def newest_seal(self) -> int | None:
        """The last UTC day that is sealed of any meter point; None without seals."""
        [(day,)] = await self._reader.rows("SELECT max(day) FROM seals")
        return None if day is None else int(day)

    async def entries(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> list[Entry]:
        """What holds readings of a series in [start, end), in order."""
        rows = await self._reader.fetch(conn, _ENTRIES, series, start_ms, end_ms)
        return [Entry(*row)._replace(digest=bytes(row[3])) for row in rows]

    async def first_day(self, series: int, from_ms: int, before_ms: int) -> int | None:
        """The first UTC day in which the database has a reading or text of a series in [from, before)."""
        [(at_ms,)] = await self._reader.rows(_FIRST, series, from_ms, before_ms)
        return None if at_ms is None else int(at_ms) // DAY_MS

    async def there(self, conn: AsyncConnection, series: int, day: int) -> list[Raw]:
        """What the database has of a series and UTC day, in order of time."""
        rows = await self._reader.fetch(conn, _THERE, series, day * DAY_MS, (day + 1) * DAY_MS)
        return [Raw(*row) for row in rows]

    async def put(self, tx: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Have these entries, in the place of those of the same series and days."""
        await delete(tx, self._reader, "archived_days", ("series_id", "day"), [entry[:2] for entry in entries])
        await self._storage.bulk(tx, "archived_days", COLUMNS, [tuple(entry) for entry in entries])

    async def seal(self, tx: AsyncConnection, point: int, until_day: int) -> None:
        """Seal all days of a meter point up to that one that are not sealed yet."""
        await self._put_seals(tx, point, await self._reader.fetch(tx, _UNSEALED, point, until_day))

    async def seals(self, conn: AsyncConnection, point: int) -> dict[int, bytes]:
        """The seal of each day of a meter point that has one."""
        return {day: bytes(found) for day, found in await self._reader.fetch(conn, _SEALS, point)}

    async def broken(self, conn: AsyncConnection, point: int) -> list[int]:
        """The sealed days of a meter point whose tracks are not what was sealed."""
        rows = await self._reader.fetch(conn, _SEALED, point, EVER, -EVER)
        now = {day: digest.of_tracks(row[1:] for row in some) for day, some in groupby(rows, lambda row: row[0])}
        return [day for day, sealed in (await self.seals(conn, point)).items() if now.get(day) != sealed]

    async def seal_again(self, tx: AsyncConnection, spans: Iterable[tuple[int, int, int]]) -> None:
        """The tracks of the days [first, last] of meter points were derived anew: seal as they are now those that were sealed."""
        for point, first, last in spans:
            rows = await self._reader.fetch(tx, _SEALED, point, first, last)
            await tx.execute(_UNSEAL, {"point": point, "first": first, "last": last})
            await self._put_seals(tx, point, rows)

    async def _put_seals(self, tx: AsyncConnection, point: int, rows: Iterable[tuple[Any, ...]]) -> None:
        seals = [(point, day, digest.of_tracks(row[1:] for row in some)) for day, some in groupby(rows, lambda row: row[0])]
        await self._storage.bulk(tx, "seals", ("point_id", "day", "digest"), seals)


_NEWEST = "SELECT series_id, max(last_ms) FROM archived_days GROUP BY series_id"
_ENTRIES = f"""
    SELECT {", ".join(COLUMNS)} FROM archived_days WHERE series_id = $1 AND last_ms >= $2 AND first_ms < $3 ORDER BY day
"""  # noqa: S608
_FIRST = """
    SELECT min(at_ms) FROM (
        SELECT (SELECT min(at_ms) FROM readings WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3) AS at_ms
        UNION ALL SELECT (SELECT min(at_ms) FROM texts WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3)) firsts
"""
_THERE = """
    SELECT r.at_ms, r.value, r.said, n.sampled_ms, n.flags FROM (
        SELECT series_id, at_ms, value, CAST(NULL AS TEXT) AS said FROM readings WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3
        UNION ALL SELECT series_id, at_ms, NULL, value FROM texts WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3
    ) r LEFT JOIN reading_notes n ON n.series_id = r.series_id AND n.at_ms = r.at_ms ORDER BY r.at_ms
"""
_TRACKS = "t.day, t.binding_id, t.term, t.slot_ms, t.energy, t.cover, t.state FROM track_days t JOIN bindings b ON b.id = t.binding_id"
_UNSEALED = f"""
    SELECT {_TRACKS} WHERE b.point_id = $1 AND t.day <= $2
        AND NOT EXISTS (SELECT 1 FROM seals s WHERE s.point_id = b.point_id AND s.day = t.day) ORDER BY t.day, t.binding_id, t.term
"""  # noqa: S608
_SEALED = f"""
    SELECT {_TRACKS} JOIN seals s ON s.point_id = b.point_id AND s.day = t.day
    WHERE b.point_id = $1 AND t.day >= $2 AND t.day <= $3 ORDER BY t.day, t.binding_id, t.term
"""
_SEALS = "SELECT day, digest FROM seals WHERE point_id = $1 ORDER BY day"
_UNSEAL = text("DELETE FROM seals WHERE point_id = :point AND day >= :first AND day <= :last")
