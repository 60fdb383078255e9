"""Exact amounts of energy and volume: a number in a unit as a whole number of mWh or mL, rounded once, half to even."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from ohmstead.core.errors import Unsupported

MWH, ML = "mWh", "mL"
MOST = 1 << 53  # mWh or mL of one period or display: 9 TWh
_J = Fraction(10, 36)
_FT3 = Fraction("28316.846592")

# Every unit: ours, and how many of ours it is. Btu and therm are those of the International Table (ISO 31-4).
UNITS: Mapping[str, tuple[str, Fraction]] = {
    "mWh": (MWH, Fraction(1)), "Wh": (MWH, Fraction(10**3)), "kWh": (MWH, Fraction(10**6)), "MWh": (MWH, Fraction(10**9)),
    "GWh": (MWH, Fraction(10**12)), "J": (MWH, _J), "kJ": (MWH, _J * 10**3), "MJ": (MWH, _J * 10**6), "GJ": (MWH, _J * 10**9),
    "cal": (MWH, _J * Fraction("4.184")), "kcal": (MWH, _J * 4184), "Mcal": (MWH, _J * 4_184_000), "Gcal": (MWH, _J * 4_184_000_000),
    "Btu": (MWH, _J * Fraction("1055.05585262")), "therm": (MWH, _J * Fraction("105505585.262")),
    "mL": (ML, Fraction(1)), "L": (ML, Fraction(10**3)), "m³": (ML, Fraction(10**6)), "ft³": (ML, _FT3), "CCF": (ML, _FT3 * 100),
    "MCF": (ML, _FT3 * 1000), "gal": (ML, Fraction("3785.411784")),
}  # fmt: skip
_SPELLINGS = {"m3": "m³", "ft3": "ft³", "l": "L", "wh": "Wh", "kwh": "kWh", "KWh": "kWh", "kWH": "kWh", "mwh": "mWh", "BTU": "Btu"}
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")


def unit(name: str) -> tuple[str, Fraction]:
    """Our unit (mWh or mL) and how many of it one `name` is. Unsupported, with what there is."""
    found = UNITS.get(_SPELLINGS.get(name, name))
    if found is None:
        raise Unsupported(f"unknown unit {name!r}; amounts are in {', '.join(UNITS)}")
    return found


def number(text: str, comma: bool = False) -> Decimal:
    """What a person or a file wrote, exactly; with `comma` the comma is the decimal sign. ValueError for all else.

    A number has at most 30 digits on either side and an exponent of two: 10^999999 is none.
    """
    written = text.strip()
    if comma and "." in written:
        raise ValueError(f"{text.strip()[:40]!r} has a point where the comma is the decimal sign")
    if not comma and "," in written:
        raise ValueError(f"{text.strip()[:40]!r} has a comma where the point is the decimal sign")
    written = written.replace(",", ".")
    if _NUMBER.fullmatch(written) is None:
        raise ValueError(f"{text.strip()[:40]!r} is no number")
    return Decimal(written)


def whole(value: Decimal | Fraction | int, factor: Fraction) -> int:
    """`value` times `factor`, rounded half to even."""
    over, under = value.as_integer_ratio()
    return half_even(over * factor.numerator, under * factor.denominator)


def half_even(over: int, under: int) -> int:
    """`over` divided by `under` (above 0), rounded half to even."""
    quotient, rest = divmod(over, under)
    return quotient + (2 * rest > under or (2 * rest == under and quotient & 1))
