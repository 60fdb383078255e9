"""Where an invoice contradicts itself: lines that are not quantity × price, sums that do not add up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import msgspec

from ohmstead.plugins.billing.reconcile.explanation import Cause
from ohmstead.plugins.billing.reconcile.figures import half_digit
from ohmstead.plugins.billing.reconcile.hypotheses import SUM
from ohmstead.plugins.billing.reconcile.invoice import BilledLine, Invoice
from ohmstead.plugins.tariffs.money import minor_unit, rounded


def contradictions(invoice: Invoice) -> Iterator[Cause]:
    """Where its sums do not add up, or its readings say something else."""
    half = Decimal("0.005")
    nets = [line.net for line in invoice.lines]
    if invoice.net is not None and nets and all(net is not None for net in nets):
        total = sum((net for net in nets if net is not None), Decimal(0))
        if abs(total - invoice.net) > half * len(nets):
            yield Cause(SUM, f"its lines add up to {total}, not to its net sum of {invoice.net}", None, Fraction(invoice.net - total))
    if invoice.net is not None and invoice.vat is not None and invoice.total is not None:
        total = invoice.net + invoice.vat
        if abs(total - invoice.total) > half:
            text = f"net {invoice.net} and VAT {invoice.vat} are {total}, not {invoice.total}"
            yield Cause(SUM, text, None, Fraction(invoice.total - total))
    if invoice.kwh is not None and len(invoice.reads) > 1:
        read = invoice.reads[-1].kwh - invoice.reads[0].kwh
        if abs(read - invoice.kwh) > max(Decimal("0.5"), invoice.tolerance.kwh):
            yield Cause(SUM, f"its readings are {read} kWh apart, and it bills {invoice.kwh} kWh", Fraction(invoice.kwh - read))


def miscounted(invoice: Invoice) -> tuple[list[Cause], Invoice]:
    """Lines whose amount is not their quantity × price, and the invoice as it would be without these mistakes."""
    decimals = minor_unit(invoice.currency)
    due = {place: rounded(_product(line), decimals) for place, line in enumerate(invoice.lines) if _off(line)}
    if not due:
        return [], invoice
    lines = [msgspec.structs.replace(line, net=due.get(place, line.net)) for place, line in enumerate(invoice.lines)]
    less = {place: (invoice.lines[place].net or Decimal(0)) - net for place, net in due.items()}
    apart = Decimal(0) if _adds_up(invoice, lines) else sum(less.values(), Decimal(0))
    rate = Fraction(invoice.vat) / Fraction(invoice.net) if invoice.vat and invoice.net else Fraction(0)
    tax = rounded(Fraction(apart) * rate, decimals)
    gross = 1 + rate if invoice.total is not None else Fraction(1)
    causes = [
        Cause(SUM, _words(invoice.lines[place], net), None, Fraction(less[place]) * gross if apart else None)
        for place, net in due.items()
    ]
    return causes, msgspec.structs.replace(
        invoice, lines=tuple(lines), net=_minus(invoice.net, apart), vat=_minus(invoice.vat, tax), total=_minus(invoice.total, apart + tax)
    )


def _off(line: BilledLine) -> bool:
    if line.quantity is None or line.price is None or line.net is None:
        return False
    digits = half_digit(line.quantity) * abs(Fraction(line.price)) + half_digit(line.price) * abs(Fraction(line.quantity))
    return abs(Fraction(line.net) - _product(line)) > digits + Fraction(1, 100)


def _product(line: BilledLine) -> Fraction:
    return Fraction(line.quantity or 0) * Fraction(line.price or 0)


def _words(line: BilledLine, due: Decimal) -> str:
    return f"line {line.label}: {line.quantity:f} × {line.price:f} is {due}, not {line.net:f}"


def _adds_up(invoice: Invoice, lines: list[BilledLine]) -> bool:
    """Whether the net sum is that of the right amounts: then only the line is printed wrong."""
    nets = [line.net for line in lines if line.net is not None]
    return invoice.net is not None and len(nets) == len(lines) and abs(sum(nets, Decimal(0)) - invoice.net) <= Decimal("0.005") * len(nets)


def _minus(amount: Decimal | None, less: Decimal) -> Decimal | None:
    return None if amount is None else amount - less
