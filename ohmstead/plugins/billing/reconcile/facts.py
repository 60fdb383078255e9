"""What is known of the period of an invoice: enough to make it in any way without asking again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.billing.biller import made
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.reconcile.figures import MILLION, Expected
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.lines import Carry
from ohmstead.plugins.tariffs.tariff import Tariff

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WIDER_MS = 4 * DAY_MS  # how much more than the period is read


class Guess(msgspec.Struct, frozen=True):
    """One cause, in words, and what of the period is another if it holds; `without` is a span whose energy was left out."""

    cause: str
    text: str
    period: Period | None = None
    tariff: Tariff | None = None
    without: Period | None = None


class Facts(msgspec.Struct, frozen=True):
    """`supply` reaches WIDER_MS beyond the period on both sides, where there is anything."""

    contract: Contract
    tariff: Tariff
    period: Period
    supply: Supply
    carry: Carry

    @property
    def zone(self) -> ZoneInfo:
        """That of the contract's location."""
        return ZoneInfo(self.contract.zone)

    def expected(self, *guesses: Guess) -> Expected:
        """What an invoice should say, or would say if all these guesses hold."""
        span, tariff = _span(self, guesses), next((guess.tariff for guess in guesses if guess.tariff is not None), self.tariff)
        supply = self.supply
        for guess in guesses:
            if guess.without is not None:
                supply = _without(supply, self.contract.imports, guess.without)
        bill = made(self.contract, tariff, span, supply, self.carry)
        return Expected(self.kwh(*guesses), _kwh(self._sheets(self.contract.exports), span), bill.sheet)

    def kwh(self, *guesses: Guess) -> Fraction:
        """The energy bought, if all these guesses hold, without pricing anything."""
        span, imports = _span(self, guesses), self._sheets(self.contract.imports)
        gone = (guess.without.within(span.start_ms, span.end_ms) for guess in guesses if guess.without is not None)
        return _kwh(imports, span) - sum((_kwh(imports, each) for each in gone if each is not None), Fraction(0))

    def with_kwh(self, more: Fraction) -> Facts:
        """The same with so much more energy: where some is missing spread over that by time, else along what there is."""
        points, unknown = self.contract.imports, dict(self.missing())
        weights = unknown or {at_ms: mwh for sheet in self._sheets(points[:1]) for at_ms, mwh in _slots(sheet) if at_ms in self.period}
        shares = _shares(weights, int(more * MILLION))
        sheets = {**self.supply.sheets, points[0]: [_with(sheet, shares) for sheet in self.supply.sheets[points[0]]]}
        return msgspec.structs.replace(self, supply=msgspec.structs.replace(self.supply, sheets=sheets))

    def missing(self) -> list[tuple[int, int]]:
        """The slots of the period of which some part is unknown, as (start, uncovered milliseconds)."""
        return [
            (start, slot_ms - known) for sheet in self._sheets(self.contract.imports)
            for start, slot_ms, known in _covers(sheet) if start in self.period and known < slot_ms
        ]  # fmt: skip

    def most_kw(self) -> Fraction:
        """The greatest mean power of a slot of the period."""
        found = (
            Fraction(mwh * HOUR_MS, sheet.slot_ms * MILLION)
            for sheet in self._sheets(self.contract.imports) for mwh in sheet.mwh
        )  # fmt: skip
        return max(found, default=Fraction(0))

    def _sheets(self, points: tuple[str, ...]) -> list[Sheet]:
        return list(chain.from_iterable(self.supply.sheets[point] for point in points))


def _span(facts: Facts, guesses: Iterable[Guess]) -> Period:
    return next((guess.period for guess in guesses if guess.period is not None), facts.period)


def _shares(weights: Mapping[int, int], mwh: int) -> dict[int, int]:
    """Energy shared by weight, in order: floors of the cumulative share, so that nothing is lost."""
    whole, upto, shares = sum(weights.values()), 0, {}
    for at_ms, weight in sorted(weights.items()):
        shares[at_ms] = mwh * (upto + weight) // whole - mwh * upto // whole if whole else 0
        upto += weight
    return shares


def _with(sheet: Sheet, more: Mapping[int, int]) -> Sheet:
    mwh = sheet.mwh[:]
    for place, (at_ms, _) in enumerate(_slots(sheet)):
        mwh[place] += more.get(at_ms, 0)
    return msgspec.structs.replace(sheet, mwh=mwh)


def _slots(sheet: Sheet) -> Iterator[tuple[int, int]]:
    return ((sheet.start_ms + place * sheet.slot_ms, mwh) for place, mwh in enumerate(sheet.mwh))


def _without(supply: Supply, points: tuple[str, ...], span: Period) -> Supply:
    sheets = {point: [_emptied(sheet, span) if point in points else sheet for sheet in found] for point, found in supply.sheets.items()}
    return msgspec.structs.replace(supply, sheets=sheets)


def _emptied(sheet: Sheet, span: Period) -> Sheet:
    first, last = _places(sheet, span)
    mwh = sheet.mwh[:]
    for place in range(first, last):
        mwh[place] = 0
    return msgspec.structs.replace(sheet, mwh=mwh)


def _kwh(sheets: list[Sheet], span: Period) -> Fraction:
    total = 0
    for sheet in sheets:
        first, last = _places(sheet, span)
        total += sum(sheet.mwh[first:last])
    return Fraction(total, MILLION)


def _places(sheet: Sheet, span: Period) -> tuple[int, int]:
    first = max(0, -(-(span.start_ms - sheet.start_ms) // sheet.slot_ms))
    return first, max(first, min(len(sheet), (span.end_ms - sheet.start_ms) // sheet.slot_ms))


def _covers(sheet: Sheet) -> Iterator[tuple[int, int, int]]:
    """(start, length, covered) of each slot, in ms."""
    for place in range(len(sheet)):
        known = sheet.measured_ms[place] + sheet.estimated_ms[place] + sheet.reset_ms[place]
        yield sheet.start_ms + place * sheet.slot_ms, sheet.slot_ms, known
