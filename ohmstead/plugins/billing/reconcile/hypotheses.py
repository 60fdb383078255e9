"""What may have gone wrong with an invoice: guesses, each of which says how the period would be made if it held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import EARLIEST_MS, from_ms
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.reconcile.facts import DAY_MS, HOUR_MS, Facts, Guess
from ohmstead.plugins.billing.reconcile.figures import Figure
from ohmstead.plugins.billing.reconcile.invoice import local_day
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.tariffs.tariff import Version

HOURS, DAYS = 6, 3  # how far a border may have slipped; facts reach further
MISSING, ESTIMATED, VERSION, BOUNDARY, ROUNDING, VAT, TOLERANCE, SUM, UNEXPLAINED = (
    "missing interval", "estimated read", "wrong version", "wrong period boundary", "rounding", "VAT", "tolerance", "sum", "unexplained",
)  # fmt: skip


def guesses(facts: Facts) -> Iterator[Guess]:
    """All that is tried alone, the likelier first."""
    yield from versions(facts)
    yield from _borders(facts)
    yield from _left_out(facts)


def fitting(facts: Facts, energy: Figure | None) -> Iterator[tuple[Guess, ...]]:
    """Each guess that gives the energy that was billed."""
    for guess in guesses(facts):
        if energy is None or abs((energy.billed or 0) - facts.kwh(guess)) <= energy.allowed:
            yield (guess,)


def priced_wrong(facts: Facts, energy: Figure) -> Iterator[tuple[Guess, ...]]:
    """Another version and another energy at once, which is what was billed to its last printed digit."""
    for other in (*_borders(facts), *_left_out(facts)):
        if abs((energy.billed or 0) - facts.kwh(other)) <= energy.rounding:
            yield from ((other, version) for version in versions(facts))


def metered_wrong(facts: Facts, energy: Figure) -> Iterator[tuple[Guess, ...]]:
    """Two days left out, or one of them and a border that slipped, which together is what was billed to its last printed digit."""
    borders, left_out = list(_borders(facts)), list(_left_out(facts))
    less = (energy.expected or Fraction(0)) - (energy.billed or Fraction(0))
    gone = {guess.text: facts.kwh() - facts.kwh(guess) for guess in borders + left_out}
    for pair in (*combinations(left_out, 2), *product(borders, left_out)):
        if abs(sum(gone[guess.text] for guess in pair) - less) <= energy.rounding and abs(
            (energy.billed or 0) - facts.kwh(*pair)
        ) <= energy.rounding:  # the sum of both is not what both together are where they overlap
            yield pair


def versions(facts: Facts) -> Iterator[Guess]:
    """The whole period under each version of the tariff but those that apply to it all."""
    reigns = facts.tariff.reigns(facts.period.start_ms, facts.period.end_ms, facts.zone)
    only = reigns[0].version if len(reigns) == 1 else None
    for version in facts.tariff.versions:
        if version is not only:
            text = f"priced with version {version.name} of tariff {facts.tariff.id}; what applies is {_names(reigns)}"
            yield Guess(VERSION, text, tariff=msgspec.structs.replace(facts.tariff, versions=(_always(version),)))


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
                yield Guess(BOUNDARY, _slipped(facts, first, last), Period(first, last))


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
            yield Guess(MISSING, text, without=Period(first, last))
            if last - first == 25 * HOUR_MS and (twice := _second_hour(facts.zone, first, last)) is not None:
                text = f"the hour that came twice on {local_day(first, facts.zone)} was billed once"
                yield Guess(MISSING, text, without=twice)


def _second_hour(zone: ZoneInfo, first: int, last: int) -> Period | None:
    """The second of the two hours that a clock shows when it is put back by one."""
    for at_ms in range(first, last, HOUR_MS):
        if from_ms(at_ms).astimezone(zone).fold:
            return Period(at_ms, at_ms + HOUR_MS)
    return None


