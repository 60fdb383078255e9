"""Lets raw readings leave the database: archived, read back and compared, the intervals made of them sealed.

Stopped at any point nothing is lost: a file is there before its row, and the row before anything is deleted. Done twice
it comes to the same, since a file is named after what it holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ohmstead.core.clock import from_ms
from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.plugins.ledger.archive import digest, parquet
from ohmstead.plugins.ledger.archive.book import Entry
from ohmstead.plugins.ledger.archive.parquet import Raw, Series
from ohmstead.plugins.ledger.archive.vault import FOLDER, Lost, Vault
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.retention import CHUNK, Leaving

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.engine.deriver import Deriver
    from ohmstead.plugins.ledger.points.points import MeterPoints
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

READINGS = 200_000  # in a file, more or less
EVER = -(1 << 62)


class Hold(NamedTuple):
    """A span of a meter point that is not settled: the raw readings of it, and of a day around, are needed still."""

    meter_point: str
    start_ms: int
    end_ms: int


Holder = Callable[[int], Awaitable[Iterable[Hold]]]  # takes an instant: what ended before it is of no interest


class Part(msgspec.Struct, frozen=True):
    """The raw readings of one series and UTC day: those in the database, and all with those archived before."""

    series: Series
    day: int
    there: Sequence[Raw]
    all: Sequence[Raw]
    entry: Entry  # what is archived of it, or is to be
    fresh: bool  # whether it is to be


class Archive:
    """Keeps what storage lets go. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, vault: Vault, points: MeterPoints, deriver: Deriver) -> None:
        self._storage, self._vault, self._points, self._deriver = storage, vault, points, deriver
        self.holders: list[Holder] = []  # who else may need raw readings

    async def release(self, before: Mapping[int, int]) -> AsyncIterator[Leaving]:
        """See storage's Keeper. Only whole UTC days leave. Unsupported, without DuckDB, when anything would."""
        due = await self._due(before)
        if not due:
            return
        if not parquet.installed():
            raise Unsupported(f"raw readings stay in the database: archiving them takes DuckDB; add it with {parquet.INSTALL}")
        series = await self._series()
        for day, some in groupby(due, lambda each: each[0]):
            async for parts in self._parts(day, [series[key] for _, key in some]):
                for part in await self._keep(day, parts):
                    for leaving in _leaving(part):
                        yield leaving

    async def _due(self, before: Mapping[int, int]) -> list[tuple[int, int]]:
        """(day, series) that may leave, in order."""
        found: dict[int, list[int]] = {}
        for key, before_ms in before.items():
            end_ms, day = before_ms - before_ms % DAY_MS, await self._vault.book.first_day(key, EVER, before_ms - before_ms % DAY_MS)
            while day is not None:
                found.setdefault(key, []).append(day)
                day = await self._vault.book.first_day(key, (day + 1) * DAY_MS, end_ms)
        if not found:
            return []
        held = await self._held(min(days[0] for days in found.values()) * DAY_MS)
        return sorted((day, key) for key, days in found.items() for day in days if not _is_held(held.get(key, ()), day))

    async def _held(self, since_ms: int) -> dict[int, list[Hold]]:
        """What is not settled, by series."""
        since_ms -= DAY_MS
        holds = [Hold(*row) for row in await self._storage.reader.rows(_UNDECIDED, self._storage.tenant_id, since_ms)]
        for holder in self.holders:
            holds += await holder(since_ms)
        async with self._storage.read() as conn:
            tracks = await self._deriver.tracks(conn)
        sums = [(part, each.id) for each in self._points for part, _ in self._points.composition(each.id)]
        needing: dict[int, set[str | None]] = {track.series: set() for track in tracks}
        for track in tracks:
            point = self._points.by_key(track.point)
            if point is not None:  # what is not settled of its parent, or of a sum, may be settled by its readings
                needing[track.series].update((point.id, point.parent, *(total for part, total in sums if part == point.id)))
        return {key: [hold for hold in holds if hold.meter_point in some] for key, some in needing.items()}

    async def _series(self) -> dict[int, Series]:
        rows = await self._storage.reader.rows(_SERIES, self._storage.tenant_id)
        return {row[0]: Series(*row) for row in rows}

    async def _parts(self, day: int, series: Sequence[Series]) -> AsyncIterator[list[Part]]:
        """The readings of a day, as many at a time as go into a file."""
        parts: list[Part] = []
        for each in series:
            part = await self._part(day, each)
            if part is not None:
                parts.append(part)
            if sum(len(part.all) for part in parts) >= READINGS:
                yield parts
                parts = []
        if parts:
            yield parts

    async def _part(self, day: int, series: Series) -> Part | None:
        """None where what was archived before cannot be read: what came since stays until it can."""
        async with self._storage.read() as conn:
            there = await self._vault.book.there(conn, series.key, day)
            entries = await self._vault.book.entries(conn, series.key, day * DAY_MS, (day + 1) * DAY_MS)
        try:
            before = [raw for entry in entries for raw in await self._vault.read(entry)]
        except Lost as lost:
            log.warning("readings of %s.%s that came late stay in the database: %s", series.device, series.quantity, lost)
            return None
        known = {raw.at_ms: raw for raw in before}
        if others := sum(known.get(raw.at_ms, raw) != raw for raw in there):
            log.warning("%s.%s: %d late readings differ from the archived ones of their instants, which stay", series.device,
                        series.quantity, others)  # fmt: skip
        rows = sorted(({raw.at_ms: raw for raw in there} | known).values(), key=lambda raw: raw.at_ms)
        entry = Entry(series.key, day, "", await asyncio.to_thread(digest.of_readings, rows), rows[0].at_ms, rows[-1].at_ms)
        if entries and entries[0].digest == entry.digest:
            return Part(series, day, there, rows, entries[0], fresh=False)
        return Part(series, day, there, rows, entry, fresh=True)

    async def _keep(self, day: int, parts: Sequence[Part]) -> list[Part]:
        """Archive what is not yet, and seal; those whose readings may go now."""
        fresh = [part for part in parts if part.fresh]
        entries: list[Entry] = []
        if fresh:
            name = _name(day, fresh)
            await asyncio.to_thread(self._write, name, fresh)
            entries = [part.entry._replace(file=name) for part in fresh]
        async with self._deriver.turn:
            waiting: set[int] = await self._storage.write(lambda tx: self._record(tx, day, parts, entries))
        self._vault.learn(entries, day)
        return [part for part in parts if part.series.key not in waiting]

    def _write(self, name: str, parts: Sequence[Part]) -> None:
        files = self._vault.files
        draft = files.draft()
        self._vault.parquet.write(draft, [(part.series, part.all) for part in parts])
        files.put(draft, name)
        found = self._vault.parquet.read(files.path(name))
        for part in parts:
            if digest.of_readings(found.get(part.series.key, [])) != part.entry.digest:
                raise Unavailable(f"data/{FOLDER}/{name}: what was read back is not what was written; nothing was deleted")

    async def _record(self, tx: AsyncConnection, day: int, parts: Sequence[Part], entries: Sequence[Entry]) -> set[int]:
        """Write down what was archived, and seal the days up to this one; the series that are not derived that far yet."""
        await self._vault.book.put(tx, entries)
        keys = {part.series.key for part in parts}
        tracks = [track for track in await self._deriver.tracks(tx) if track.series in keys]
        fetch = self._storage.reader.fetch
        marked = {row[0] for row in await fetch(tx, _MARKED, (day + 1) * DAY_MS)}
        waiting = {track.series for track in tracks if track.series in marked}
        points = {row[0] for row in await fetch(tx, _MARKED_POINTS)}
        waiting |= {track.series for track in tracks if track.point in points}
        for point in {track.point for track in tracks if track.series not in waiting}:
            await self._vault.book.seal(tx, point, day)
        return waiting


