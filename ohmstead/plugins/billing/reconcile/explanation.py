"""Which guesses explain an invoice: each is made anew and believed only if all figures of the invoice then are as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.billing.reconcile import hypotheses as why
from ohmstead.plugins.billing.reconcile.facts import DAY_MS, HOUR_MS, Facts, Guess
from ohmstead.plugins.billing.reconcile.figures import ENERGY, PRICE, TOTAL, VAT, Expected, Figure, figures
from ohmstead.plugins.billing.reconcile.invoice import Invoice, local_day
from ohmstead.plugins.billing.reconcile.vat import wrong_vat

BETTER = 4  # a guess must leave at most this part of the difference
SUMS = (VAT, TOTAL)
PAIRED_MS = 62 * DAY_MS  # in a longer period some two days would add up to any difference
Pair = tuple[Guess, ...]  # or one alone


class Cause(msgspec.Struct, frozen=True):
    """One reason, in words. `kwh` and `amount` are what it explains: billed less expected; `others` would do as well."""

    cause: str
    text: str
    kwh: Fraction | None = None
    amount: Fraction | None = None
    others: tuple[str, ...] = ()


class Explained(msgspec.Struct, frozen=True):
    """Causes, what the invoice should say if they hold, and pairs of causes that would do but are not the only ones.

    `roughly`: nobody knows in which hours the energy fell that was billed, so amounts need not be met.
    """

    causes: tuple[Cause, ...]
    expected: Expected
    might: tuple[str, ...] = ()
    roughly: bool = False


class Explanation:
    """Looks for the fewest causes of what is off, VAT aside."""

    def __init__(self, invoice: Invoice, facts: Facts, expected: Expected, found: Sequence[Figure]) -> None:
        self._invoice, self._facts, self._expected, self._found = invoice, facts, expected, found
        self._energy = next((figure for figure in found if figure.what == ENERGY), None)

    def find(self) -> Explained:
        """One cause, else two at once, else as much as is sure."""
        unmeasured = self._unmeasured()
        if unmeasured is not None:
            return msgspec.structs.replace(self._repriced(*unmeasured), roughly=True)
        fits = self._fitting(why.fitting(self._facts, self._energy), exactly=False)
        if fits:
            return self._told(fits)
        energy, might = self._energy, list[tuple[Pair, Expected]]()
        if energy is not None and not energy.meets:
            fits = self._fitting(why.priced_wrong(self._facts, energy), exactly=True)
            if not fits and self._facts.period.end_ms - self._facts.period.start_ms <= PAIRED_MS:
                might = self._fitting(why.metered_wrong(self._facts, energy), exactly=True)
            if fits or len(might) == 1:
                return self._told(fits or might)
        partly = self._repriced((), self._facts)
        return msgspec.structs.replace(partly, might=tuple(_words(pair) for pair, _ in might))

    def _unmeasured(self) -> tuple[tuple[Cause, ...], Facts] | None:
        """Energy that an estimated reading or a hole in the ledger accounts for, and the facts as if it had been measured."""
        energy = self._energy
        if energy is None or energy.meets:
            return None
        text = self._estimated() or self._hole(energy)
        if text is None:
            return None
        more = self._facts.with_kwh(energy.difference)
        cause = Cause(*text, energy.difference, self._sum(more.expected()) - self._sum(self._expected))
        return (cause,), more

    def _estimated(self) -> tuple[str, str] | None:
        reads, zone = self._invoice.estimated, self._facts.zone
        days = ", ".join(f"{read.kwh} kWh on {local_day(read.at_ms, zone)}" for read in reads)
        return (why.ESTIMATED, f"the supplier estimated the reading {days}; what was measured differs") if reads else None

    def _hole(self, energy: Figure) -> tuple[str, str] | None:
        """Energy that was billed where the ledger knows nothing, if it would be plausible there."""
        missing, most_kw = self._facts.missing(), self._facts.most_kw()
        if energy.difference <= 0 or not missing:
            return None
        hours = Fraction(sum(unknown for _, unknown in missing), HOUR_MS)
        mean_kw = energy.difference / hours
        if most_kw and mean_kw > most_kw:
            return None
        text = (f"nothing was measured for {float(hours):g} h from {iso(missing[0][0])} on; the difference is {float(mean_kw):.2f} kW"
                " over that time")  # fmt: skip
        return why.MISSING, text

    def _repriced(self, causes: tuple[Cause, ...], facts: Facts) -> Explained:
        """With the version, if it takes another one to make the prices right; the rest stays as it is."""
        expected = facts.expected()
        if not _off(figures(self._invoice, expected), PRICE):
            return Explained(causes, expected)
        for guess in why.versions(facts):
            under = facts.expected(guess)
            if not _off(figures(self._invoice, under), PRICE):
                version = Cause(guess.cause, guess.text, None, self._sum(under) - self._sum(expected))
                return Explained((*causes, version), under)
        return Explained(causes, expected)

    def _fitting(self, tried: Iterable[Pair], exactly: bool) -> list[tuple[Pair, Expected]]:
        """Those under which all figures are right, VAT aside; versions first, then the one that leaves least."""
        fits: list[tuple[bool, Fraction, int, Pair, Expected]] = []
        for place, pair in enumerate(tried):
            expected = self._facts.expected(*pair)
            left = figures(self._invoice, expected)
            if self._believable(left, expected, exactly):
                fits.append((all(guess.cause != why.VERSION for guess in pair), _rest(left), place, pair, expected))
        return [fit[3:] for fit in sorted(fits, key=lambda fit: fit[:3])]

    def _believable(self, left: Sequence[Figure], expected: Expected, exactly: bool) -> bool:
        if any(not (figure.exact if exactly else figure.meets) for figure in left if figure.what not in SUMS):
            return False
        if any(not figure.meets for figure in left) and wrong_vat(self._invoice, expected) is None:
            return False
        return _rest(left) * BETTER <= _rest(self._found)

    def _told(self, fits: Sequence[tuple[Pair, Expected]]) -> Explained:
        """The best of them, each of its causes with what it adds to those before it."""
        (best, expected), causes, before = fits[0], list[Cause](), self._expected
        others = tuple(_words(pair) for pair, _ in fits[1:4])
        for count, guess in enumerate(best, 1):
            after = self._facts.expected(*best[:count])
            kwh = after.kwh - before.kwh if guess.tariff is None else None
            causes.append(Cause(guess.cause, guess.text, kwh, self._sum(after) - self._sum(before), others if count == 1 else ()))
            before = after
        return Explained(tuple(causes), expected)


    def _sum(self, expected: Expected) -> Fraction:
        """The sum in which causes are measured: that which the invoice states."""
        return Fraction(expected.sheet.net if self._invoice.total is None else expected.sheet.total)


def _words(pair: Pair) -> str:
    return " and ".join(guess.text for guess in pair)


def _off(found: Iterable[Figure], what: str) -> bool:
    return any(not figure.meets for figure in found if figure.what == what)


def _rest(found: Iterable[Figure]) -> Fraction:
    """How far a set of figures is off, in units of what may be off."""
    judged = (figure for figure in found if figure.what not in SUMS and figure.allowed)
    return max((abs(figure.difference) / figure.allowed for figure in judged), default=Fraction(0))
