"""A reading becomes an integer, once: its value as people read it, times the factor, rounded half to even.

The value as people read it is the shortest decimal that gives this double, `repr`. Exact fractions do that slowly, so
it is first tried in doubles: value, factor and product are each off by at most 2⁻⁵³ of themselves, together by less
than 2⁻⁵¹. While the product stays below 10¹² that is less than 0.0005, so a product that is further than 0.001 from
the half between two integers rounds as the exact one does. All others are done exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

SAFE = 1e12
NEAR = 0.499


def integers(values: Iterable[float | Fraction], factor: Fraction) -> list[int]:
    """Each value × factor as an integer."""
    rate = float(factor)
    found = []
    for value in values:
        product = value * rate
        if -SAFE < product < SAFE:
            whole = round(product)
            if -NEAR < product - whole < NEAR:
                found.append(whole)
                continue
        found.append(exact(value, factor))
    return found


def exact(value: float | Fraction, factor: Fraction) -> int:
    """One value × factor as an integer; what `integers` is measured against."""
    return round((Fraction(repr(value)) if isinstance(value, float) else value) * factor)
