"""One price per kWh: energy, grid fees, levies and taxes by the kWh, feed-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.selection import DATED, Selection, compiled
from ohmstead.plugins.tariffs.till import Till

SCHEMA: dict[Any, Any] = {vol.Required("price", description="price per kWh"): money.decimal, **DATED}


class Flat(msgspec.Struct, frozen=True):
    """A price for what is selected."""

    price: Fraction
    selection: Selection


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Flat:
    """The rule that checked options describe."""
    return Flat(Fraction(options["price"]), compiled(options, holidays))


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version."""
    for turn in turns:
        rule: Flat = turn.rule
        till.energy(turn, "", rule.price, rule.selection, turn.part.stretches(rule.selection))


KIND = TariffKind("flat", SCHEMA, compile_rule, charge, "one price per kWh")
