"""Amounts are exact, whatever unit and however they are written."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.amount import UNITS, half_even, number, unit, whole
from ohmstead.core.errors import Unsupported


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_rounding_is_half_even(over: int, under: int) -> None:
    assert half_even(over, under) == round(Fraction(over, under))


@pytest.mark.parametrize(("text", "name", "amount"), [
    ("1", "kWh", 1_000_000), ("0.0000005", "kWh", 0), ("0.0000015", "kWh", 2), ("3.6", "MJ", 1_000_000), ("1", "J", 0),
    ("1", "therm", 29_307_107), ("1", "m3", 1_000_000), ("1", "CCF", 2_831_685), ("1e-3", "MWh", 1_000_000),
])  # fmt: skip
def test_units(text: str, name: str, amount: int) -> None:
    assert whole(number(text), unit(name)[1]) == amount


def test_an_unknown_unit_is_told() -> None:
    with pytest.raises(Unsupported, match="unknown unit 'bananas'; amounts are in mWh, Wh"):
        unit("bananas")
    assert {ours for ours, _ in UNITS.values()} == {"mWh", "mL"}


@pytest.mark.parametrize("text", ["10^999999", "1e999", "NaN", "Infinity", "1_000", "1 000", "", "-", "٣", "0x10", "9" * 31])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        number(text)


def test_decimal_marks_are_not_mixed() -> None:
    assert number("12,5", comma=True) == Decimal("12.5") == number(" 12.5 ")
    with pytest.raises(ValueError, match="has a comma where the point is the decimal sign"):
        number("1,234.5")
    with pytest.raises(ValueError, match="has a point where the comma is the decimal sign"):
        number("1.234,5", comma=True)
