"""Energy of stated periods: live deltas, and the rows of imports.

Where periods overlap, the shorter wins inside itself (of two equally long the earlier). What is left of the longer, its
energy less theirs, goes to its uncovered time. A period longer than a slot is shared over its slots as the layer below
has it, where that is complete and not zero, else by time, and is estimated; another is measured and cut by time.
All in integers, by floors of the cumulative share: nothing is lost.

Give all periods that overlap a span, and widen the span until none crosses its borders: then what lies inside depends on
nothing outside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import msgspec

from ohmstead.plugins.ledger.derive.counter import SURE
from ohmstead.plugins.ledger.derive.register import integers
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import Verdict
from ohmstead.plugins.ledger.derive.tally import place
from ohmstead.plugins.ledger.points.bindings import Part
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DEFAULT_MS, HOUR_MS, Grid

Span = tuple[int, int]


class Period(NamedTuple):
    """So much energy, never negative, between two instants; `estimated` when whoever stated it says so."""

    start_ms: int
    end_ms: int
    mwh: int
    estimated: bool = False


class Claim(NamedTuple):
    """What is left of a period: so much energy for these spans."""

    period: Period
    mwh: int
    spans: tuple[Span, ...]


class Shared(msgspec.Struct, frozen=True):
    """What periods come to: a sheet for every UTC day (since 1970) with any covered time, and what was odd.

    Causes: negative (energy below zero) and suspect (more than plausible) are not booked; negative_rest and overlap say
    that a longer period contradicts the shorter ones in it by `mwh`: it is less than theirs, or more and has no time of
    its own. A period's key is (from_ms, at_ms); `value` is its energy, `before` that of the shorter ones.
    """

    days: dict[int, Sheet]
    verdicts: list[Verdict]


def derive(rules: Rules, grid: Grid, rows: Sequence[tuple[int, int, float | Fraction]]) -> Shared:
    """The deltas of one track, (end, start, value) as they are stored. Periods that cross the binding's ends are not counted."""
    amounts = integers((value for _, _, value in rows), rules.factor)
    periods, verdicts = [], []
    for (end_ms, start_ms, _), mwh in zip(rows, amounts, strict=True):
        if start_ms < rules.start_ms or (rules.end_ms is not None and end_ms > rules.end_ms):
            continue
        if mwh < 0 and rules.part is Part.ALL:
            verdicts.append(Verdict(end_ms, "negative", start_ms, 0, mwh, mwh))
        elif abs(mwh) > SURE and abs(mwh) * HOUR_MS > rules.plausible_per_h * (end_ms - start_ms):
            verdicts.append(Verdict(end_ms, "suspect", start_ms, 0, mwh, rules.part_of(mwh)))
        else:
            periods.append(Period(start_ms, end_ms, rules.part_of(mwh)))
    claims, contradictions = settle(periods)
    return Shared(share(claims, grid), sorted(verdicts + contradictions, key=lambda verdict: (verdict.at_ms, verdict.from_ms)))


def settle(periods: Iterable[Period]) -> tuple[list[Claim], list[Verdict]]:
    """Who has which time: claims that do not overlap, and the contradictions."""
    by_time = sorted(periods)
    if all(one.end_ms <= other.start_ms for one, other in pairwise(by_time)):  # as in most files: each has its own time
        return [Claim(period, period.mwh, ((period.start_ms, period.end_ms),)) for period in by_time], []
    claims, verdicts, taken = [], [], _Taken()
    for period in sorted(by_time, key=_length):
        inside, free = taken.within(period.start_ms, period.end_ms)
        rest = period.mwh - inside
        if rest < 0 or (rest and not free):
            cause = "negative_rest" if rest < 0 else "overlap"
            verdicts.append(Verdict(period.end_ms, cause, period.start_ms, inside, period.mwh, rest))
        elif free:
            claims.append(Claim(period, rest, free))
            taken.add(rest, free)
    return claims, verdicts


def _length(period: Period) -> int:
    return period.end_ms - period.start_ms


