"""The bill as it is printed: lines rounded to the smallest coin, VAT, and a total that is the sum of what is printed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import msgspec

from ohmstead.plugins.tariffs.lines import Line, Priced
from ohmstead.plugins.tariffs.money import minor_unit, rounded

TOTAL, LINE, INCLUDED = "total", "line", "included"
MODES = (TOTAL, LINE, INCLUDED)
ZERO = Decimal(0)


class BillLine(msgspec.Struct, frozen=True):
    """A line as printed: `net`, or `gross` where the prices are gross; `vat` where it stands on the line."""

    line: Line
    net: Decimal | None
    vat: Decimal | None
    gross: Decimal | None

    @property
    def printed(self) -> Decimal:
        """What it adds to the total."""
        return next(amount for amount in (self.gross, self.net) if amount is not None)


class VatRow(msgspec.Struct, frozen=True):
    """VAT of one rate: `amount` on the sum of the lines, `base`; `added` unless the lines hold it already."""

    percent: Fraction
    base: Decimal
    amount: Decimal
    added: bool


class Sheet(msgspec.Struct, frozen=True):
    """A bill: total = net + tax = sum of the printed lines and of the VAT rows that are added."""

    currency: str
    lines: tuple[BillLine, ...]
    vat: tuple[VatRow, ...]
    net: Decimal
    tax: Decimal
    total: Decimal


def bill(priced: Priced) -> Sheet:
    """Round half away from zero: each line once, and VAT once per rate on the sum of the rounded lines.

    A version may state VAT per line (each is rounded, and the sums per rate are shown) or gross prices (the lines hold
    their VAT, which is shown per rate).
    """
    decimals = minor_unit(priced.currency)
    lines = tuple(_line(line, decimals) for line in priced.lines)
    rows = tuple(_rows(lines, decimals))
    total = sum((line.printed for line in lines), ZERO) + sum((row.amount for row in rows if row.added), ZERO)
    tax = sum((row.amount for row in rows), ZERO)
    return Sheet(priced.currency, lines, rows, total - tax, tax, total)


def _line(line: Line, decimals: int) -> BillLine:
    amount = rounded(line.amount, decimals)
    if line.vat_mode == INCLUDED:
        return BillLine(line, None, None, amount)
    if line.vat_mode == LINE:
        vat = rounded(Fraction(amount) * line.vat / 100, decimals)
        return BillLine(line, amount, vat, amount + vat)
    return BillLine(line, amount, None, None)


def _rows(lines: Iterable[BillLine], decimals: int) -> Iterable[VatRow]:
    rates: dict[tuple[str, tuple[int, int]], list[BillLine]] = {}
    for each in lines:
        if each.line.vat:
            rates.setdefault((each.line.vat_mode, each.line.vat.as_integer_ratio()), []).append(each)
    for (mode, _), group in rates.items():
        percent = group[0].line.vat
        if mode == INCLUDED:
            gross = sum((each.printed for each in group), ZERO)
            amount = rounded(Fraction(gross) * percent / (100 + percent), decimals)
            yield VatRow(percent, gross - amount, amount, False)
            continue
        base = sum((each.net or ZERO for each in group), ZERO)
        if mode == LINE:
            yield VatRow(percent, base, sum((each.vat or ZERO for each in group), ZERO), False)
        else:
            yield VatRow(percent, base, rounded(Fraction(base) * percent / 100, decimals), True)
