"""Sheets laid together: terms added, bindings joined, layers resolved, and slots as records."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from ohmstead.core.clock import from_ms
from ohmstead.plugins.ledger.sheet import Layer, Sheet


def add(terms: Sequence[Sheet]) -> Sheet:
    """The sum of the terms of a binding, over the same slots: covered is what all of them cover, with the worst quality.

    A slot that one term does not cover at all is missing, whatever the others say.
    """
    if len(terms) == 1:
        return _spoken(terms[0], Layer.LIVE)
    total = Sheet.empty(terms[0].start_ms, terms[0].slot_ms, len(terms[0]))
    for at in range(len(total)):
        covers = [(term.measured_ms[at], term.estimated_ms[at], term.reset_ms[at]) for term in terms]
        left = min(map(sum, covers))
        if left:
            total.mwh[at] = sum(term.mwh[at] for term in terms)
            total.reset_ms[at] = min(left, max(cover[2] for cover in covers))
            left -= total.reset_ms[at]
            total.estimated_ms[at] = min(left, max(cover[1] for cover in covers))
            total.measured_ms[at] = left - total.estimated_ms[at]
    return _spoken(total, Layer.LIVE)


def join(sheets: Sequence[Sheet]) -> Sheet:
    """Sheets over the same slots that cover different times, as bindings one after another do: all columns added."""
    if len(sheets) == 1:
        return sheets[0]
    return Sheet(
        sheets[0].start_ms,
        sheets[0].slot_ms,
        array("q", map(_sum, *(sheet.mwh for sheet in sheets))),
        array("i", map(_sum, *(sheet.measured_ms for sheet in sheets))),
        array("i", map(_sum, *(sheet.estimated_ms for sheet in sheets))),
        array("i", map(_sum, *(sheet.reset_ms for sheet in sheets))),
        bytearray(map(max, *(sheet.source for sheet in sheets))),
    )


def _sum(*amounts: int) -> int:
    return sum(amounts)


def resolve(layers: Mapping[Layer, Sheet]) -> Sheet:
    """Of layers over the same slots, in each slot the highest that covers any of it; `source` says which."""
    ranked = sorted(layers.items())
    found = _spoken(ranked[0][1], ranked[0][0])
    for layer, sheet in ranked[1:]:
        for at, cover in enumerate(zip(sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)):
            if any(cover):
                found.mwh[at], found.source[at] = sheet.mwh[at], layer
                found.measured_ms[at], found.estimated_ms[at], found.reset_ms[at] = cover
    return found


def _spoken(sheet: Sheet, layer: Layer) -> Sheet:
    """A copy whose source is `layer` where it is covered at all."""
    count = len(sheet)
    if sheet.measured_ms == array("i", [sheet.slot_ms]) * count:
        source = bytearray([layer]) * count
    else:
        covers = zip(sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)
        source = bytearray(layer if any(cover) else Layer.NONE for cover in covers)
    return Sheet(sheet.start_ms, sheet.slot_ms, sheet.mwh[:], sheet.measured_ms[:], sheet.estimated_ms[:], sheet.reset_ms[:], source)


def quality(span_ms: int, measured_ms: int, estimated_ms: int, reset_ms: int) -> str:
    """The worst of what a span consists of: measured < estimated < reset < missing."""
    if measured_ms + estimated_ms + reset_ms < span_ms:
        return "missing"
    return "reset" if reset_ms else "estimated" if estimated_ms else "measured"


def kwh(mwh: int) -> str:
    """Millionths as a decimal, exact: 1500000 is 1.500000."""
    sign = "-" if mwh < 0 else ""
    return f"{sign}{abs(mwh) // 1_000_000}.{abs(mwh) % 1_000_000:06d}"


def intervals(sheets: Iterable[Sheet], zone: tzinfo = UTC) -> Iterator[dict[str, Any]]:
    """Slots as the API answers them: kwh is null only where nothing is covered, and so is the source."""
    for sheet in sheets:
        for at in range(len(sheet)):
            start_ms = sheet.start_ms + at * sheet.slot_ms
            cover = sheet.measured_ms[at], sheet.estimated_ms[at], sheet.reset_ms[at]
            yield interval(start_ms, start_ms + sheet.slot_ms, sheet.mwh[at], cover, sheet.source[at], zone)


def interval(start_ms: int, end_ms: int, mwh: int, cover: tuple[int, int, int], source: int, zone: tzinfo = UTC) -> dict[str, Any]:
    """One span of energy as the API answers it; `cover` is the time measured, estimated and taken over a reset, in ms."""
    covered_ms = sum(cover)
    return {
        "start": _shown(start_ms, zone),
        "end": _shown(end_ms, zone),
        "kwh": kwh(mwh) if covered_ms else None,
        "quality": quality(end_ms - start_ms, *cover),
        "covered_s": covered_ms // 1000 if covered_ms % 1000 == 0 else covered_ms / 1000,
        "source": Layer(source).name.lower() if source else None,
    }


def _shown(at_ms: int, zone: tzinfo) -> str:
    at: datetime = from_ms(at_ms)
    return at.astimezone(zone).isoformat()
