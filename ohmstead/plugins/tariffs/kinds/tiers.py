"""Blocks that are filled in order of time: the first so many kWh at one price, the next at another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.lines import Piece
from ohmstead.plugins.tariffs.local import days_between
from ohmstead.plugins.tariffs.meter import Column, Stretch
from ohmstead.plugins.tariffs.part import Span, Turn
from ohmstead.plugins.tariffs.selection import DATED, Selection, compiled
from ohmstead.plugins.tariffs.till import ZERO, Till

PERIODS = ("day", "month", "year", "bill")


def blocks(value: Any) -> list[dict[str, Any]]:
    """Tiers with rising limits; the last one has none."""
    found: list[dict[str, Any]] = vol.Schema(vol.All([_TIER], vol.Length(min=1, msg="expected at least one tier")))(value)
    for place, tier in enumerate(found):
        if ("up_to" not in tier) != (place == len(found) - 1):
            raise vol.Invalid("expected up_to in every tier but the last, which takes the rest", path=[place])
    for place, (low, high) in enumerate(pairwise(tier["up_to"] for tier in found[:-1])):
        if high <= low:
            raise vol.Invalid(f"{high} is not more than the {low} before it", path=[place + 1, "up_to"])
    return found


_TIER = {
    vol.Optional("up_to", description="kWh of the period at which the tier is full; the last tier has none"): money.positive,
    vol.Required("price", description="price per kWh"): money.decimal,
}
SCHEMA: dict[Any, Any] = {
    vol.Required("tiers", description="list of {up_to: kWh, price}, in order; the last without up_to"): blocks,
    vol.Required("period", description="after which it begins with the first tier again: day, month, year, or the bill"):
        validate.one_of(*PERIODS),
    vol.Optional("per", default="period", description="what up_to is stated for: the period, or each local day of it that the bill has"):
        validate.one_of("period", "day"),
    vol.Optional("prorate", default=False, description="true: up_to shrinks with the local days where the bill cuts the period"):
        validate.boolean,
    **DATED,
}  # fmt: skip


class Tiers(msgspec.Struct, frozen=True):
    """`limits` in kWh and one more `prices` than those."""

    limits: tuple[Fraction, ...]
    prices: tuple[Fraction, ...]
    period: str
    per_day: bool
    prorate: bool
    selection: Selection

    @property
    def anew(self) -> bool:
        """Whether every bill begins with the first tier, since its limits are those of its own days."""
        return self.per_day or self.prorate or self.period == "bill"

    def scaled(self, span: Span, days: int) -> tuple[Fraction, ...]:
        """The limits of a period of which the bill has so many days."""
        share = Fraction(days) if self.per_day else Fraction(days, span.whole_days) if self.prorate and span.whole_days else Fraction(1)
        return tuple(limit * share for limit in self.limits)


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Tiers:
    """The rule that checked options describe."""
    tiers = options["tiers"]
    if options["prorate"] and options["period"] == "bill":
        raise vol.Invalid("a bill has no length to shrink from; state up_to per day (per: day)", path=["prorate"])
    return Tiers(
        tuple(Fraction(tier["up_to"]) for tier in tiers[:-1]), tuple(Fraction(tier["price"]) for tier in tiers),
        options["period"], options["per"] == "day", options["prorate"], compiled(options, holidays),
    )  # fmt: skip


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version and tier. What was used in the period goes on counting when the version changes."""
    period, used = till.carry.get("period", ""), Fraction(till.carry.get("used", 0))
    for turn in turns:
        rule: Tiers = turn.rule
        filling: dict[int, list[Piece]] = {}
        for span in turn.part.spans(rule.period):
            name = f"{rule.period} {span.first}" + (f" {span.start_ms}" if rule.anew else "")
            if name != period:
                period, used = name, Fraction(0)
            used = _fill(turn, span, used, filling)
        _put(turn, filling, till)
    till.keep |= {"period": period, "used": str(used)}


def _fill(turn: Turn, span: Span, used: Fraction, filling: dict[int, list[Piece]]) -> Fraction:
    """Put the energy of a period into the tiers; what was used of it by now, in kWh."""
    rule, part = turn.rule, turn.part
    limits = rule.scaled(span, days_between(part.zone, span.start_ms, span.end_ms))
    raw = [_whole(limit / part.unit) for limit in limits]
    at: Fraction | int = _whole(used / part.unit)
    for stretch in part.stretches(rule.selection, span.start_ms, span.end_ms):
        for tier, piece in _cut(stretch, at, raw):
            filling.setdefault(tier, []).append(piece)
        at += stretch.column.sums[stretch.last] - stretch.column.sums[stretch.first]
    return at * part.unit


def _cut(stretch: Stretch, used: Fraction | int, limits: Sequence[Fraction | int]) -> Iterator[tuple[int, Piece]]:
    """The stretch by tiers, in order; the slot that a limit lies in is split exactly there."""
    _, column, place, last = stretch
    sums = column.sums
    low: Fraction | int = sums[place]
    begun = low - used  # where the running sum of the column stood when the period began
    tier = bisect_right(limits, used)
    for limit in limits[tier:]:
        high = limit + begun
        if high >= sums[last]:
            break
        end = bisect_right(sums, high, place, last + 1) - 1
        yield from ((tier, piece) for piece in _between(column, place, low, end, high))
        place, low, tier = end, high, tier + 1
    yield from ((tier, piece) for piece in _between(column, place, low, last, sums[last]))


def _between(column: Column, place: int, low: Fraction | int, end: int, high: Fraction | int) -> Iterator[Piece]:
    """From the energy `low`, which lies in slot `place`, up to `high` in slot `end`."""
    sums = column.sums
    if low > sums[place]:  # what the tier before left of a slot
        yield Piece(column, place, place + 1, ZERO, min(high, sums[place + 1]) - low)
        if place == end:
            return
        place += 1
    if place < end:
        yield Piece(column, place, end, ZERO)
    if high > sums[end]:
        yield Piece(column, end, end + 1, ZERO, high - sums[end])


def _put(turn: Turn, filling: Mapping[int, list[Piece]], till: Till) -> None:
    rule: Tiers = turn.rule
    for tier, pieces in sorted(filling.items()):
        price = rule.selection.sign * rule.prices[tier]
        raw = sum(p.column.sums[p.last] - p.column.sums[p.first] if p.raw is None else p.raw for p in pieces)
        till.add(
            turn, f"tier {tier + 1}", raw * turn.part.unit, turn.part.unit_name, price, slots=sum(p.last - p.first for p in pieces),
            selection=rule.selection, pieces=[piece._replace(price=price) for piece in pieces],
        )  # fmt: skip


def _whole(number: Fraction) -> Fraction | int:
    """As an integer where it is one: those are added and compared faster."""
    return number.numerator if number.denominator == 1 else number


KIND = TariffKind("tiers", SCHEMA, compile_rule, charge, "blocks of kWh, filled in order of time")
