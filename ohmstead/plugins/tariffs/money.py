"""Exact numbers as people write them, and rounding to a currency's smallest coin."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import voluptuous as vol

BOUND = 1_000_000_000  # nothing a tariff speaks of is larger
DIGITS = 12  # decimals that are kept
_PLAIN = re.compile(r"[-+]?\d{1,20}(\.\d{1,40})?")
_EXPECTED = "expected a number such as 0.25, with a decimal point"
_MINOR = {  # ISO 4217: currencies whose smallest coin is not a hundredth
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
                    "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip


def decimal(value: Any) -> Decimal:
    """A number written as text or as a YAML number, exactly as it stands there: at most 12 decimals, at most 10^9."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise vol.Invalid(_EXPECTED)
    text = value.strip() if isinstance(value, str) else _text(value)
    if not _PLAIN.fullmatch(text):
        comma = " and no comma" if "," in text else ""
        raise vol.Invalid(f"{text[:40]!r} is no number: {_EXPECTED}{comma}")
    number = Decimal(text)
    if abs(number) > BOUND or (number * 10**DIGITS) % 1:
        raise vol.Invalid(f"{text[:40]} is beyond what can be priced: expected at most {BOUND:,} with at most {DIGITS} decimals")
    return number


def positive(value: Any) -> Decimal:
    """A number that is not negative."""
    number = decimal(value)
    if number < 0:
        raise vol.Invalid(f"{number} is negative; expected 0 or more")
    return number


def between(low: int, high: int, unit: str) -> Callable[[Any], Decimal]:
    """An exact number from `low` to `high`, both included, in `unit`."""

    def bounded(value: Any) -> Decimal:
        number = decimal(value)
        if not low <= number <= high:
            raise vol.Invalid(f"expected {low} to {high} {unit}, not {number}")
        return number

    return bounded


percent = between(-100, 1000, "%")


def minor_unit(currency: str) -> int:
    """How many decimals a currency's smallest coin has: 2 for EUR, 0 for JPY."""
    return _MINOR.get(currency, 2)


def rounded(amount: Fraction, decimals: int) -> Decimal:
    """`amount` to so many decimals; what lies halfway goes away from zero: 0.005 becomes 0.01, −0.005 becomes −0.01."""
    numerator, denominator = amount.as_integer_ratio()
    coins = (2 * abs(numerator) * 10**decimals + denominator) // (2 * denominator)
    return Decimal(-coins if numerator < 0 else coins).scaleb(-decimals)


def _text(value: float | Decimal) -> str:
    try:
        number = Decimal(str(value))
        return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < DIGITS * 3 else str(value)
    except ValueError:  # an int of thousands of digits is not even written
        return "a number of thousands of digits"
