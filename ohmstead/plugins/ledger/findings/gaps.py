"""Findings of missing time between what is known, and of registers that were silent for long."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.corrections.asked import kwh
from ohmstead.plugins.ledger.corrections.changes import Spread
from ohmstead.plugins.ledger.findings.finding import Cause, Correct, Found, Remedy, month
from ohmstead.plugins.ledger.findings.registers import ALONE, Odd
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS

SHORTEST_MS = HOUR_MS  # missing time shorter than this is no finding
NOTHING_MWH = 4_000  # mean power, in mWh per hour: with less on both sides a gap below a day is no finding: a lamp off, PV at night
LONG_MS = DAY_MS

Slot = tuple[int, int, int, int, Layer]  # start_ms, slot_ms, mwh, missing_ms, source


def slots(sheets: Sequence[Sheet]) -> Iterator[Slot]:
    """The slots of sheets that follow each other."""
    for sheet in sheets:
        covers = zip(sheet.mwh, sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, sheet.source, strict=True)
        for place, (mwh, measured, estimated, reset, source) in enumerate(covers):
            missing_ms = sheet.slot_ms - measured - estimated - reset
            yield sheet.start_ms + place * sheet.slot_ms, sheet.slot_ms, mwh, missing_ms, Layer(source)


def gaps(sheets: Sequence[Sheet]) -> list[tuple[int, int]]:
    """Runs of wholly missing slots with something known on both sides: at least SHORTEST_MS long, and not next to nothing."""
    found: list[tuple[int, int]] = []
    before: Slot | None = None
    runs = [(missing, list(run)) for missing, run in groupby(slots(sheets), lambda slot: slot[3] == slot[1])]
    for place, (missing, run) in enumerate(runs):
        if not missing:
            before = run[-1]
        elif before is not None and place + 1 < len(runs):
            start_ms, end_ms = run[0][0], run[-1][0] + run[-1][1]
            idle = all(each[2] * HOUR_MS <= NOTHING_MWH * (each[1] - each[3]) for each in (before, runs[place + 1][1][0]))
            if end_ms - start_ms >= (LONG_MS if idle else SHORTEST_MS):
                found.append((start_ms, end_ms))
    return found


def estimate(start_ms: int, end_ms: int, sheets: Sequence[Sheet]) -> int | None:
    """What the same span had as many whole weeks before as it takes, else a day before: None when neither is complete."""
    known = {slot[0]: slot for slot in slots(sheets)}
    week_ms = 7 * DAY_MS
    for back_ms in (-(-(end_ms - start_ms) // week_ms) * week_ms, DAY_MS):
        if end_ms - start_ms > back_ms:
            continue
        some = [known[at_ms] for at_ms in known if start_ms - back_ms <= at_ms < end_ms - back_ms]
        if some and sum(each[1] - each[3] for each in some) == end_ms - start_ms:
            return sum(each[2] for each in some)
    return None


def finding(meter_point: str, start_ms: int, end_ms: int, mwh: int | None) -> Found:
    """A gap; the remedy spreads the estimate, if there is one."""
    remedy: Remedy | None = None if mwh is None else Correct(Spread(start_ms, end_ms, meter_point, mwh))
    guess = "" if mwh is None else f"; about {kwh(mwh)}, judging by the same time before"
    text = f"nothing is known of {meter_point} from {iso(start_ms)} to {iso(end_ms)}{guess}"
    return Found(Cause.GAP, str(start_ms), start_ms, end_ms, text, mwh, remedy=remedy)


def together(found: Sequence[Found]) -> list[Found]:
    """More than ALONE gaps of one UTC month are one finding."""
    kept: list[Found] = []
    for name, group in groupby(found, lambda each: month(each.start_ms)):
        some = list(group)
        if len(some) <= ALONE:
            kept += some
            continue
        text = (f"{len(some)} gaps in {name}, first: {some[0].text}. "
                "A device that reports only changes needs a longer longest_gap in its binding")  # fmt: skip
        size = sum(each.mwh or 0 for each in some)
        kept.append(Found(Cause.GAP, name, some[0].start_ms, some[-1].end_ms, text, size))
    return kept


def silences(odds: Sequence[Odd], sheets: Sequence[Sheet]) -> list[Found]:
    """Steps of registers over more than LONG_MS that count, estimated: nobody knows when it flowed."""
    live = [slot[0] for slot in slots(sheets) if slot[4] is Layer.LIVE]
    found = []
    for odd in odds:
        long = odd.verdict == "gap" and odd.mwh > 0 and odd.at_ms - odd.from_ms > LONG_MS
        if long and bisect_left(live, odd.from_ms) < bisect_left(live, odd.at_ms):
            text = f"{odd.term.series} was silent from {iso(odd.from_ms)} to {iso(odd.at_ms)}; its {kwh(odd.mwh)} are spread evenly"
            found.append(Found(Cause.GAP, f"{odd.term.series}:{odd.at_ms}", odd.from_ms, odd.at_ms, text, odd.mwh, odd.term.series))
    return found
