"""What may have gone wrong with an invoice: each guess makes the period anew and says what the invoice would then show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import EARLIEST_MS, from_ms
from ohmstead.plugins.billing.biller import made
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.reconcile.figures import MILLION, Expected
from ohmstead.plugins.billing.reconcile.invoice import local_day
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.tariffs.lines import Carry
from ohmstead.plugins.tariffs.tariff import Tariff, Version

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
HOURS, DAYS = 6, 3  # how far a border may have slipped
WIDER_MS = (DAYS + 1) * DAY_MS  # how much more than the period is read
MISSING, ESTIMATED, VERSION, BOUNDARY, ROUNDING, VAT, TOLERANCE, SUM, UNEXPLAINED = (
    "missing interval", "estimated read", "wrong version", "wrong period boundary", "rounding", "VAT", "tolerance", "sum", "unexplained",
)  # fmt: skip


class Facts(msgspec.Struct, frozen=True):
    """All that the ledger and the tariff know of a period: enough to make it in any way without asking again.

    `supply` reaches WIDER_MS beyond the period on both sides, where there is anything.
    """

    contract: Contract
    tariff: Tariff
    period: Period
    supply: Supply
    carry: Carry

    @property
    def zone(self) -> ZoneInfo:
        """That of the contract's location."""
        return ZoneInfo(self.contract.zone)

    def expected(self, period: Period | None = None, tariff: Tariff | None = None) -> Expected:
        """What an invoice should say, of this period and under this tariff or of another."""
        span = period or self.period
        bill = made(self.contract, tariff or self.tariff, span, self.supply, self.carry)
        return Expected(self.kwh(span), _kwh(self._sheets(self.contract.exports), span), bill.sheet)

    def kwh(self, span: Period) -> Fraction:
        """The energy bought in a span."""
        return _kwh(self._sheets(self.contract.imports), span)

    def missing(self) -> list[tuple[int, int]]:
        """The slots of the period of which some part is unknown, as (start, uncovered milliseconds)."""
        return [
            (start, slot_ms - known) for sheet in self._sheets(self.contract.imports)
            for start, slot_ms, known in _covers(sheet) if self.period.start_ms <= start < self.period.end_ms and known < slot_ms
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


class Guess(msgspec.Struct, frozen=True):
    """One cause, in words, and how the period is made if it holds."""

    cause: str
    text: str
    period: Period
    tariff: Tariff
    without: Period | None = None  # energy of this span was left out

    def kwh(self, facts: Facts) -> Fraction:
        """The energy bought, without pricing anything."""
        return facts.kwh(self.period) - (facts.kwh(self.without) if self.without is not None else 0)

    def expected(self, facts: Facts) -> Expected:
        """What the invoice would say."""
        if self.without is None:
            return facts.expected(self.period, self.tariff)
        return msgspec.structs.replace(facts, supply=_without(facts.supply, facts.contract.imports, self.without)).expected()


def guesses(facts: Facts) -> Iterator[Guess]:
    """All that is tried, the likelier first."""
    yield from _versions(facts)
    yield from _borders(facts)
    yield from _left_out(facts)


def _versions(facts: Facts) -> Iterator[Guess]:
    """The whole period under each version of the tariff but those that apply to it all."""
    reigns = facts.tariff.reigns(facts.period.start_ms, facts.period.end_ms, facts.zone)
    only = reigns[0].version if len(reigns) == 1 else None
    for version in facts.tariff.versions:
        if version is not only:
            text = f"priced with version {version.name} of tariff {facts.tariff.id}; what applies is {_names(reigns)}"
            yield Guess(VERSION, text, facts.period, msgspec.structs.replace(facts.tariff, versions=(_always(version),)))


def _always(version: Version) -> Version:
    return msgspec.structs.replace(version, valid_from=EARLIEST_MS, until=None)


def _names(reigns: Sequence[tuple[int, int, Version | None]]) -> str:
    return ", then ".join("no version" if version is None else version.name for _, _, version in reigns)


def _borders(facts: Facts) -> Iterator[Guess]:
    """Start or end or both, some hours or days earlier or later."""
    slips = [sign * hours * HOUR_MS for hours in range(1, HOURS + 1) for sign in (1, -1)]
    slips += [sign * days * DAY_MS for days in range(1, DAYS + 1) for sign in (1, -1)]
    for slip in slips:
        for start, end in ((slip, 0), (0, slip), (slip, slip)):
            first, last = facts.period.start_ms + start, facts.period.end_ms + end
            if first < last:
                yield Guess(BOUNDARY, _slipped(facts, first, last), Period(first, last), facts.tariff)


def _slipped(facts: Facts, first: int, last: int) -> str:
    was = facts.period
    parts = [
        f"{name} at {local_day(at_ms, facts.zone)} instead of {local_day(stated, facts.zone)}"
        for name, at_ms, stated in (("begins", first, was.start_ms), ("ends", last, was.end_ms)) if at_ms != stated
    ]  # fmt: skip
    return f"the energy is that of a period that {' and '.join(parts)}"


def _left_out(facts: Facts) -> Iterator[Guess]:
    """One local day of the period, or the hour that comes twice in autumn, was not billed."""
    for first, last in local("day", facts.zone, facts.period.start_ms, facts.period.end_ms):
        if facts.period.start_ms <= first and last <= facts.period.end_ms:
            text = f"the energy of {local_day(first, facts.zone)} was not billed"
            yield Guess(MISSING, text, facts.period, facts.tariff, Period(first, last))
            if last - first == 25 * HOUR_MS and (twice := _second_hour(facts.zone, first, last)) is not None:
                text = f"the hour that came twice on {local_day(first, facts.zone)} was billed once"
                yield Guess(MISSING, text, facts.period, facts.tariff, twice)


def _second_hour(zone: ZoneInfo, first: int, last: int) -> Period | None:
    """The second of the two hours that a clock shows when it is put back by one."""
    for at_ms in range(first, last, HOUR_MS):
        if from_ms(at_ms).astimezone(zone).fold:
            return Period(at_ms, at_ms + HOUR_MS)
    return None


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
