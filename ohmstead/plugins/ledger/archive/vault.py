"""Readings that left the database, read back: beside those that are there they are the readings there ever were."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ohmstead.core.errors import Unavailable
from ohmstead.plugins.ledger.archive import digest, parquet
from ohmstead.plugins.ledger.archive.book import ArchiveBook, Entry
from ohmstead.plugins.ledger.archive.files import Files
from ohmstead.plugins.ledger.archive.parquet import Parquet, Raw
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

FOLDER = "archive/readings"  # below the data folder
NEVER = -(1 << 62)

Span = tuple[int, int]
Rows = list[tuple[int, float | Fraction]]  # as engine/readings.py has them


class Lost(Unavailable):
    """Archived readings of [from_ms, until_ms) cannot be read back."""

    def __init__(self, file: str, reason: str, from_ms: int, until_ms: int) -> None:
        super().__init__(f"data/{FOLDER}/{file}: {reason}; put it back from a backup, then run `ohmstead ledger rebuild`")
        self.from_ms, self.until_ms = from_ms, until_ms


class Vault:
    """Reads the archive. Knows by heart what it has no need to look for."""

    def __init__(self, storage: Storage, files: Files) -> None:
        self.book, self.files, self.parquet = ArchiveBook(storage), files, Parquet()
        self._reader = storage.reader
        self._newest: dict[int, int] = {}  # series -> the newest reading that was archived
        self._sealed = NEVER  # the last day of which there is a seal

    async def open(self) -> None:
        """Learn what there is. Storage must be open."""
        self._newest, sealed = await self.book.newest(), await self.book.newest_seal()
        self._sealed = NEVER if sealed is None else sealed

    def learn(self, entries: Iterable[Entry], sealed: int) -> None:
        """These were archived, and days up to that one sealed."""
        for entry in entries:
            self._newest[entry.series] = max(self._newest.get(entry.series, NEVER), entry.last_ms)
        self._sealed = max(self._sealed, sealed)

    def holds(self, series: int, after_ms: int) -> bool:
        """Whether readings of a series later than an instant were archived."""
        return self._newest.get(series, NEVER) > after_ms

    async def left(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> bool:
        """Whether readings of a series in [start, end) were archived."""
        return bool(await self.days(conn, series, start_ms, end_ms))

    async def days(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> list[int]:
        """The UTC days that archived readings of a series in [start, end) are of."""
        if not self.holds(series, start_ms - 1):
            return []
        return [entry.day for entry in await self.book.entries(conn, series, start_ms, end_ms)]

    async def readings(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int, most: int = 1 << 30) -> Rows:
        """All readings in [start, end) in order of time, at most so many: those in the database and those archived. Lost."""
        rows: Rows = await self._reader.fetch(conn, READINGS, series, start_ms, end_ms, most)
        return await self.add(conn, series, (start_ms, end_ms), rows, most)

    async def add(
        self, conn: AsyncConnection, series: int, span: Span, rows: Rows, most: int, blind_ms: int = NEVER
    ) -> Rows:
        """The first readings in a span, at most so many, of those archived and `rows`, which are the first in the database.

        Days that end before `blind_ms` are left out. Lost.
        """
        if not self.holds(series, span[0] - 1):
            return rows
        entries = [entry for entry in await self.book.entries(conn, series, *span) if (entry.day + 1) * DAY_MS > blind_ms]
        found: dict[int, float | Fraction] = {}
        for place, entry in enumerate(entries):
            if len(found) >= most:
                break
            some = await self.read(entry, entries[place:])
            found.update((raw.at_ms, raw.value) for raw in some if raw.value is not None and span[0] <= raw.at_ms < span[1])
        return sorted({**dict(rows), **found}.items())[:most] if found else rows  # what was archived came first

    async def first_ms(self, conn: AsyncConnection, series: int, start_ms: int, end_ms: int) -> int | None:
        """The instant of the first archived reading in [start, end); the start itself where it is lost."""
        if not self.holds(series, start_ms - 1):
            return None
        for entry in await self.book.entries(conn, series, start_ms, end_ms):
            if entry.first_ms >= start_ms:
                return entry.first_ms
            try:
                found = next((raw.at_ms for raw in await self.read(entry) if start_ms <= raw.at_ms < end_ms), None)
            except Lost:
                return start_ms
            if found is not None:
                return found
        return None

    async def read(self, entry: Entry, later: Sequence[Entry] = ()) -> list[Raw]:
        """The readings of one day, exactly as they were archived. Lost, with those of `later` that are gone as well."""
        reason = await asyncio.to_thread(self._missing, entry)
        if reason is None:
            found = await asyncio.to_thread(self._rows, entry)
            if found is not None:
                return found
            reason = "the file is damaged"
        gone = await asyncio.to_thread(lambda: [each.day for each in later if self._missing(each) is not None])
        raise Lost(entry.file, reason, entry.day * DAY_MS, (max([entry.day, *gone]) + 1) * DAY_MS)

    def _missing(self, entry: Entry) -> str | None:
        if not self.files.has(entry.file):
            return "the file is gone"
        return None if parquet.installed() else f"it takes DuckDB to read it: {parquet.INSTALL}"

    def _rows(self, entry: Entry) -> list[Raw] | None:
        """None where they are not what was archived."""
        try:
            found = self.parquet.read(self.files.path(entry.file), entry.series, entry.day * DAY_MS, (entry.day + 1) * DAY_MS)
        except OSError:
            return None
        rows = found.get(entry.series, [])
        return rows if digest.of_readings(rows) == entry.digest else None

    async def seal_again(self, tx: AsyncConnection, derived: Iterable[tuple[int, int, int]]) -> None:
        """The tracks of meter points on the days [first, last] were derived anew and written: what was sealed of them is again."""
        await self.book.seal_again(tx, [each for each in derived if each[1] <= min(each[2], self._sealed)])


READINGS = "SELECT at_ms, value FROM readings WHERE series_id = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4"
