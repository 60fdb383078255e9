"""Findings from the verdicts of registers and deltas: resets, falls, glitches, spikes, suspect steps, slips of the unit."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.corrections.asked import kwh
from ohmstead.plugins.ledger.corrections.changes import Confirm, ReadingScale, Void
from ohmstead.plugins.ledger.findings.finding import Cause, Correct, Found, Remedy, Swap, month
from ohmstead.plugins.ledger.points.bindings import MILLIONTHS, Binding, Resets, Term, plain
from ohmstead.plugins.ledger.slots import HOUR_MS, Grid

WINDOW_MS = HOUR_MS  # the glitch window: after it a verdict is told
ALONE = 10  # so many of a cause, series and month stand alone; more are one finding
SLIP = 1000
CLOSE = 100  # a slip of the unit is 1000 ± 1 %


class Odd(msgspec.Struct, frozen=True):
    """A verdict with where it was given; energies in mWh, as derive.state.Verdict has them."""

    binding: Binding
    term: Term
    verdict: str
    at_ms: int
    from_ms: int
    before: int
    value: int
    mwh: int


class House(msgspec.Struct, frozen=True):
    """What the texts and remedies need: the meter point's id and the slots."""

    meter_point: str
    grid: Grid


def registers(house: House, odds: Sequence[Odd], confirmed: Container[tuple[int, int]]) -> list[Found]:
    """Findings of whole UTC months of verdicts, in order of time; `confirmed` are the steps that were booked by people."""
    found = [each for odd in odds if (each := _one(house, odd, odds, confirmed)) is not None]
    found.sort(key=_key)
    return [each for _, group in groupby(found, _key) for each in _alone_or_together(list(group))]


def _key(found: Found) -> tuple[str, str, str]:
    return found.cause, found.series or "", month(found.end_ms - 1)


def _one(house: House, odd: Odd, odds: Iterable[Odd], confirmed: Container[tuple[int, int]]) -> Found | None:
    if odd.verdict in ("suspect", "fall", "reset") and (slip := _slip(odd, odds)) is not None:
        return slip
    if odd.verdict == "reset":
        text = f"began anew at {kwh(odd.value)} after {kwh(odd.before)}"
        return None if odd.term.resets is not Resets.NONE else _found(odd, Cause.RESET, text, _swap(odd, "0"), odd.mwh)
    if odd.verdict == "fall":
        text = f"fell from {kwh(odd.before)} to {kwh(odd.value)}: was the meter swapped?"
        return _found(odd, Cause.FALL, text, _swap(odd, None), odd.before - odd.value)
    if odd.verdict in ("glitch", "spike"):
        remedy = Correct(Void(odd.at_ms, odd.at_ms + 1, odd.term.series, (odd.at_ms,)))
        text = f"showed {kwh(odd.value)} for a moment where it had reached {kwh(odd.before)}; set aside"
        return _found(odd, Cause(odd.verdict), text, remedy, abs(odd.value - odd.before))
    if odd.verdict == "suspect":
        return None if (odd.from_ms, odd.at_ms) in confirmed else _suspect(house, odd)
    if odd.verdict == "sealed":
        text = f"something changed from {iso(odd.from_ms)} on, where the archived readings are lost: the energy stays as it was"
        return _found(odd, Cause.SEALED, text, None, 0)
    if odd.verdict in ("negative_rest", "negative"):
        return _found(odd, Cause.NEGATIVE_REST, _rest(odd), None, abs(odd.mwh))
    return None


def _suspect(house: House, odd: Odd) -> Found:
    took_ms = max(1, odd.at_ms - odd.from_ms)
    quality = "reset" if odd.value < odd.before else "measured" if took_ms <= odd.binding.longest_gap_ms else "estimated"
    start_ms, end_ms = house.grid.start(odd.from_ms), house.grid.end(odd.at_ms)
    change = Confirm(start_ms, end_ms, house.meter_point, odd.from_ms, odd.at_ms, odd.mwh, quality)
    power_kw = plain(round(Decimal(odd.mwh) * HOUR_MS / took_ms / MILLIONTHS, 1))
    most_kw = plain(Decimal(odd.binding.plausible_per_h) / MILLIONTHS)
    text = f"rose by {kwh(odd.mwh)}, which is {power_kw} per hour on average and more than the {most_kw} believed; not booked"
    return _found(odd, Cause.SUSPECT, text, Correct(change), odd.mwh)


