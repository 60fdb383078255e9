"""Standing charges per day, month or year, whatever is used."""

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
from ohmstead.plugins.tariffs.proration import PRORATE, PRORATIONS, shares
from ohmstead.plugins.tariffs.till import Till

SCHEMA: dict[Any, Any] = {
    vol.Required("price", description="price per day, month or year"): money.positive,
    vol.Required("per", description="day, month or year"): validate.one_of("day", "month", "year"),
    vol.Optional("prorate", default="days", description=PRORATE): validate.one_of(*PRORATIONS),
}


class Standing(msgspec.Struct, frozen=True):
    """A price per `per`."""

    price: Fraction
    per: str
    prorate: str


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Standing:
    """The rule that checked options describe."""
    return Standing(Fraction(options["price"]), options["per"], options["prorate"])


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version: how many days, months or years of it."""
    for turn in turns:
        rule: Standing = turn.rule
        if share := shares(turn.part, rule.per, rule.prorate):
            till.add(turn, "", share, rule.per, rule.price)


KIND = TariffKind("standing", SCHEMA, compile_rule, charge, "a charge per day, month or year")
