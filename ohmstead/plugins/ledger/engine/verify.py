"""Derives everything again from readings, bindings, imports and corrections, and compares it byte for byte with what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.ledger.archive.vault import Lost
from ohmstead.plugins.ledger.derive.state import State
from ohmstead.plugins.ledger.engine.days import Day, Said
from ohmstead.plugins.ledger.engine.echo import FOR_EVER, Change, Resolver
from ohmstead.plugins.ledger.engine.rebuild import Rebuilt, rebuild
from ohmstead.plugins.ledger.engine.rolling import FINER, Roll
from ohmstead.plugins.ledger.engine.stack import Stored
from ohmstead.plugins.ledger.engine.strata import lay, packed
from ohmstead.plugins.ledger.engine.tracks import Span, Track
from ohmstead.plugins.ledger.points.points import MeterPoint
from ohmstead.plugins.ledger.rollups import RESOLUTIONS, Rollup
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.engine.deriver import Deriver
    from ohmstead.plugins.ledger.points.points import MeterPoints
    from ohmstead.plugins.storage.storage import Storage

TRIES = 100  # portions derived until there is a moment at which nothing waits
ALWAYS: Span = (-FOR_EVER, FOR_EVER)

Row = tuple[Any, ...]
Place = tuple[Any, ...]  # what it is, where it begins, and what else tells it from others there


class Difference(msgspec.Struct, frozen=True):
    """A row that is not what comes out again; `kept` and `rebuilt` say in what way, None: there is no such row."""

    meter_point: str
    what: str  # live, history, manual, settled, correction; verdict; hour, day, month, year
    start_ms: int
    kept: str | None
    rebuilt: str | None


class Verified(msgspec.Struct):
    """What was compared, and what differs."""

    meter_points: int = 0
    days: int = 0
    rollups: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)
    sealed: dict[str, set[int]] = msgspec.field(default_factory=dict)  # UTC days of meter points, by their seal alone


class Verifier:
    """Compares one meter point after the other; of each it holds no more than its days."""

    def __init__(self, storage: Storage, points: MeterPoints, deriver: Deriver) -> None:
        self._storage, self._points, self._deriver = storage, points, deriver
        self._archive = deriver.vault.book

    async def verify(self, slugs: Sequence[str] | None = None) -> Verified:
        """Compare these meter points, or all. NotFound; Unavailable when readings come in faster than they are derived."""
        points = list(self._points) if slugs is None else [self._points.get(slug) for slug in slugs]
        found = Verified()
        for point in points:
            await self._one(point, found)
        return found

    async def _one(self, point: MeterPoint, found: Verified) -> None:
        for _ in range(TRIES):
            async with self._storage.snapshot() as conn:
                tracks = await self._deriver.tracks(conn)
                if not await self._waits(conn, point, tracks):
                    await self._compare(conn, point, tracks, found)
                    return
            await self._deriver.portion()
        raise Unavailable("readings come in faster than they are derived; try again", retry_after_s=60)

    async def _waits(self, conn: AsyncConnection, point: MeterPoint, tracks: Sequence[Track]) -> bool:
        """Whether something of a meter point, or of what it is computed from, is still to be derived."""
        keys = {part.key for part, _ in self._resolver().parts(point)} | {point.key}
        series = {track.series for track in tracks if track.point in keys}
        marks = await self._storage.reader.fetch(conn, "SELECT DISTINCT series_id FROM ledger_marks")
        reasons = await self._storage.reader.fetch(conn, "SELECT DISTINCT point_id FROM point_marks")
        return any(key in series for (key,) in marks) or any(key in keys for (key,) in reasons)

    def _resolver(self) -> Resolver:
        return Resolver(self._deriver.echo.stack, self._points, self._deriver.grid, self._deriver.bounds())

    async def _compare(self, conn: AsyncConnection, point: MeterPoint, tracks: Sequence[Track], found: Verified) -> None:
        found.meter_points += 1
        if self._points.composition(point.id):
            [days] = await self._resolver().days(conn, [(point, ALWAYS)])
        else:
            days = await self._measured(conn, point, [track for track in tracks if track.point == point.key], tracks, found)
        kept: dict[Place, Rollup] = {}
        for kind in RESOLUTIONS:
            [some] = await self._deriver.echo.rolling.read(conn, kind, [point.key], EARLIEST_MS, LATEST_MS)
            kept |= {(kind, each.start_ms): each for each in some}
        made = await asyncio.to_thread(self._rolled, point, days)
        found.rollups += len(kept)
        found.differences += _differences(point.id, kept, made, _rollup)

    def _rolled(self, point: MeterPoint, days: Mapping[int, Said]) -> dict[Place, Rollup]:
        if not days:
            return {}
        roll = Roll(point.key, ZoneInfo(self._points.zone_of(point.id)), (min(days) * DAY_MS, (max(days) + 1) * DAY_MS))
        roll.hours(days, self._deriver.grid)
        for resolution in FINER:
            roll.gather(resolution)
        return {(kind, each.start_ms): each for kind, some in roll.made.items() for each in some}

    async def _measured(
        self, conn: AsyncConnection, point: MeterPoint, mine: Sequence[Track], tracks: Sequence[Track], found: Verified
    ) -> dict[int, Said]:
        """Compare tracks and layers; the resolved days as they come out again."""
        bounds, stack = self._deriver.bounds(), self._deriver.echo.stack
        kept = (await stack.stored_each(conn, {point.key: bounds.get(point.key, ())}, {point.key: ALWAYS}))[point.key]
        made = Stored({key: {} for key in kept.tracks})
        for track in mine:
            [stored] = await stack.tracks(conn, [track.key], *ALWAYS)
            again, after_ms = await self._again(conn, point, track, stored, found)
            if track.key in made.tracks:
                made.tracks[track.key] = again.days
            found.days += len(again.days)
            found.differences += _differences(point.id, _spoken("live", stored.values()), _spoken("live", again.days.values()), _day)
            verdicts = {("verdict", each.at_ms, each.from_ms): f"{each.cause} {each.mwh} mWh" for each in again.verdicts}
            rows = await self._storage.reader.fetch(conn, _VERDICTS, *track.key, after_ms)
            told = {("verdict", at_ms, from_ms): f"{cause} {mwh} mWh" for at_ms, from_ms, cause, mwh in rows}
            found.differences += _differences(point.id, told, verdicts, str)
        await self._layers(conn, point, kept, made, tracks, found)
        return made.resolved()

    async def _again(
        self, conn: AsyncConnection, point: MeterPoint, track: Track, stored: Mapping[int, Day], found: Verified
    ) -> tuple[Rebuilt, int]:
        """A track as it comes out again, and from where on it does: until there archived readings are lost, and it is as stored."""
        changes = (await self._deriver.echo.corrections.of_series(conn, [track.address])).get(track.address, ())
        state: State | None = None
        while True:
            try:
                made = await rebuild(conn, self._deriver.readings, track, changes, self._deriver.grid, state)
            except Lost as lost:
                rows = await self._storage.reader.fetch(conn, _NEXT, *track.key, lost.until_ms // DAY_MS)
                state = State.decode(rows[0][0]) if rows else None
                if state is None:
                    made, after_ms = Rebuilt({}, []), LATEST_MS
                    break
            else:
                after_ms = -LATEST_MS if state is None else (state.kept_ms // DAY_MS + 1) * DAY_MS
                break
        kept = {day: row for day, row in stored.items() if day * DAY_MS < after_ms}
        if after_ms != -LATEST_MS:
            await self._check_seals(conn, point, kept, found)
        days = {day: row for day, row in made.days.items() if day * DAY_MS >= after_ms}
        return Rebuilt(kept | days, [each for each in made.verdicts if each.at_ms >= after_ms]), after_ms

    async def _check_seals(self, conn: AsyncConnection, point: MeterPoint, days: Iterable[int], found: Verified) -> None:
        """Compare days that cannot be derived again with their seals."""
        sealed, broken = await self._archive.seals(conn, point.key), await self._archive.broken(conn, point.key)
        for day in days:
            found.sealed.setdefault(point.id, set()).add(day)
            if day not in sealed or day in broken:
                what = "not what was sealed" if day in sealed else "no seal, and no readings"
                found.differences.append(Difference(point.id, "live", day * DAY_MS, what, None))

    async def _layers(
        self, conn: AsyncConnection, point: MeterPoint, kept: Stored, made: Stored, tracks: Sequence[Track], found: Verified
    ) -> None:
        """Lay imports and corrections over the tracks that came out again, and compare."""
        echo, grid = self._deriver.echo, self._deriver.grid
        span = await echo.extent(conn, point)
        if span[0] >= span[1]:
            return
        corrections = (await echo.corrections.of_points(conn, [point.key])).get(point.key, ())
        words = await echo.words(conn, Change(point, span), corrections, tracks, grid)
        others = await echo.others(conn, words, self._resolver(), grid)
        laid = await asyncio.to_thread(lay, words, made, grid, others)
        again = {(_name(layer), day.day * DAY_MS): (*day, origin) for layer, day, origin in packed(laid)}
        rows = await self._storage.reader.fetch(conn, _LAYERS, point.key)
        stored = {(_name(layer), row[0] * DAY_MS): tuple(row) for layer, *row in rows}
        found.days += len(stored)
        found.differences += _differences(point.id, stored, again, _day)


def _spoken(what: str, days: Iterable[Day]) -> dict[Place, Row]:
    """Days that say anything, by place."""
    return {(what, day.day * DAY_MS): tuple(day) for day in days if day.energy}


def _differences(
    slug: str, kept: Mapping[Place, Any], made: Mapping[Place, Any], shown: Callable[[Any], str]
) -> Iterator[Difference]:
    for place in sorted(kept.keys() | made.keys()):
        if kept.get(place) != made.get(place):
            old, new = (None if each is None else shown(each) for each in (kept.get(place), made.get(place)))
            yield Difference(slug, place[0], place[1], old, new)


def _name(layer: int) -> str:
    return "history" if layer == Layer.LIVE else Layer(layer).name.lower()


def _day(row: Row) -> str:
    energy = Day(*row[:4]).energy
    return f"{sum(memoryview(energy).cast('q'))} mWh, {len(energy) // 8} slots"


def _rollup(rollup: Rollup) -> str:
    return f"{rollup.mwh} mWh, {rollup.covered_ms} ms, peaks {rollup.peak_15_mwh} and {rollup.peak_60_mwh} mWh"


_VERDICTS = """
    SELECT at_ms, from_ms, verdict, step_mwh FROM verdicts WHERE binding_id = $1 AND term = $2 AND at_ms >= $3 ORDER BY at_ms, from_ms
"""
_NEXT = "SELECT state FROM track_days WHERE binding_id = $1 AND term = $2 AND day >= $3 AND state IS NOT NULL ORDER BY day LIMIT 1"
_LAYERS = "SELECT layer, day, slot_ms, energy, cover, origin FROM layer_days WHERE point_id = $1 ORDER BY layer, day"
