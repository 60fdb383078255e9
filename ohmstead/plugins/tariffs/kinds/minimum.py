"""A minimum charge: what named components come to is raised to it."""

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
from ohmstead.plugins.tariffs.till import ZERO, Till

OF = vol.Required("of", description="names of the components before it that it is taken of")
NAMES = validate.list_of(validate.text)
SCHEMA: dict[Any, Any] = {
    vol.Required("price", description="the least that is charged per day, month, year or bill"): money.positive,
    vol.Required("per", description="day, month, year or bill"): validate.one_of("day", "month", "year", "bill"),
    OF: NAMES,
    vol.Optional("prorate", default="days", description=PRORATE): validate.one_of(*PRORATIONS),
}


class Minimum(msgspec.Struct, frozen=True):
    """At least `price` per `per` for what `of` comes to."""

    price: Fraction
    per: str
    of: tuple[str, ...]
    prorate: str


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Minimum:
    """The rule that checked options describe."""
    return Minimum(Fraction(options["price"]), options["per"], tuple(options["of"]), options["prorate"])


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line with what is missing from the minimum of the whole bill, under its last version."""
    least = sum((turn.rule.price * shares(turn.part, turn.rule.per, turn.rule.prorate) for turn in turns), ZERO)
    versions = {turn.part.version.name: turn for turn in turns}
    base = sum((till.base(turn, turn.rule.of) for turn in versions.values()), ZERO)
    if least > base:
        till.add(turns[-1], "", Fraction(1), "bill", least - base)


KIND = TariffKind("minimum", SCHEMA, compile_rule, charge, "the least that named components come to")