def _is_held(holds: Iterable[Hold], day: int) -> bool:
    return any(hold.start_ms < (day + 2) * DAY_MS and hold.end_ms > (day - 1) * DAY_MS for hold in holds)


def _leaving(part: Part) -> Iterator[Leaving]:
    """The readings of a part that are in the database, as many at a time as a transaction deletes."""
    start_ms, last = part.day * DAY_MS, len(part.there)
    for place in range(0, last, CHUNK):
        behind = min(place + CHUNK, last)
        end_ms = (part.day + 1) * DAY_MS if behind == last else part.there[behind].at_ms
        yield Leaving(part.series.key, start_ms, end_ms, behind - place)
        start_ms = end_ms


def _name(day: int, parts: Iterable[Part]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d %b" % (part.series.key, part.entry.digest))
    return f"{from_ms(day * DAY_MS):%Y/%m/%Y-%m-%d}-{found.hexdigest()[:12]}.parquet"


_SERIES = "SELECT id, device_id, quantity FROM series WHERE tenant_id = $1"
_UNDECIDED = """
    SELECT p.slug, f.start_ms, f.end_ms FROM findings f JOIN meter_points p ON p.id = f.point_id
    WHERE f.tenant_id = $1 AND f.status = 'open' AND f.cause <> 'sealed' AND f.end_ms > $2
"""
_MARKED = "SELECT DISTINCT series_id FROM ledger_marks WHERE from_ms < $1"
_MARKED_POINTS = "SELECT DISTINCT point_id FROM point_marks"