def _rest(odd: Odd) -> str:
    if odd.verdict == "negative":
        return f"says {kwh(odd.value)} of a period that cannot be negative; not booked"
    return f"the periods within it have {kwh(abs(odd.mwh))} more than the whole says; its rest is not booked"


def _slip(odd: Odd, odds: Iterable[Odd]) -> Found | None:
    """A register that shows a thousand times what it had reached, or a thousandth of it: Wh for kWh, or the other way."""
    if _near(odd.value, odd.before * SLIP):
        times, words = f"1/{SLIP}", "a thousand times what"
    elif _near(odd.value * SLIP, odd.before):
        times, words = str(SLIP), "a thousandth of what"
    else:
        return None
    end_ms = min((other.at_ms for other in odds if _ends(odd, other)), default=None)
    remedy = None if end_ms is None else Correct(ReadingScale(odd.at_ms, end_ms, odd.term.series, factor=times))
    text = f"shows {kwh(odd.value)}, {words} it had reached ({kwh(odd.before)}): has its unit changed?"
    text += "" if end_ms else " If it stays so, give the binding a factor from then on"
    return _found(odd, Cause.UNIT_SLIP, text, remedy, abs(odd.value - odd.before))


def _ends(odd: Odd, other: Odd) -> bool:
    """Whether another verdict is the slip back."""
    back = _near(other.before, odd.value) and (_near(other.value * SLIP, other.before) or _near(other.value, other.before * SLIP))
    return other.term.series == odd.term.series and other.at_ms > odd.at_ms and back


def _near(one: int, other: int) -> bool:
    return other > 0 and abs(one - other) * CLOSE <= other


def _swap(odd: Odd, opening: str | None) -> Remedy | None:
    """The meter was swapped right after the last reading before; None when it is one of several registers."""
    if len(odd.binding.terms) > 1:
        return None
    return Swap(odd.from_ms + 1, _display(odd.before, odd.term), _display(odd.value, odd.term) if opening is None else opening)


def _display(mwh: int, term: Term) -> str:
    return plain(Decimal(mwh) / MILLIONTHS / term.factor)


def _found(odd: Odd, cause: Cause, text: str, remedy: Remedy | None, mwh: int) -> Found:
    place = f"{odd.term.series}:{odd.at_ms}"
    whole = f"{odd.term.series} {text} ({iso(odd.at_ms)})"
    return Found(cause, place, odd.from_ms, odd.at_ms + 1, whole, mwh, odd.term.series, remedy, odd.at_ms + WINDOW_MS)


def _alone_or_together(found: list[Found]) -> Iterator[Found]:
    if len(found) <= ALONE:
        yield from found
        return
    first = found[0]
    instants = [each.end_ms - 1 for each in found]
    voids = first.cause in (Cause.GLITCH, Cause.SPIKE) and len(found) <= 1000 and first.series is not None
    remedy = Correct(Void(instants[0], instants[-1] + 1, first.series or "", tuple(instants))) if voids else None
    text = f"{first.series}: {len(found)} times in {month(first.end_ms - 1)}, first: {first.text}. {HINTS.get(first.cause, '')}".rstrip()
    size = sum(each.mwh or 0 for each in found)
    place = f"{first.series}:{month(first.end_ms - 1)}"
    yield Found(first.cause, place, first.start_ms, found[-1].end_ms, text, size, first.series, remedy, first.due_ms)


HINTS = {
    Cause.SUSPECT: "State the plausible maximum of the binding if it can be that much",
    Cause.RESET: "Declare resets: on_boot or daily on the binding if it does that by design",
    Cause.FALL: "A register that falls by design takes part: positive, and negative for what goes back",
}
