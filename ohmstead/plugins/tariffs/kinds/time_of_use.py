"""Prices by season, kind of day and hour: every hour of every day has exactly one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import islice
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.meter import Stretch
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.schedule import Schedule, faults
from ohmstead.plugins.tariffs.selection import KEYS, Selection, compiled
from ohmstead.plugins.tariffs.till import Till
from ohmstead.plugins.tariffs.windows import KEYS as WINDOW
from ohmstead.plugins.tariffs.windows import window

SHOWN = 4  # mistakes of a schedule that are told at once

WINDOWS = [
    {
        vol.Required("name", description="what the bill calls it, such as peak"): validate.text,
        vol.Required("price", description="price per kWh"): money.decimal,
        **WINDOW,
    }
]
SCHEMA: dict[Any, Any] = {
    vol.Required("windows", description="name, price, hours, days and dates of each; together every hour of the year once"):
        vol.All(WINDOWS, vol.Length(min=1, msg="expected at least one window")),
    **KEYS,
}  # fmt: skip


class TimeOfUse(msgspec.Struct, frozen=True):
    """`rates` are (name, price) by bucket of the selection's schedule."""

    rates: tuple[tuple[str, Fraction], ...]
    selection: Selection


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> TimeOfUse:
    """The rule that checked options describe. voluptuous.Invalid naming the hours with no price or with two."""
    given = options["windows"]
    windows = tuple(window(each) for each in given)
    if wrong := list(islice(faults(windows), SHOWN)):
        raise vol.Invalid(f"{'; '.join(wrong)}; expected every hour of every day in exactly one window", path=["windows"])
    rates = list(dict.fromkeys((each["name"], Fraction(each["price"])) for each in given))
    buckets = tuple(rates.index((each["name"], Fraction(each["price"]))) for each in given)
    return TimeOfUse(tuple(rates), compiled(options, holidays, Schedule(windows, buckets, holidays)))


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version and price: the energy of all runs of a bucket is summed, then priced once."""
    for turn in turns:
        rule: TimeOfUse = turn.rule
        gathered: list[list[Stretch]] = [[] for _ in rule.rates]
        for stretch in turn.part.stretches(rule.selection):
            gathered[stretch[0]].append(stretch)
        for (name, price), stretches in zip(rule.rates, gathered, strict=True):
            till.energy(turn, name, price, rule.selection, stretches)


KIND = TariffKind("time_of_use", SCHEMA, compile_rule, charge, "prices by season, kind of day and hour")
