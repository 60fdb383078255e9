"""How export meets import: over which time, and what becomes of what is left."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.moment import month_day

NAME = "netting"  # what its lines are called, and what percentages refer to them by
SLOT, HOUR, BILL, YEAR = "slot", "hour", "bill", "year"
KWH, MONEY = "kwh", "money"


class Netting(msgspec.Struct, frozen=True):
    """`over` is None where export is only credited. The year of netting begins on `year`, (month, day).

    Where it is trued up (`settles`), what is left on that day is paid at `price` a kWh, or as the money that it is.
    """

    over: str | None
    carry: str | None
    expires_months: int | None
    year: tuple[int, int] | None
    settles: bool
    price: Fraction


def whole(value: dict[str, Any]) -> dict[str, Any]:
    """Options that fit each other."""
    over, carry = value.get("over"), value.get("carry")
    if over is None and carry is None:
        raise vol.Invalid(f"is missing ({_OVER}); or state carry: money", path=["over"])
    if carry == KWH and over not in (BILL, YEAR):
        raise vol.Invalid("only what is left of a bill or a year is carried over as kWh; expected over: bill or year", path=["carry"])
    if over == YEAR and carry != KWH:
        raise vol.Invalid("what is left of a bill within the year is kept as kWh; expected carry: kwh", path=["carry"])
    for name in ("expires_months", "true_up"):
        if name in value and carry is None:
            raise vol.Invalid("there is nothing that could be left; state carry: kwh or money", path=[name])
    if carry == MONEY and "price" in value.get("true_up", {}):
        raise vol.Invalid("money that is left is paid out as it is; leave the price out", path=["true_up", "price"])
    return value


_OVER = "over which time export meets import: slot, hour (of local time), bill or year; not at all unless given"
TRUE_UP: dict[Any, Any] = {
    vol.Optional("on", default="01-01", description="the day of the year on which what is left is settled, with the bill that reaches it"):
        month_day,
    vol.Optional("price", description="what a kWh left is paid; nothing unless given: then it is forfeited"): money.decimal,
}  # fmt: skip
SCHEMA: Any = vol.All(
    {
        vol.Optional("over", description=_OVER): validate.one_of(SLOT, HOUR, BILL, YEAR),
        vol.Optional("carry", description="what is left is kept for later bills, as kwh or money; else it is credited by the components"):
            validate.one_of(KWH, MONEY),
        vol.Optional("expires_months", description="after how many months what is kept expires"): validate.integer(1, 120),
        vol.Optional("true_up", description="what becomes of it once a year"): TRUE_UP,
    },
    whole,
)  # fmt: skip


def compiled(options: Mapping[str, Any]) -> Netting:
    """The rule that checked options describe."""
    true_up = options.get("true_up")
    year = true_up["on"] if true_up is not None else (1, 1) if options.get("over") == YEAR else None
    price = Fraction((true_up or {}).get("price", 0))
    return Netting(options.get("over"), options.get("carry"), options.get("expires_months"), year, true_up is not None, price)
