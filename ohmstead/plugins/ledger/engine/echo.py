"""What follows from changed tracks: layers laid anew over them, meter points that replace or add up others, rollups."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import text

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS
from ohmstead.plugins.ledger.corrections.book import Book
from ohmstead.plugins.ledger.corrections.changes import Replace
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.engine.days import Said, sheets
from ohmstead.plugins.ledger.engine.readings import Readings
from ohmstead.plugins.ledger.engine.rolling import Roll, Rolling
from ohmstead.plugins.ledger.engine.stack import Bound, Part, Stack, compute
from ohmstead.plugins.ledger.engine.strata import IMPORTED, Words, lay, packed
from ohmstead.plugins.ledger.engine.tracks import Span, Track, merged
from ohmstead.plugins.ledger.imports.book import ImportBook
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.points.bindings import seams
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

FOR_EVER = 1 << 30  # a UTC day behind all others

Bounds = Mapping[int, Sequence[Bound]]
Extents = list[tuple[int | None, ...]]
Touched = list[tuple[str, int, int]]
MOST_MS = 60 * DAY_MS  # of a meter point that is laid anew in one transaction: an import may have a period a minute


class Change(msgspec.Struct):
    """A meter point and the span of it that changed below; `sweep`: whatever is stored of it is looked at.

    `until_ms` is where the change ends, when that is behind the span: the rest is for another transaction.
    """

    point: MeterPoint
    span: Span
    sweep: bool = False
    until_ms: int = EARLIEST_MS


class Resolver:
    """Resolved days of meter points, the computed ones too, as a connection sees them."""

    def __init__(self, stack: Stack, points: MeterPoints, grid: Grid, bounds: Bounds) -> None:
        self._stack, self._points, self._grid, self._bounds = stack, points, grid, bounds

    async def days(self, conn: AsyncConnection, wanted: Sequence[tuple[MeterPoint, Span]]) -> list[dict[int, Said]]:
        """The resolved days of each meter point in its UTC days [first, last)."""
        parts = {point.id: self.parts(point) for point, _ in wanted}
        rows: dict[tuple[int, Span], dict[int, Said]] = {}
        need = [(part.key, span) for point, span in wanted for part, _ in parts[point.id]]
        while need:  # a meter point at a time: mostly there is one span of each
            some: dict[int, Span] = {}
            rest = []
            for key, span in need:
                if (key, span) not in rows and some.setdefault(key, span) != span:
                    rest.append((key, span))
            resolved = await self.resolved(conn, some)
            rows |= {(key, span): resolved[key] for key, span in some.items()}
            need = rest
        there = await self.there(conn, [part for slug, some in parts.items() if some[0][0].id != slug for part, _ in some])
        found = []
        for point, span in wanted:
            made = parts[point.id]
            if made and made[0][0] is point:
                found.append(rows[point.key, span])
            else:
                terms = [Part(sign, rows[part.key, span], *there[part.key]) for part, sign in made]
                found.append(await asyncio.to_thread(compute, terms, self._grid))
        return found

    async def resolved(self, conn: AsyncConnection, spans: Mapping[int, Span]) -> dict[int, dict[int, Said]]:
        """The resolved days of meter points that are measured, by key, each in its UTC days [first, last)."""
        stored = await self._stack.stored_each(conn, {key: self._bounds.get(key, ()) for key in spans}, spans)
        return {key: some.resolved() for key, some in stored.items()}

    def parts(self, point: MeterPoint) -> list[tuple[MeterPoint, int]]:
        """What a meter point is made of: itself, or the signed parts of a computed one."""
        made = [(self._points.get(slug), sign) for slug, sign in self._points.composition(point.id)]
        return made if made else [(point, 1)]

    async def there(self, conn: AsyncConnection, parts: Iterable[MeterPoint]) -> dict[int, Span]:
        """The UTC days [first, last) in which meter points count: from the first of which there is a row until the last binding ends."""
        bounds = {part.key: self._bounds.get(part.key, ()) for part in parts}
        firsts = await self._stack.first_days(conn, bounds)
        return {key: (firsts[key], _last(some)) if key in firsts else (FOR_EVER, FOR_EVER) for key, some in bounds.items()}


def _last(bounds: Sequence[Bound]) -> int:
    ends = [bound.to_ms for bound in bounds]
    return FOR_EVER if not ends or None in ends else max(-(-end // DAY_MS) for end in ends if end is not None)


class Echo:
    """Makes anew, in the transaction that wrote the tracks, what lies over them."""

    def __init__(self, storage: Storage, points: MeterPoints, marks: Marks, readings: Readings) -> None:
        self._storage, self._points, self._marks, self._readings = storage, points, marks, readings
        self.stack = Stack(storage.reader)
        self.rolling = Rolling(storage)
        self._imports = ImportBook(storage.tenant_id)
        self.corrections = Book(storage.tenant_id)

    async def make(
        self, tx: AsyncConnection, changed: Mapping[int, list[Span]], laid: Mapping[int, list[Span]], tracks: Sequence[Track],
        bounds: Bounds, grid: Grid,
    ) -> Touched:  # fmt: skip
        """`changed` are spans of meter points whose tracks changed, `laid` those to lay anew for another reason.

        What of the latter is too long for one transaction is marked again.
        """
        changes = await self._changes(tx, changed, laid)
        replacing = await self.corrections.replacing(tx)
        resolver = Resolver(self.stack, self._points, grid, bounds)
        done: list[Change] = []
        while changes:
            changes = await self._lay(tx, changes, tracks, resolver, bounds, grid)
            done += changes
            changes = [follower for follower in self._followers(changes, replacing) if not _known(follower, done)]
        done += self._computed(done)
        done += await self._remade(tx, {*changed, *laid}, resolver)
        for change in done:
            if change.span[1] < change.until_ms:
                await self._marks.point(tx, change.point.key, change.span[1], change.until_ms, Reach.LAYERS)
        await self._roll(tx, done, resolver, grid)
        return [(change.point.id, *change.span) for change in done]

    async def _changes(
        self, tx: AsyncConnection, changed: Mapping[int, list[Span]], laid: Mapping[int, list[Span]]
    ) -> list[Change]:
        found: list[Change] = []
        stored = await self._stored(tx, [point for key in laid if (point := self._points.by_key(key)) is not None])
        for key in dict.fromkeys([*changed, *laid]):
            point = self._points.by_key(key)
            if point is None:
                await self._forget(tx, key)
                continue
            above = [change for span in merged(laid.get(key, ())) for change in await self._sweep(tx, point, span, stored[key])]
            below = [Change(point, span) for span in merged(changed.get(key, ()))]
            found += above + [change for change in below if not _known(change, above)]
        return found

    async def _sweep(self, tx: AsyncConnection, point: MeterPoint, span: Span, stored: Extents) -> list[Change]:
        """As much of a span as there is anything stored of, and a transaction takes."""
        low, high = _extent(stored)
        low, high = max(span[0], low), min(span[1], high)
        above = any(at is not None for row in stored for at in row[1:5])  # a meter point that is new has tracks alone: nothing to sweep
        return [Change(point, (low, min(high, low + MOST_MS)), above, high)] if low < high else []

    async def _forget(self, tx: AsyncConnection, key: int) -> None:
        """Delete what is left of a meter point that is gone."""
        await self.rolling.forget(tx, key)
        await tx.execute(text("DELETE FROM layer_days WHERE point_id = :point"), {"point": key})

    async def extent(self, tx: AsyncConnection, point: MeterPoint) -> Span:
        """Where anything is stored of a meter point, or of what it is computed from."""
        return _extent((await self._stored(tx, [point]))[point.key])

    async def _stored(self, tx: AsyncConnection, points: Sequence[MeterPoint]) -> dict[int, Extents]:
        """Of each, by key, and of each of its parts: where the first and the last begin and end of what is stored in each table."""
        keys = {p.key: [p.key, *(self._points.get(slug).key for slug, _ in self._points.composition(p.id))] for p in points}
        wanted = sorted({part for parts in keys.values() for part in parts})
        rows = await self._storage.reader.fetch_each(tx, _EXTENT, [(part,) for part in wanted], len(wanted)) if wanted else []
        found = dict(zip(wanted, chain.from_iterable(rows), strict=True))
        return {key: [found[part] for part in parts] for key, parts in keys.items()}

    async def _lay(
        self, tx: AsyncConnection, changes: Sequence[Change], tracks: Sequence[Track], resolver: Resolver, bounds: Bounds, grid: Grid
    ) -> list[Change]:
        """Lay the layers anew over each change; the changes, as wide as that made them."""
        keys = list({change.point.key for change in changes})
        made = await self.corrections.of_points(tx, keys)
        imported = {key for (key,) in await tx.execute(_IMPORTED)}
        found = []
        for change in changes:
            key = change.point.key
            if change.sweep or key in imported or key in made:
                words = await self.words(tx, change, made.get(key, ()), tracks, grid)
                if words or change.sweep:
                    await self._write(tx, change.point, words, resolver, bounds, grid)
                    change = msgspec.structs.replace(change, span=words.span)
            found.append(change)
        return found

    async def words(
        self, tx: AsyncConnection, change: Change, corrections: Sequence[Correction], tracks: Sequence[Track], grid: Grid,
        also: int = 0, known_at_ms: int = LATEST_MS,
    ) -> Words:  # fmt: skip
        """What was said around a change, widened until nothing that was said reaches out of it.

        `also` by an import not yet committed; by none that was recorded after `known_at_ms`.
        """
        key, span = change.point.key, (grid.start(change.span[0]), grid.end(change.span[1]))
        swaps = seams(self._points.bindings(change.point.id))
        while True:
            words = Words(span, {}, [each for each in corrections if each.change.overlaps(*span)])
            for layer in IMPORTED:
                words.periods[layer] = (await self._imports.stated(tx, key, layer, *span, swaps, known_at_ms, also)).periods
            wider = words.widened(grid)
            if wider == span:
                break
            span = wider
        if words.periods[Layer.LIVE]:
            words.own_ms = await self._own(tx, key, tracks)
        return words

    async def _own(self, tx: AsyncConnection, key: int, tracks: Sequence[Track]) -> int | None:
        """Where a meter point's own readings begin."""
        firsts = [await self._readings.first_ms(tx, track) for track in tracks if track.point == key]
        return min([at_ms for at_ms in firsts if at_ms is not None], default=None)

    async def would(
        self, conn: AsyncConnection, point: MeterPoint, span: Span, also: int, tracks: Sequence[Track], bounds: Bounds, grid: Grid
    ) -> tuple[list[Sheet], list[Sheet]]:
        """The resolved slots around a span as they are, and as they would be with an import that is not committed, by its id."""
        corrections = (await self.corrections.of_points(conn, [point.key])).get(point.key, ())
        words = await self.words(conn, Change(point, span), corrections, tracks, grid, also)
        days = words.span[0] // DAY_MS, -(-words.span[1] // DAY_MS)
        stored = (await self.stack.stored_each(conn, {point.key: bounds.get(point.key, ())}, {point.key: days}))[point.key]
        before = sheets(stored.resolved(), *words.span, grid)
        others = await self.others(conn, words, Resolver(self.stack, self._points, grid, bounds), grid)
        await asyncio.to_thread(lay, words, stored, grid, others)
        return before, sheets(stored.resolved(), *words.span, grid)

    async def _write(
        self, tx: AsyncConnection, point: MeterPoint, words: Words, resolver: Resolver, bounds: Bounds, grid: Grid
    ) -> None:
        first, last = words.span[0] // DAY_MS, -(-words.span[1] // DAY_MS)
        stored = (await self.stack.stored_each(tx, {point.key: bounds.get(point.key, ())}, {point.key: (first, last)}))[point.key]
        await self.stack.origins(tx, {point.key: stored}, {point.key: (first, last)})
        others = await self.others(tx, words, resolver, grid)
        laid = await asyncio.to_thread(lay, words, stored, grid, others)
        values = {"point": point.key, "first": first, "last": last}
        await tx.execute(text("DELETE FROM layer_days WHERE point_id = :point AND day >= :first AND day < :last"), values)
        rows = [(point.key, int(layer), *day, origin) for layer, day, origin in packed(laid)]
        await self._storage.bulk(tx, "layer_days", ("point_id", "layer", "day", "slot_ms", "energy", "cover", "origin"), rows)

    async def others(self, tx: AsyncConnection, words: Words, resolver: Resolver, grid: Grid) -> dict[str, list[Sheet]]:
        """The resolved slots of the meter points that replace this one."""
        found: dict[str, list[Sheet]] = {}
        days = words.span[0] // DAY_MS, -(-words.span[1] // DAY_MS)
        for slug in {c.change.by for c in words.corrections if isinstance(c.change, Replace)}:
            point = self._points.find(slug)
            if point is not None:
                [resolved] = await resolver.days(tx, [(point, days)])
                found[slug] = sheets(resolved, *words.span, grid)
        return found

    def _followers(self, changes: Iterable[Change], replacing: Sequence[tuple[int, Correction]]) -> Iterable[Change]:
        """The meter points that are replaced by changed ones, or by what is computed from them."""
        for change in changes:
            slugs = {change.point.id, *(point.id for point in self._sums(change.point))}
            for key, correction in replacing:
                made, point = correction.change, self._points.by_key(key)
                if isinstance(made, Replace) and made.by in slugs and point is not None and made.overlaps(*change.span):
                    yield Change(point, (max(made.start_ms, change.span[0]), min(made.end_ms, change.span[1])))

    def _sums(self, point: MeterPoint) -> list[MeterPoint]:
        """The computed meter points that a meter point is part of."""
        found = self._points.sum_of(point.id)
        return [] if found is None else [found]

    def _computed(self, changes: Sequence[Change]) -> list[Change]:
        found: dict[str, tuple[MeterPoint, list[Span]]] = {}
        for change in changes:
            for point in self._sums(change.point):
                found.setdefault(point.id, (point, []))[1].append(change.span)
        return [Change(point, span) for point, spans in found.values() for span in merged(spans)]

    async def _remade(self, tx: AsyncConnection, keys: Iterable[int], resolver: Resolver) -> list[Change]:
        """The computed ones among meter points, and above them, that are made of other parts than before, or of other days of them."""
        some = [point for point in map(self._points.by_key, keys) if point is not None]
        sums = {each.key: each for point in some for each in (point, *self._sums(point)) if each.role is Role.CONSUMPTION}
        parts = {key: resolver.parts(each) for key, each in sums.items()}
        there = await resolver.there(tx, [part for made in parts.values() for part, _ in made])
        other: list[MeterPoint] = []
        for key, made in parts.items():
            said = " ".join(f"{sign:+d}:{part.key}:{there[part.key][0]}:{there[part.key][1]}" for part, sign in made)
            if (await tx.execute(_REMAKE, {"point": key, "parts": said})).rowcount:
                other.append(sums[key])
        stored = await self._stored(tx, other)
        return [change for point in other for change in await self._sweep(tx, point, (EARLIEST_MS, LATEST_MS), stored[point.key])]

    async def _roll(self, tx: AsyncConnection, changes: Sequence[Change], resolver: Resolver, grid: Grid) -> None:
        rounds: list[dict[int, tuple[Change, Roll]]] = []
        for change in changes:
            roll = Roll(change.point.key, ZoneInfo(self._points.zone_of(change.point.id)), change.span, change.sweep)
            place = next((some for some in rounds if roll.point not in some), None)
            if place is None:
                rounds.append(place := {})
            place[roll.point] = change, roll
        for some in rounds:  # of one meter point one span after the other: both may lie in the same month
            rolls = [roll for _, roll in some.values()]
            days = await resolver.days(tx, [(change.point, roll.utc_days()) for change, roll in some.values()])
            await self.rolling.write(tx, rolls, days, grid)


