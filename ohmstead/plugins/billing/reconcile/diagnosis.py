"""Why an invoice differs: every guess is made anew and believed only if all figures of the invoice then are as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.billing.reconcile import hypotheses as why
from ohmstead.plugins.billing.reconcile.figures import AMOUNT, ENERGY, EXPORTED, NET, TOTAL, VAT, Expected, Figure, figures
from ohmstead.plugins.billing.reconcile.hypotheses import HOUR_MS, Facts, Guess
from ohmstead.plugins.billing.reconcile.invoice import Invoice, local_day

BETTER = 4  # a guess must leave at most this part of the difference
SUMS = (VAT, TOTAL)


class Cause(msgspec.Struct, frozen=True):
    """One reason, in words. `kwh` and `amount` are what it explains: billed less expected; `others` would do as well."""

    cause: str
    text: str
    kwh: Fraction | None = None
    amount: Fraction | None = None
    others: tuple[str, ...] = ()


class Judged(msgspec.Struct, frozen=True):
    """A figure and why it differs; None where it does not."""

    figure: Figure
    cause: str | None


class Reconciliation(msgspec.Struct, frozen=True):
    """An invoice beside what it should say. It `agrees` when nothing is off by more than rounding and tolerance."""

    invoice: Invoice
    facts: Facts
    expected: Expected
    judged: tuple[Judged, ...]
    causes: tuple[Cause, ...]

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to write to the supplier about."""
        return all(each.figure.meets for each in self.judged) and not any(cause.cause == why.SUM for cause in self.causes)


def diagnose(invoice: Invoice, facts: Facts) -> Reconciliation:
    """Compare and explain. Prices the period many times: not for the event loop."""
    expected = facts.expected()
    found = figures(invoice, expected)
    causes, meets = list(_sums(invoice)), expected
    if any(not figure.meets for figure in found):
        cause, meets = _cause(invoice, facts, expected, found)
        causes += [each for each in (cause, _vat(invoice, meets)) if each is not None]
    after = {(figure.what, figure.label): figure for figure in figures(invoice, meets)}
    judged = tuple(Judged(figure, _of(figure, after, causes)) for figure in found)
    if any(each.cause == why.UNEXPLAINED for each in judged):
        causes.append(_unexplained(found))
    causes += [_small(cause) for cause in (why.ROUNDING, why.TOLERANCE) if any(each.cause == cause for each in judged)]
    return Reconciliation(invoice, facts, expected, judged, tuple(causes))


def _of(figure: Figure, after: dict[tuple[str, str], Figure], causes: Sequence[Cause]) -> str | None:
    """The cause of one figure's difference."""
    if figure.meets:
        return None if not figure.difference else why.ROUNDING if figure.exact else why.TOLERANCE
    named = [cause.cause for cause in causes if cause.cause != why.SUM]
    mended = after.get((figure.what, figure.label))
    if why.VAT in named and (figure.what in (VAT, TOTAL) or (mended is not None and not mended.meets)):
        return why.VAT
    if named and (named[0] in (why.ESTIMATED, why.MISSING) or (mended is not None and mended.meets)):
        return named[0]
    return why.UNEXPLAINED


def _cause(invoice: Invoice, facts: Facts, expected: Expected, found: Sequence[Figure]) -> tuple[Cause | None, Expected]:
    """What explains all figures but VAT, and what the invoice should say if that holds."""
    if all(figure.meets for figure in found if figure.what not in SUMS) and (_vat(invoice, expected) or _only_sums(found)):
        return None, expected
    energy = next((figure for figure in found if figure.what == ENERGY), None)
    estimated = _estimated(invoice, facts, energy)
    if estimated is not None:
        return estimated, expected
    gap = _gap(facts, energy)
    best = None if gap is not None else _best(invoice, facts, found)
    if best is None:
        return gap, expected
    return best


def _only_sums(found: Sequence[Figure]) -> bool:
    """Whether a wrong sum stands below lines or a net sum that are right."""
    return any(figure.what in (NET, AMOUNT) for figure in found)


def _estimated(invoice: Invoice, facts: Facts, energy: Figure | None) -> Cause | None:
    if energy is None or energy.meets or not invoice.estimated:
        return None
    days = ", ".join(f"{read.kwh} kWh on {local_day(read.at_ms, facts.zone)}" for read in invoice.estimated)
    text = f"the supplier estimated the reading {days}; what was measured differs"
    return Cause(why.ESTIMATED, text, energy.difference)


def _gap(facts: Facts, energy: Figure | None) -> Cause | None:
    """Energy that was billed where the ledger knows nothing, if it would be plausible there."""
    missing = facts.missing()
    if energy is None or energy.meets or energy.difference <= 0 or not missing:
        return None
    hours = Fraction(sum(unknown for _, unknown in missing), HOUR_MS)
    mean_kw = energy.difference / hours
    most_kw = facts.most_kw()
    if most_kw and mean_kw > most_kw:
        return None
    text = (f"nothing was measured for {float(hours):g} h from {iso(missing[0][0])} on; the difference is {float(mean_kw):.2f} kW"
            " over that time")  # fmt: skip
    return Cause(why.MISSING, text, energy.difference)


