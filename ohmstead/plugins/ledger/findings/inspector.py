"""Gathers what the detectors look at, and runs them: over a span of one meter point, on one connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ohmstead.plugins.ledger.archive.vault import Lost
from ohmstead.plugins.ledger.corrections.amend import touched
from ohmstead.plugins.ledger.corrections.book import Book
from ohmstead.plugins.ledger.corrections.changes import Confirm, OfReadings
from ohmstead.plugins.ledger.corrections.corrections import Engine
from ohmstead.plugins.ledger.findings import gaps, imports, registers, signals, tree
from ohmstead.plugins.ledger.findings.facts import Facts
from ohmstead.plugins.ledger.findings.finding import Found, Looked, month_span
from ohmstead.plugins.ledger.findings.registers import House
from ohmstead.plugins.ledger.points.points import LOADS, SIGNS, Role
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.points.bindings import Binding, Term
    from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints

FARTHEST_MS = 400 * DAY_MS  # how far the beginning of a gap is looked for
ONE_WAY = LOADS | {Role.PV}  # what never goes the other way
POWER = ("power", "power_l1", "power_l2", "power_l3")


class Inspector:
    """Pure in effect: it reads and never writes."""

    def __init__(self, points: MeterPoints, engine: Engine, corrections: Book, facts: Facts) -> None:
        self._points, self._engine, self._corrections, self._facts = points, engine, corrections, facts

    async def own(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int, now_ms: int) -> list[Looked]:
        """What is found in the data of a meter point in the UTC days of a span. Days that have not ended are looked at in part."""
        point = self._points.get(slug)
        if point.role is Role.CONSUMPTION:
            return []
        low, high = month_span(start_ms, end_ms)
        odds = await self._facts.odds(conn, self._points.bindings(slug), low, high)
        made = (await self._corrections.of_points(conn, [point.key])).get(point.key, ())
        confirmed = {(c.change.from_ms, c.change.to_ms) for c in made if isinstance(c.change, Confirm)}
        found = registers.registers(House(slug, self._engine.grid), odds, confirmed)
        return [
            Looked("verdict", low, high, tuple(found)),
            await self._gaps(conn, point, low, high, now_ms, odds),
            Looked("imports", 0, now_ms + DAY_MS, tuple(imports.clashes(await self._facts.clashes(conn, point.key)))),
            Looked("settled", 0, now_ms + DAY_MS, tuple(imports.covered(made, await self._facts.brought(conn, point.key)))),
            *await self._signals(conn, point, start_ms // DAY_MS, min(end_ms - 1, now_ms - DAY_MS) // DAY_MS),
        ]

    async def tree(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int, now_ms: int) -> list[Looked]:
        """What is found between a meter point and what hangs under it, in the UTC days of a span that have ended."""
        first, last = start_ms // DAY_MS, min(-(-end_ms // DAY_MS), now_ms // DAY_MS)
        if first >= last:
            return []
        below = [point.id for point in self._points.children(slug)]
        signs = dict(self._points.composition(slug))
        low = first - (tree.KNOWN_DAYS if signs else 0)
        sheets = await self._engine.sheets_in(conn, list(dict.fromkeys([slug, *below, *signs])), low * DAY_MS, last * DAY_MS)
        days = {each: tree.days(found) for each, found in sheets.items()}
        span = (first * DAY_MS, last * DAY_MS)
        found = [Looked("children", *span, _since(first, tree.children(slug, days[slug], {each: days[each] for each in below})))]
        if signs:
            loads = {each: days[each] for each in below if self._points.get(each).role in LOADS}
            sums = tree.balance(slug, {each: days[each] for each in signs}, signs, loads)
            found.append(Looked("balance", *span, _since(first, sums)))
        return found

    async def said_since(self, conn: AsyncConnection, since_ms: int) -> list[tuple[str, int, int]]:
        """The spans of the meter points that were corrected, or imported to, since an instant."""
        found = await self._facts.imported_since(conn, since_ms)
        for point, correction in await self._corrections.since(conn, since_ms):
            change = correction.change
            if isinstance(change, OfReadings):
                found += [(each.id, *touched(change)) for each in self._points if _reads(self._points.bindings(each.id), change.series)]
            elif point is not None:
                found.append((change.meter_point, change.start_ms, change.end_ms))
        return [span for span in found if span[0] in self._points]

    def trees(self, slug: str) -> set[str]:
        """The meter points whose tree a change of one concerns."""
        point = self._points.get(slug)
        found = {slug} if self._points.children(slug) else set()
        if (parent := self._points.parent(slug)) is not None and parent in self._points:
            found.add(parent)
        if point.role in SIGNS and (whole := self._points.consumption(point.location)) is not None:
            found.add(whole.id)
        return found

    async def _gaps(
        self, conn: AsyncConnection, point: MeterPoint, low: int, high: int, now_ms: int, odds: Sequence[registers.Odd]
    ) -> Looked:
        bindings = self._points.bindings(point.id)
        earliest = max(low - FARTHEST_MS, min([binding.from_ms for binding in bindings], default=low - FARTHEST_MS))
        back_ms = 7 * DAY_MS
        while True:
            begin = max(low - back_ms, min(earliest, low))
            sheets = await self._sheets(conn, point.id, begin, min(high + 7 * DAY_MS, now_ms))
            if begin <= earliest or not sheets or _known(sheets[0]):
                break
            back_ms *= 4
        by_design = [(odd.from_ms, odd.at_ms) for odd in odds if odd.verdict in ("fall", "suspect")]
        spans = [span for span in gaps.gaps(sheets) if not any(a <= span[0] and span[1] <= b for a, b in by_design)]
        here = [span for span in spans if span[0] < high and span[1] > low]
        found = [gaps.finding(point.id, *span, await self._estimate(conn, point.id, *span)) for span in here]
        return Looked("gap", low, high, (*gaps.together(found), *gaps.silences(odds, sheets)))

    async def _estimate(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> int | None:
        weeks = -(-(end_ms - start_ms) // (7 * DAY_MS))
        return gaps.estimate(start_ms, end_ms, await self._sheets(conn, slug, start_ms - weeks * 7 * DAY_MS, start_ms))

    async def _sheets(self, conn: AsyncConnection, slug: str, start_ms: int, end_ms: int) -> list[Sheet]:
        if start_ms >= end_ms:
            return []
        return (await self._engine.sheets_in(conn, [slug], start_ms, end_ms))[slug]

    async def _signals(self, conn: AsyncConnection, point: MeterPoint, first: int, last: int) -> list[Looked]:
        found: list[Looked] = []
        for binding in self._points.bindings(point.id):
            low, high = max(first, binding.from_ms // DAY_MS + 1), last if binding.to_ms is None else min(last, binding.to_ms // DAY_MS - 1)
            for term in binding.terms:
                for day in await self._facts.days(conn, term.series, low, high):
                    with suppress(Lost):
                        found.append(await self._day(conn, point, binding, term, day))
        return found

    async def _day(self, conn: AsyncConnection, point: MeterPoint, binding: Binding, term: Term, day: int) -> Looked:
        """One whole UTC day of one series, of which something is stored."""
        readings = await self._facts.readings(conn, term.series, day)
        today = signals.stat(day, readings)
        found: list[Found] = signals.jumped(term.series, [at_ms for at_ms, _ in readings])
        if term.quantity in POWER:
            before = await self._facts.stats(conn, term.series, day - 7, day)
            limit_w = binding.plausible_per_h / float(term.factor) / 1000
            over = [reading for reading in readings if abs(reading[1]) > limit_w]
            found += signals.stuck(term.series, today, before, signals.integral(readings, binding.longest_gap_ms))
            found += signals.too_large(term.series, day, over, limit_w, _usual(before))
            if point.role in ONE_WAY and term.factor > 0:
                found += signals.flipped(term.series, day, readings, binding.longest_gap_ms)
        elif today.count >= signals.FEWEST and today.low == today.high:
            power = await self._facts.stats(conn, f"{term.device}.power", day, day + 1)
            found += [each for stat in power for each in signals.standing(term.series, today, stat)]
        span = (day * DAY_MS, (day + 1) * DAY_MS)
        return Looked(f"signal {term.series}", *span, tuple(found))


def _since(day: int, found: Sequence[Found]) -> tuple[Found, ...]:
    return tuple(each for each in found if each.day is None or each.day >= day)


def _reads(bindings: Sequence[Binding], series: str) -> bool:
    return any(series in binding.series() for binding in bindings)


def _known(sheet: Sheet) -> bool:
    return bool(sheet.measured_ms[0] or sheet.estimated_ms[0] or sheet.reset_ms[0])


def _usual(before: Sequence[signals.DayStat]) -> float | None:
    tops = sorted(max(abs(day.low), abs(day.high)) for day in before)
    return tops[len(tops) // 2] if tops else None
