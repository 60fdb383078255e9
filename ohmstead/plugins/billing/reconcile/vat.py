"""VAT on invoices: charged at another rate, on amounts that hold it already, or rounded in another way."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from ohmstead.plugins.billing.reconcile.figures import NET, TOTAL, VAT, Expected, figures
from ohmstead.plugins.billing.reconcile.invoice import Invoice
from ohmstead.plugins.tariffs.money import minor_unit, rounded

Told = tuple[str, Fraction]  # in words, and by how much the total is another one


def wrong_vat(invoice: Invoice, expected: Expected) -> Told | None:
    """No VAT, VAT on top of VAT, or another rate: where the sums of the invoice then are as they should be."""
    net, due = Fraction(expected.sheet.net), Fraction(expected.sheet.total)
    said = {name: Fraction(value) for name, value in ((NET, invoice.net), (VAT, invoice.vat), (TOTAL, invoice.total)) if value is not None}
    allowed = {figure.what: figure.allowed for figure in figures(invoice, expected) if figure.what in said}
    if not net or not ({VAT, TOTAL} & said.keys()) or all(abs(said[name] - value) <= allowed[name] for name, value in
                                                         ((NET, net), (VAT, due - net), (TOTAL, due)) if name in said):  # fmt: skip
        return None
    ours = (due / net - 1) * 100
    for text, sums in _rates(invoice, net, due, ours):
        if all(abs(value - sums[name]) <= allowed[name] for name, value in said.items()):
            return text, said[TOTAL] - due if TOTAL in said else said[VAT] - (due - net)
    return None


def _rates(invoice: Invoice, net: Fraction, due: Fraction, ours: Fraction) -> Iterator[tuple[str, dict[str, Fraction]]]:
    right = f"expected {float(ours):.4g} %"
    yield f"VAT was not charged; {right}", {NET: net, VAT: Fraction(0), TOTAL: net}
    twice = {NET: due, VAT: due * ours / 100, TOTAL: due * (100 + ours) / 100}
    yield f"VAT was charged on amounts that hold it already; {right} once", twice
    for percent in sorted(_stated(invoice)):
        if abs(percent - ours) > Fraction(1, 20):
            text = f"VAT of {float(percent):.4g} % was charged; {right}"
            yield text, {NET: net, VAT: net * percent / 100, TOTAL: net * (100 + percent) / 100}


def _stated(invoice: Invoice) -> set[Fraction]:
    """The rates that the invoice prints, or that its sums are made with."""
    found = {Fraction(line.vat_percent) for line in invoice.lines if line.vat_percent is not None}
    if invoice.net:
        vat = invoice.vat if invoice.vat is not None else None if invoice.total is None else invoice.total - invoice.net
        if vat is not None:
            found.add(Fraction(round(vat / invoice.net * 100, 1)))
    return found


def rounded_vat(invoice: Invoice, expected: Expected) -> Told | None:
    """VAT at the right rate of the invoice's own net sums, but rounded line by line, or down."""
    rows, nets = expected.sheet.vat, [line.net for line in invoice.lines if line.net is not None]
    if invoice.vat is None or len(rows) != 1 or rows[0].base != expected.sheet.net or len(nets) < max(len(invoice.lines), 1):
        return None
    decimals, rate = minor_unit(invoice.currency), rows[0].percent / 100
    exact = Fraction(sum(nets, Decimal(0))) * rate
    due = rounded(exact, decimals)
    ways = {
        "line by line": sum((rounded(Fraction(net) * rate, decimals) for net in nets), Decimal(0)),
        "down": Decimal(int(exact * 10**decimals)).scaleb(-decimals),
    }
    for way, vat in ways.items():
        if vat == invoice.vat != due:
            return f"VAT of {vat} is rounded {way}; rounded once, on the sum, it is {due}", Fraction(vat - due)
    return None
