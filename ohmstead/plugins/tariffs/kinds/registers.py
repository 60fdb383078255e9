"""Prices by the meter's own tariff registers, t1 and t2: the meter decides what is peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.schedule import Schedule
from ohmstead.plugins.tariffs.selection import Selection
from ohmstead.plugins.tariffs.till import Till

PRICES = vol.All({validate.one_of("t1", "t2", "t3", "t4"): money.decimal}, vol.Length(min=1, msg="expected at least one register"))
SCHEMA: dict[Any, Any] = {vol.Required("prices", description="price per kWh of each register, such as t1: 0.30"): PRICES}


class Registers(msgspec.Struct, frozen=True):
    """(register, price) in order."""

    prices: tuple[tuple[Selection, Fraction], ...]

    @property
    def registers(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(selection.meter for selection, _ in self.prices)


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Registers:
    """The rule that checked options describe."""
    return Registers(tuple((Selection(name, Schedule()), Fraction(price)) for name, price in sorted(options["prices"].items())))


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version and register; what import there is beyond the registers has no price."""
    for turn in turns:
        part, priced = turn.part, 0
        for selection, price in turn.rule.prices:
            priced += part.meter(selection.meter).within(part.start_ms, part.end_ms)[0]
            till.energy(turn, selection.meter, price, selection, part.stretches(selection))
        imported, slots = part.meter("import").within(part.start_ms, part.end_ms)
        if imported > priced:
            till.lacks(turn, "no register", part.start_ms, part.end_ms, slots, imported - priced)


KIND = TariffKind("registers", SCHEMA, compile_rule, charge, "prices by the meter's tariff registers")
