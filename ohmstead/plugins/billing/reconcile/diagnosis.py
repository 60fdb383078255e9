"""Why an invoice differs, figure by figure: what explains it, and what nothing does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import msgspec

from ohmstead.plugins.billing.reconcile import hypotheses as why
from ohmstead.plugins.billing.reconcile.explanation import SUMS, Cause, Explained, Explanation
from ohmstead.plugins.billing.reconcile.facts import Facts
from ohmstead.plugins.billing.reconcile.figures import AMOUNT, ENERGY, EXPORTED, NET, PRICE, QUANTITY, TOTAL, Expected, Figure, figures
from ohmstead.plugins.billing.reconcile.invoice import Invoice
from ohmstead.plugins.billing.reconcile.sums import contradictions, miscounted
from ohmstead.plugins.billing.reconcile.vat import rounded_vat, wrong_vat


class Judged(msgspec.Struct, frozen=True):
    """A figure and why it differs; None where it does not. Two causes at once are joined by "and"."""

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
    miscounts, mended = miscounted(invoice)
    found = figures(mended, expected)
    explained = _explained(mended, facts, expected, found)
    vat = wrong_vat(mended, explained.expected) if any(not figure.meets for figure in found) else None
    named = [*explained.causes, *([Cause(why.VAT, vat[0], None, vat[1])] if vat else ())]
    left = _by_place(figures(mended, explained.expected))
    causes_of = {place: _of(figure, left.get(place), named, explained.roughly) for place, figure in _by_place(found).items()}
    right, printed = _by_place(found), figures(invoice, expected)
    judged = tuple(Judged(figure, _judged(figure, right.get(_place(figure)), causes_of)) for figure in printed)
    causes = [*contradictions(invoice), *miscounts, *named]
    named = [*miscounts, *named]
    if any(why.UNEXPLAINED in (each.cause or "") for each in judged):
        causes.append(_unexplained(printed, named, explained.might))
    else:
        causes += _small(mended, explained.expected, judged, left, _rest(printed, named, TOTAL) if named else None)
    return Reconciliation(invoice, facts, expected, judged, tuple(causes))


_Place = tuple[str, str]


def _place(figure: Figure) -> _Place:
    return figure.what, figure.label


def _by_place(found: Sequence[Figure]) -> dict[_Place, Figure]:
    return {_place(figure): figure for figure in found}


def _judged(figure: Figure, right: Figure | None, causes: Mapping[_Place, str | None]) -> str | None:
    """The cause of a figure as it is printed; `right` is the figure without what was miscounted."""
    cause = causes.get(_place(figure))
    if right is None or right.billed == figure.billed or figure.meets:
        return cause
    return why.SUM if right.meets else f"{why.SUM} and {cause}"


def _explained(invoice: Invoice, facts: Facts, expected: Expected, found: Sequence[Figure]) -> Explained:
    """What explains all figures but VAT, and what the invoice should say if that holds."""
    right = all(figure.meets for figure in found if figure.what not in SUMS)
    if right and (wrong_vat(invoice, expected) or any(figure.what in (NET, AMOUNT) for figure in found)):
        return Explained((), expected)  # a wrong sum stands below lines or a net sum that are right
    if all(figure.meets for figure in found):
        return Explained((), expected)
    return Explanation(invoice, facts, expected, found).find()


def _of(figure: Figure, left: Figure | None, named: Sequence[Cause], roughly: bool) -> str | None:
    """The cause of one figure's difference; `left` is the figure as it would be if all that is named holds."""
    if figure.meets:
        small = left if left is not None and left.meets else figure
        return None if not small.difference else why.ROUNDING if small.exact else why.TOLERANCE
    causes = [cause.cause for cause in named if cause.cause != why.VAT]
    if figure.what == PRICE:
        causes = [cause for cause in causes if cause == why.VERSION]
    elif figure.what in (ENERGY, EXPORTED, QUANTITY):
        causes = [cause for cause in causes if cause != why.VERSION]
    taxed = any(cause.cause == why.VAT for cause in named) and (figure.what in SUMS or (left is not None and not left.meets))
    causes += [why.VAT] * taxed
    sure = taxed or roughly or left is None or left.meets
    return " and ".join(dict.fromkeys(causes)) if causes and sure else why.UNEXPLAINED


def _rest(found: Sequence[Figure], named: Sequence[Cause], what: str) -> Fraction | None:
    """What of a figure's difference the causes that are named leave; None where the invoice does not state it."""
    off = next((figure.difference for figure in found if figure.what == what), None)
    sizes = (cause.kwh if what in (ENERGY, EXPORTED) else cause.amount for cause in named)
    return None if off is None else off - sum((size for size in sizes if size is not None), Fraction(0))


def _unexplained(found: Sequence[Figure], named: Sequence[Cause], might: Sequence[str]) -> Cause:
    text = "none of the causes that were tried leads to these figures; ask the supplier how they came about"
    if named:
        text = "nothing that was tried explains what is left; ask the supplier how it came about"
    if might:
        text += ". Several pairs of causes would lead there, so none of them is sure"
    energy = ENERGY if any(figure.what == ENERGY and not figure.meets for figure in found) else EXPORTED
    money = next((what for what in (TOTAL, NET) if any(figure.what == what and not figure.meets for figure in found)), TOTAL)
    return Cause(why.UNEXPLAINED, text, _rest(found, named, energy), _rest(found, named, money), tuple(might[:3]))


def _small(
    invoice: Invoice, expected: Expected, judged: Sequence[Judged], left: Mapping[tuple[str, str], Figure], rest: Fraction | None
) -> Iterator[Cause]:
    """Rounding and tolerance; `rest` is what they are of the total beside other causes."""
    found = [left.get((each.figure.what, each.figure.label), each.figure) for each in judged]
    off = [figure for figure in found if figure.difference and figure.meets]
    tax = rounded_vat(invoice, expected)
    if tax is not None:
        yield Cause(why.ROUNDING, tax[0], None, tax[1])
        rest = None if rest is None else rest - tax[1]
    if any(figure.exact and (tax is None or figure.what not in SUMS) for figure in off):
        yield Cause(why.ROUNDING, "some figures differ by less than their printed digits say", None, rest or None)
    if any(not figure.exact for figure in off):
        yield Cause(why.TOLERANCE, "some figures differ by no more than is allowed")
