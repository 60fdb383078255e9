"""The figures of an invoice beside those that the ledger and the tariff make: which belong together, and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from ohmstead.plugins.billing.reconcile.invoice import BilledLine, Invoice, Tolerance
from ohmstead.plugins.tariffs.bill import BillLine
from ohmstead.plugins.tariffs.bill import Sheet as Printed

ENERGY, EXPORTED, QUANTITY, PRICE, AMOUNT, NET, VAT, TOTAL = "energy", "exported", "quantity", "price", "amount", "net", "vat", "total"
MILLION = 1_000_000


class Expected(msgspec.Struct, frozen=True):
    """What an invoice for a period should say. `kwh` and `exported_kwh` are exact."""

    kwh: Fraction
    exported_kwh: Fraction
    sheet: Printed


class Figure(msgspec.Struct, frozen=True):
    """One number of an invoice and what it should be; `billed` or `expected` is None where that side has no such line.

    `allowed` is how far it may be off: `rounding` is what the printed digits leave open, the rest is tolerance.
    """

    what: str
    label: str
    unit: str
    billed: Fraction | None
    expected: Fraction | None
    rounding: Fraction
    allowed: Fraction

    @property
    def difference(self) -> Fraction:
        """Billed less expected."""
        return (self.billed or Fraction(0)) - (self.expected or Fraction(0))

    @property
    def meets(self) -> bool:
        """Whether it is as it should be, but for what may be off."""
        return abs(self.difference) <= self.allowed

    @property
    def exact(self) -> bool:
        """Whether the difference is what the digits of the invoice leave open."""
        return abs(self.difference) <= self.rounding


def figures(bill: Invoice, expected: Expected) -> list[Figure]:
    """Every number of the invoice, in its order: energy, lines, sums."""
    return [*_energies(bill, expected), *_lines(bill, expected), *_sums(bill, expected)]


def _energies(bill: Invoice, expected: Expected) -> Iterator[Figure]:
    given = ((ENERGY, bill.energy, expected.kwh), (EXPORTED, bill.exported_kwh, expected.exported_kwh))
    for what, billed, kwh in given:
        if billed is not None:
            half = half_digit(billed)
            yield Figure(what, what, "kWh", Fraction(billed), kwh, half, max(half, Fraction(bill.tolerance.kwh)))


def _lines(bill: Invoice, expected: Expected) -> Iterator[Figure]:
    for billed, ours in pairs(bill.lines, expected.sheet.lines):
        if billed is not None:
            yield from _line(billed, ours, bill.tolerance, bill.currency)
        elif bill.lines and ours is not None and ours.printed:
            allowed = Fraction(bill.tolerance.amount)
            yield Figure(AMOUNT, label(ours), bill.currency, None, Fraction(ours.printed), allowed / 2, allowed)


def _line(billed: BilledLine, ours: BillLine | None, tolerance: Tolerance, currency: str) -> Iterator[Figure]:
    off = Fraction(0)
    if billed.quantity is not None and billed.unit is not None:
        half = half_digit(billed.quantity)
        off = max(half, Fraction(tolerance.kwh)) if billed.unit == "kWh" else half
        quantity = None if ours is None else ours.line.quantity
        yield Figure(QUANTITY, billed.label, billed.unit, Fraction(billed.quantity), quantity, half, off)
    if billed.price is not None:
        half, price = half_digit(billed.price), None if ours is None else ours.line.price
        yield Figure(PRICE, billed.label, f"{currency}/{billed.unit or ''}", Fraction(billed.price), price, half, half)
    said, due = _amounts(billed, ours)
    if said is not None:
        each = abs(ours.line.price) if ours is not None else Fraction(0)
        rounding = Fraction(1, 100) + (half_digit(billed.quantity) * each if billed.quantity is not None else 0)
        allowed = max(rounding, Fraction(tolerance.amount) + off * each)
        yield Figure(AMOUNT, billed.label, currency, Fraction(said), due, rounding, allowed)


def _amounts(billed: BilledLine, ours: BillLine | None) -> tuple[Decimal | None, Fraction | None]:
    """The amount that the invoice prints, and ours of the same kind: net beside net, gross beside gross."""
    said = billed.net if billed.net is not None else billed.gross
    if ours is None or said is None:
        return said, None
    if billed.net is not None:
        due = ours.net if ours.net is not None else None
        return said, Fraction(due) if due is not None else Fraction(ours.printed) * 100 / (100 + ours.line.vat)
    if ours.gross is not None:
        return said, Fraction(ours.gross)
    return said, Fraction(ours.printed) * (100 + ours.line.vat) / 100


def _sums(bill: Invoice, expected: Expected) -> Iterator[Figure]:
    """What rounding and tolerance of energy and of every line may add up to, VAT on it included."""
    sheet, known = expected.sheet, bill.energy
    lines = max(1, len(bill.lines), len(sheet.lines))
    digits = half_digit(known) if known is not None else Fraction(0)
    each = 2 * abs(Fraction(sheet.net)) / expected.kwh if expected.kwh else Fraction(0)
    rounding = Fraction(lines, 200) + digits * each
    allowed = max(rounding, Fraction(bill.tolerance.amount) * lines + Fraction(bill.tolerance.kwh) * each)
    for what, billed, due in ((NET, bill.net, sheet.net), (VAT, bill.vat, sheet.tax), (TOTAL, bill.total, sheet.total)):
        if billed is not None:
            yield Figure(what, what, bill.currency, Fraction(billed), Fraction(due), rounding, allowed)


def half_digit(number: Decimal) -> Fraction:
    """Half of the last digit that is printed."""
    exponent = number.as_tuple().exponent
    return Fraction(10) ** min(int(exponent), 0) / 2


def pairs(billed: Sequence[BilledLine], ours: Sequence[BillLine]) -> list[tuple[BilledLine | None, BillLine | None]]:
    """Lines that belong together: those of one name, then of one price and unit, then of the nearest amount in the same unit.

    In the order of the invoice; lines of ours that it does not have come last, each beside None.
    """
    left, found = list(ours), dict[int, BillLine]()
    for alike in (_same_name, _same_price, _same_unit):
        for place, line in enumerate(billed):
            if place not in found and (fits := [each for each in left if alike(line, each)]):
                found[place] = min(fits, key=lambda each: _apart(line, each))
                left.remove(found[place])
    return [*((line, found.get(place)) for place, line in enumerate(billed)), *((None, line) for line in left)]


def label(line: BillLine) -> str:
    """What a line of ours is called."""
    return f"{line.line.component} {line.line.label}".strip()


def _same_name(billed: BilledLine, ours: BillLine) -> bool:
    names = (ours.line.component, ours.line.label, label(ours), ours.line.key)
    return billed.label.casefold() in {name.casefold() for name in names if name}


def _same_price(billed: BilledLine, ours: BillLine) -> bool:
    if billed.price is None or billed.unit != ours.line.unit:
        return False
    return abs(Fraction(billed.price) - ours.line.price) <= half_digit(billed.price)


def _same_unit(billed: BilledLine, ours: BillLine) -> bool:
    if billed.unit is not None and billed.unit != ours.line.unit:
        return False
    said = billed.net if billed.net is not None else billed.gross
    return said is None or not said or not ours.printed or (said > 0) == (ours.printed > 0)


def _apart(billed: BilledLine, ours: BillLine) -> Fraction:
    said = billed.net if billed.net is not None else billed.gross
    if said is not None:
        return abs(Fraction(said) - Fraction(ours.printed))
    return abs(Fraction(billed.quantity or 0) - ours.line.quantity)
