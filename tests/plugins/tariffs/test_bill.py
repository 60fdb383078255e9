"""The printed bill: rounding, VAT, and a total that is the sum of what is printed."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from ohmstead.plugins.tariffs.bill import Sheet, bill
from ohmstead.plugins.tariffs.money import minor_unit, rounded
from tests.fakes.tariffs import ms, priced, sheet

THREE = """
components:
  - {type: flat, name: a, price: 0.015}
  - {type: flat, name: b, price: 0.015}
  - {type: flat, name: c, price: 0.104, vat: 7}
vat: 19
"""


def billed(text: str, mwh: int = 1_000_000) -> Sheet:
    return bill(priced(text, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [mwh])))


def test_vat_once_per_rate_on_the_sum_of_rounded_lines() -> None:
    # 0.015 → 0.02 twice, 0.104 → 0.10. 19 % of 0.04 = 0.0076 → 0.01; 7 % of 0.10 = 0.007 → 0.01. 0.14 + 0.02 = 0.16
    found = billed(THREE)
    assert [str(line.printed) for line in found.lines] == ["0.02", "0.02", "0.10"]
    assert [(row.percent, str(row.base), str(row.amount), row.added) for row in found.vat] == [(19, "0.04", "0.01", True), (7, "0.10", "0.01", True)]
    assert (str(found.net), str(found.tax), str(found.total)) == ("0.14", "0.02", "0.16")


def test_vat_on_each_line() -> None:
    # 19 % of 0.02 = 0.0038 → 0.00, twice; 7 % of 0.10 → 0.01: the lines are 0.02, 0.02 and 0.11
    found = billed(f"{THREE}vat_mode: line")
    assert [str(line.printed) for line in found.lines] == ["0.02", "0.02", "0.11"]
    assert (str(found.net), str(found.tax), str(found.total)) == ("0.14", "0.01", "0.15")
    assert not any(row.added for row in found.vat)


def test_gross_prices_hold_their_vat() -> None:
    # 119.00 gross holds 19.00 of VAT
    found = billed("{vat: 19, vat_mode: included, components: [{type: flat, price: 1.19}]}", 100_000_000)
    assert [(str(row.base), str(row.amount), row.added) for row in found.vat] == [("100.00", "19.00", False)]
    assert (str(found.net), str(found.tax), str(found.total)) == ("100.00", "19.00", "119.00")


def test_what_lies_halfway_goes_away_from_zero() -> None:
    halves = [rounded(Fraction(number, 1000), 2) for number in (5, -5, 15, 25, -25, 4, -4)]
    assert [str(half) for half in halves] == ["0.01", "-0.01", "0.02", "0.03", "-0.03", "0.00", "0.00"]


@pytest.mark.parametrize(("currency", "printed"), [("EUR", "12.35"), ("JPY", "12"), ("KWD", "12.346"), ("CLF", "12.3457")])
def test_every_currency_has_its_smallest_coin(currency: str, printed: str) -> None:
    found = billed(f"{{currency: {currency}, components: [{{type: flat, price: 12.34567}}]}}")
    assert str(found.total) == printed
    assert found.lines[0].printed.as_tuple().exponent == -minor_unit(currency)


def test_a_credit_is_negative() -> None:
    found = billed("{vat: 19, components: [{type: standing, per: month, price: 10}, {type: percentage, percent: -15, of: standing}]}")
    assert [line.printed for line in found.lines] == [Decimal("10.00"), Decimal("-1.50")]
    assert (found.tax, found.total) == (Decimal("1.62"), Decimal("10.12"))  # 19 % of 8.50 = 1.615