class _Taken:
    """Time that is spoken for, in pieces that do not overlap, each with its energy."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int]] = []

    def within(self, start_ms: int, end_ms: int) -> tuple[int, tuple[Span, ...]]:
        """The energy spoken for between two instants, and the time that is not."""
        first = bisect_right(self._starts, start_ms)
        if first and self._pieces[first - 1][1] > start_ms:
            first -= 1
        inside, free, position = 0, [], start_ms
        for start, end, mwh in self._pieces[first : bisect_left(self._starts, end_ms)]:
            if start > position:
                free.append((position, start))
            inside += mwh * (min(end, end_ms) - start) // (end - start) - mwh * (max(start, start_ms) - start) // (end - start)
            position = end
        if position < end_ms:
            free.append((position, end_ms))
        return inside, tuple(free)

    def add(self, mwh: int, spans: Sequence[Span]) -> None:
        """Speak for some spans, by time."""
        total, before = sum(end - start for start, end in spans), 0
        for start, end in spans:
            upto = before + end - start
            where = bisect_left(self._starts, start)
            self._starts.insert(where, start)
            self._pieces.insert(where, (start, end, mwh * upto // total - mwh * before // total))
            before = upto


def share(claims: Iterable[Claim], grid: Grid, below: Sequence[Sheet] = ()) -> dict[int, Sheet]:
    """Put claims into slots; `below` are sheets, in order, of the layer below."""
    days: dict[int, Sheet] = {}
    profile = _Profile(below)
    for period, mwh, spans in claims:
        fine = period.end_ms - period.start_ms <= grid.slot_ms(period.start_ms)
        parts = list(_cut(grid, spans))
        amounts = [mwh] if len(parts) == 1 else _split(mwh, parts, None if fine else profile.weights(parts))
        for (start_ms, end_ms), amount in zip(parts, amounts, strict=True):
            sheet, at = place(days, grid, start_ms)
            sheet.mwh[at] += amount
            (sheet.measured_ms if fine and not period.estimated else sheet.estimated_ms)[at] += end_ms - start_ms
    return days


def _split(mwh: int, parts: Sequence[Span], weights: Sequence[int] | None) -> Iterator[int]:
    """The amount of each part: by weight, or by time where there is none."""
    weights = weights or [end_ms - start_ms for start_ms, end_ms in parts]
    total, sofar, done = sum(weights), 0, 0
    for weight in weights:
        sofar += weight
        upto = mwh * sofar // total
        yield upto - done
        done = upto


def _cut(grid: Grid, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans cut where slots end."""
    for start_ms, end_ms in spans:
        while start_ms < end_ms:
            slot_ms = grid.slot_ms(start_ms)
            edge = min(start_ms - start_ms % slot_ms + slot_ms, end_ms)
            yield start_ms, edge
            start_ms = edge


class _Profile:
    """How the layer below shares energy over time."""

    def __init__(self, sheets: Sequence[Sheet]) -> None:
        self._sheets = sheets
        self._starts = [sheet.start_ms for sheet in sheets]

    def weights(self, parts: Iterable[Span]) -> list[int] | None:
        """The weight of each part of a slot; None where the layer is incomplete or zero."""
        weights = []
        for start_ms, end_ms in parts:
            found = bisect_right(self._starts, start_ms) - 1
            if found < 0 or start_ms >= self._sheets[found].end_ms:
                return None
            sheet = self._sheets[found]
            at = (start_ms - sheet.start_ms) // sheet.slot_ms
            if sheet.measured_ms[at] + sheet.estimated_ms[at] + sheet.reset_ms[at] < sheet.slot_ms:
                return None
            weights.append(sheet.mwh[at] * (end_ms - start_ms) * (DEFAULT_MS // sheet.slot_ms))
        return weights if any(weights) else None


def steps(registers: Sequence[tuple[int, int]]) -> tuple[list[Period], list[Verdict]]:
    """Registers that somebody read, (instant, mWh) in order of time, as the periods between them; a fall makes none."""
    periods, verdicts = [], []
    for (start_ms, before), (end_ms, value) in pairwise(registers):
        if value < before:
            verdicts.append(Verdict(end_ms, "fall", start_ms, before, value, 0))
        else:
            periods.append(Period(start_ms, end_ms, value - before))
    return periods, verdicts
