"""Findings where people and utilities contradict each other: imports of different amounts, and settled data under a correction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.corrections.asked import kwh
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.findings.finding import Cause, Found, Undo
from ohmstead.plugins.ledger.imports.book import Clash

LEAST_MWH = 1_000  # imports may differ by 1 Wh in all: they were rounded


class Brought(msgspec.Struct, frozen=True):
    """An import that is in force, and the span it speaks for."""

    number: int
    source: str
    recorded_ms: int
    start_ms: int
    end_ms: int


def clashes(found: Sequence[Clash]) -> list[Found]:
    """One finding for each two imports."""
    return [
        Found(Cause.IMPORTS, f"{clash.earlier}:{clash.later}", clash.start_ms, clash.end_ms,
              f"imports {clash.earlier} and {clash.later} differ in {clash.count} periods by {kwh(clash.mwh)} in all; the later one counts",
              clash.mwh)
        for clash in found
    ]  # fmt: skip


def covered(corrections: Sequence[Correction], imports: Sequence[Brought]) -> list[Found]:
    """Corrections of intervals over which settled data came in later: it is not seen as long as they are in force."""
    found = []
    for correction in corrections:
        change = correction.change
        late = [each for each in imports if each.recorded_ms > correction.recorded_ms and change.overlaps(each.start_ms, each.end_ms)]
        if late:
            last = late[-1]
            text = (f"correction {correction.number} of {correction.author} lies over what import {last.number} ({last.source}) says of "
                    f"{iso(change.start_ms)} to {iso(change.end_ms)}; undo it to let the settled data count")  # fmt: skip
            place = f"{correction.number}:{last.number}"
            found.append(Found(Cause.SETTLED, place, change.start_ms, change.end_ms, text, remedy=Undo(correction.number)))
    return found