def _best(invoice: Invoice, facts: Facts, found: Sequence[Figure]) -> tuple[Cause, Expected] | None:
    """The guess under which all figures are right, VAT aside; of several the one that leaves least, earlier ones first."""
    energy = next((figure for figure in found if figure.what == ENERGY), None)
    fits: list[tuple[Fraction, int, Guess, Expected]] = []
    for place, guess in enumerate(why.guesses(facts)):
        if energy is not None and abs((energy.billed or 0) - guess.kwh(facts)) > energy.allowed:
            continue
        expected = guess.expected(facts)
        left = figures(invoice, expected)
        if _believable(found, left, invoice, expected):
            fits.append((_rest(left), place, guess, expected))
    if not fits:
        return None
    fits.sort(key=lambda fit: (fit[2].cause != why.VERSION, fit[0], fit[1]))
    _, _, guess, expected = fits[0]
    others = tuple(fit[2].text for fit in fits[1:4])
    return Cause(guess.cause, guess.text, _by(found, ENERGY), _by(found, TOTAL, NET), others), expected


def _believable(found: Sequence[Figure], left: Sequence[Figure], invoice: Invoice, expected: Expected) -> bool:
    if any(not figure.meets for figure in left if figure.what not in SUMS):
        return False
    if any(not figure.meets for figure in left) and _vat(invoice, expected) is None:
        return False
    return _rest(left) * BETTER <= _rest(found)


def _rest(found: Iterable[Figure]) -> Fraction:
    """How far a set of figures is off, in units of what may be off."""
    judged = (figure for figure in found if figure.what not in SUMS and figure.allowed)
    return max((abs(figure.difference) / figure.allowed for figure in judged), default=Fraction(0))


def _by(found: Sequence[Figure], *kinds: str) -> Fraction | None:
    return next((figure.difference for figure in found if figure.what in kinds), None)


def _vat(invoice: Invoice, expected: Expected) -> Cause | None:
    """Whether the sums are right with no VAT, with VAT on top of VAT, or with another rate."""
    net, due = Fraction(expected.sheet.net), Fraction(expected.sheet.total)
    said = {name: Fraction(value) for name, value in ((NET, invoice.net), (VAT, invoice.vat), (TOTAL, invoice.total)) if value is not None}
    allowed = {figure.what: figure.allowed for figure in figures(invoice, expected) if figure.what in said}
    if not net or not ({VAT, TOTAL} & said.keys()) or all(abs(said[name] - value) <= allowed[name] for name, value in
                                                         ((NET, net), (VAT, due - net), (TOTAL, due)) if name in said):  # fmt: skip
        return None
    ours = (due / net - 1) * 100
    for text, sums in _rates(invoice, net, due, ours):
        if all(abs(value - sums[name]) <= allowed[name] for name, value in said.items()):
            return Cause(why.VAT, text, None, said[TOTAL] - due if TOTAL in said else said[VAT] - (due - net))
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


def _sums(invoice: Invoice) -> Iterator[Cause]:
    """Where the invoice contradicts itself."""
    half = Decimal("0.005")
    nets = [line.net for line in invoice.lines]
    if invoice.net is not None and nets and all(net is not None for net in nets):
        total = sum((net for net in nets if net is not None), Decimal(0))
        if abs(total - invoice.net) > half * len(nets):
            yield Cause(why.SUM, f"its lines add up to {total}, not to its net sum of {invoice.net}", None, Fraction(invoice.net - total))
    if invoice.net is not None and invoice.vat is not None and invoice.total is not None:
        total = invoice.net + invoice.vat
        if abs(total - invoice.total) > half:
            text = f"net {invoice.net} and VAT {invoice.vat} are {total}, not {invoice.total}"
            yield Cause(why.SUM, text, None, Fraction(invoice.total - total))
    if invoice.kwh is not None and len(invoice.reads) > 1:
        read = invoice.reads[-1].kwh - invoice.reads[0].kwh
        if abs(read - invoice.kwh) > max(Decimal("0.5"), invoice.tolerance.kwh):
            yield Cause(why.SUM, f"its readings are {read} kWh apart, and it bills {invoice.kwh} kWh", Fraction(invoice.kwh - read))


def _unexplained(found: Sequence[Figure]) -> Cause:
    text = "none of the causes that were tried leads to these figures; ask the supplier how they came about"
    off = [figure for figure in found if not figure.meets]
    return Cause(why.UNEXPLAINED, text, _by(off, ENERGY, EXPORTED), _by(off, TOTAL, NET))


def _small(cause: str) -> Cause:
    if cause == why.ROUNDING:
        return Cause(cause, "some figures differ by less than their printed digits say")
    return Cause(cause, "some figures differ by no more than is allowed")
