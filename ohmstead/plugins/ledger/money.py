"""Amounts of money as text."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

MILLIONTH = Decimal("0.000001")


def shown(amount: Fraction) -> str:
    """An amount to millionths, half to even, as a decimal text with at least two decimals."""
    text = str((Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(MILLIONTH))
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"
