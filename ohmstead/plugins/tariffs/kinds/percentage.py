"""A percentage of named components: a tax, a levy, a surcharge or a discount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.kinds.minimum import NAMES, OF
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.till import Till

SCHEMA: dict[Any, Any] = {
    vol.Required("percent", description="of what the components come to; negative for a discount"): money.percent,
    OF: NAMES,
}


class Percentage(msgspec.Struct, frozen=True):
    """`share` (5 % is 1/20) of what `of` comes to."""

    share: Fraction
    of: tuple[str, ...]


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Percentage:
    """The rule that checked options describe."""
    return Percentage(Fraction(options["percent"]) / 100, tuple(options["of"]))


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version: the exact, unrounded base of that version times the percentage."""
    for turn in {turn.part.version.name: turn for turn in turns}.values():
        if base := till.base(turn, turn.rule.of):
            till.add(turn, "", base, till.currency, turn.rule.share)


KIND = TariffKind("percentage", SCHEMA, compile_rule, charge, "a percentage of named components")
