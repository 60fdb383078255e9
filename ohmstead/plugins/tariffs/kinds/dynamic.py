"""A price that follows a series: price × factor + adder for every slot, one line with the mean. What has no price stays unpriced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import PRICE_DIGITS
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.lines import NO_PRICE, Piece
from ohmstead.plugins.tariffs.meter import Meter
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.prices.timeline import Timeline
from ohmstead.plugins.tariffs.schedule import Run
from ohmstead.plugins.tariffs.selection import DATED, Selection, compiled
from ohmstead.plugins.tariffs.till import Till

UNIT = Fraction(1, 10**PRICE_DIGITS)  # of the prices of a series

SCHEMA: dict[Any, Any] = {
    vol.Required("series", description="id of the series of prices"): validate.slug,
    vol.Optional("factor", default=1, description="the series' price is multiplied by this, such as 1.19 for gross prices of a net series"):
        money.decimal,
    vol.Optional("adder", default=0, description="then this is added, per kWh"): money.decimal,
    **DATED,
}  # fmt: skip


class Dynamic(msgspec.Struct, frozen=True):
    """Price of the series × factor + adder."""

    series: str
    factor: Fraction
    adder: Fraction
    selection: Selection

    def price(self, units: int) -> Fraction:
        """What a kWh costs at a price of the series, signed."""
        return self.selection.sign * (units * UNIT * self.factor + self.adder)


class _Sum(msgspec.Struct):
    """Energy, energy × price of the series, and slots."""

    raw: int = 0
    weighted: int = 0
    slots: int = 0
    pieces: list[Piece] = msgspec.field(default_factory=list)


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Dynamic:
    """The rule that checked options describe."""
    return Dynamic(options["series"], Fraction(options["factor"]), Fraction(options["adder"]), compiled(options, holidays))


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version, with the mean price."""
    for turn in turns:
        rule, part = turn.rule, turn.part
        line = till.prices.get(rule.series, Timeline())
        meter, found = part.meter(rule.selection.meter), _Sum()
        for run in part.runs(rule.selection):
            _price(rule, meter, line, run, found)
            for start_ms, end_ms in line.holes(run.start_ms, run.end_ms):
                for _, column, first, last in meter.stretches([Run(start_ms, end_ms, 0)]):
                    energy = column.sums[last] - column.sums[first]
                    low_ms, high_ms = column.instant(first), column.instant(last)
                    till.lacks(turn, NO_PRICE, low_ms, high_ms, last - first, energy, rule.selection.direction)
        _put(turn, found, till)


def _price(rule: Dynamic, meter: Meter, line: Timeline, run: Run, found: _Sum) -> None:
    prices = list(line.within(run.start_ms, run.end_ms))
    spans = [Run(span.start_ms, span.end_ms, place) for place, span in enumerate(prices)]
    for place, column, first, last in meter.stretches(spans):
        units = prices[place].price
        energy = column.sums[last] - column.sums[first]
        found.raw += energy
        found.weighted += energy * units
        found.slots += last - first
        found.pieces.append(Piece(column, first, last, rule.price(units), told_by=prices[place].number))


def _put(turn: Turn, found: _Sum, till: Till) -> None:
    rule, part = turn.rule, turn.part
    if not found.slots:
        return
    quantity = found.raw * part.unit
    amount = rule.selection.sign * (found.weighted * part.unit * UNIT * rule.factor + quantity * rule.adder)
    mean = amount / quantity if quantity else sum((p.price * (p.last - p.first) for p in found.pieces), Fraction(0)) / found.slots
    till.add(
        turn, rule.series, quantity, part.unit_name, mean, slots=found.slots, selection=rule.selection, pieces=found.pieces, amount=amount,
    )  # fmt: skip


KIND = TariffKind("dynamic", SCHEMA, compile_rule, charge, "a price that follows a series of prices")