def _extent(stored: Extents) -> Span:
    lows = [at for row in stored for at in row[:5] if at is not None]
    return min(lows, default=LATEST_MS), max((at for row in stored for at in row[5:] if at is not None), default=EARLIEST_MS)


def _known(change: Change, done: Iterable[Change]) -> bool:
    return any(
        each.point is change.point and each.span[0] <= change.span[0] and change.span[1] <= each.span[1] for each in done
    )


_REMAKE = text("UPDATE meter_points SET parts = :parts WHERE id = :point AND parts <> :parts")
_IMPORTED = text("SELECT DISTINCT point_id FROM imports WHERE status = 'committed'")
_EXTENT = """
    SELECT
        (SELECT CAST(min(t.day) AS BIGINT) * 86400000 FROM track_days t
            WHERE t.binding_id IN (SELECT id FROM bindings WHERE point_id = $1)),
        (SELECT CAST(min(day) AS BIGINT) * 86400000 FROM layer_days WHERE point_id = $1),
        (SELECT min(start_ms) FROM imports WHERE point_id = $1 AND status = 'committed'),
        (SELECT min(start_ms) FROM corrections WHERE point_id = $1 AND undone_ms IS NULL),
        (SELECT min(start_ms) FROM energy_rollups WHERE point_id = $1 AND resolution = 'day'),
        (SELECT CAST(max(t.day) + 1 AS BIGINT) * 86400000 FROM track_days t
            WHERE t.binding_id IN (SELECT id FROM bindings WHERE point_id = $1)),
        (SELECT CAST(max(day) + 1 AS BIGINT) * 86400000 FROM layer_days WHERE point_id = $1),
        (SELECT max(end_ms) FROM imports WHERE point_id = $1 AND status = 'committed'),
        (SELECT max(end_ms) FROM corrections WHERE point_id = $1 AND undone_ms IS NULL),
        (SELECT max(end_ms) FROM energy_rollups WHERE point_id = $1 AND resolution = 'day')
    LIMIT $2
"""
