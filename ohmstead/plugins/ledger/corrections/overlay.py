"""Corrections on top of all layers: what they make of the intervals of a meter point, in order of their numbers. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import msgspec

from ohmstead.plugins.ledger.corrections.changes import Confirm, IntervalScale, OfIntervals, Replace, SetTotal, Spread
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.corrections.shares import by_weight, scaled
from ohmstead.plugins.ledger.sheet import Layer, Sheet

COVERS = ("measured_ms", "estimated_ms", "reset_ms")


class Overlay(msgspec.Struct):
    """What corrections say of the slots of `sheet`; its source is CORRECTION where they speak, NONE elsewhere.

    `origin` is the number of the last correction that spoke for each slot, 0 where none did.
    """

    sheet: Sheet
    origin: array[int]


def extent(corrections: Sequence[Correction], start_ms: int, end_ms: int) -> tuple[int, int]:
    """The span to lay over anew when something below changed in a half-open span: with all corrections that reach into it."""
    while True:
        reaching = [c.change for c in corrections if c.change.overlaps(start_ms, end_ms)]
        wider = min([start_ms, *(c.start_ms for c in reaching)]), max([end_ms, *(c.end_ms for c in reaching)])
        if wider == (start_ms, end_ms):
            return wider
        start_ms, end_ms = wider


def overlay(corrections: Sequence[Correction], below: Sequence[Sheet], others: Mapping[str, Sequence[Sheet]]) -> list[Overlay]:
    """The corrections of one meter point, by number, applied to the sheets below them, which cover an `extent`.

    `others` are the resolved sheets of the meter points that replace it, of the same slots. A correction whose span
    reaches beyond the sheets is left out: half of its energy would be lost.
    """
    laid = [Overlay(_copy(sheet), array("q", bytes(8 * len(sheet)))) for sheet in below]
    for correction in corrections:
        _apply(correction, laid, others)
    for each in laid:
        each.sheet.source = bytearray(Layer.CORRECTION if number else Layer.NONE for number in each.origin)
    return laid


def _copy(sheet: Sheet) -> Sheet:
    columns = (sheet.mwh[:], sheet.measured_ms[:], sheet.estimated_ms[:], sheet.reset_ms[:])
    return Sheet(sheet.start_ms, sheet.slot_ms, *columns, sheet.source[:])


class Part(msgspec.Struct):
    """The slots `low` to before `high` of an overlay: what of a correction's span lies there."""

    laid: Overlay
    low: int
    high: int

    @property
    def slots(self) -> range:
        """The places of the slots."""
        return range(self.low, self.high)

    def start_ms(self, slot: int) -> int:
        """Where a slot begins."""
        return self.laid.sheet.start_ms + slot * self.laid.sheet.slot_ms


def _apply(correction: Correction, laid: Sequence[Overlay], others: Mapping[str, Sequence[Sheet]]) -> None:
    change = correction.change
    assert isinstance(change, OfIntervals)
    parts = [part for each in laid if (part := _part(each, change)) is not None]
    if sum(len(part.slots) * part.laid.sheet.slot_ms for part in parts) != change.end_ms - change.start_ms:
        return
    spoken = _change(change, parts, others)
    for part, slots in zip(parts, spoken, strict=True):
        for slot in slots:
            part.laid.origin[slot] = correction.number


def _part(laid: Overlay, change: OfIntervals) -> Part | None:
    sheet = laid.sheet
    low = max(0, (change.start_ms - sheet.start_ms) // sheet.slot_ms)
    high = min(len(sheet), (change.end_ms - sheet.start_ms) // sheet.slot_ms)
    return Part(laid, low, high) if low < high else None


def _change(change: OfIntervals, parts: Sequence[Part], others: Mapping[str, Sequence[Sheet]]) -> list[Sequence[int]]:
    """Carry it out; the slots it spoke for, by part."""
    if isinstance(change, Confirm):
        return _confirm(change, parts)
    if isinstance(change, IntervalScale):
        _write(parts, scaled(_energies(parts), change.ratio))
        return [_covered(part) for part in parts]
    if isinstance(change, Replace):
        return _replace(change, parts, others.get(change.by, ()))
    if isinstance(change, SetTotal):
        _share(change.mwh, parts, _profile(parts))
    elif isinstance(change, Spread):
        complete = all(_missing_ms(part, slot) == 0 for part in parts for slot in part.slots)
        _share(change.mwh, parts, _energies(parts) if complete else [])
    return [part.slots for part in parts]


def _energies(parts: Sequence[Part]) -> list[int]:
    return [mwh for part in parts for mwh in part.laid.sheet.mwh[part.low : part.high]]


def _missing_ms(part: Part, slot: int) -> int:
    sheet = part.laid.sheet
    return sheet.slot_ms - sheet.measured_ms[slot] - sheet.estimated_ms[slot] - sheet.reset_ms[slot]


def _profile(parts: Sequence[Part]) -> list[int]:
    """Weights of the slots: their energy, and for missing time the mean of the covered time; integers throughout."""
    energies, missing = _energies(parts), [_missing_ms(part, slot) for part in parts for slot in part.slots]
    covered_ms = sum(part.laid.sheet.slot_ms * len(part.slots) for part in parts) - sum(missing)
    whole = sum(energies)
    return [mwh * covered_ms + whole * gap_ms for mwh, gap_ms in zip(energies, missing, strict=True)]


def _share(mwh: int, parts: Sequence[Part], weights: Sequence[int]) -> None:
    """Give the slots `mwh` in proportion to the weights, by time where they are all zero; estimated unless it is one slot."""
    slots = [part.laid.sheet.slot_ms for part in parts for _ in part.slots]
    _write(parts, by_weight(mwh, weights if any(weights) else slots))
    for part in parts:
        sheet, count = part.laid.sheet, part.high - part.low
        whole, none = array("i", [sheet.slot_ms]) * count, array("i", [0]) * count
        one = len(slots) == 1
        sheet.measured_ms[part.low : part.high] = whole if one else none
        sheet.estimated_ms[part.low : part.high] = none if one else whole
        sheet.reset_ms[part.low : part.high] = none


def _write(parts: Sequence[Part], mwh: array[int]) -> None:
    place = 0
    for part in parts:
        count = part.high - part.low
        part.laid.sheet.mwh[part.low : part.high] = mwh[place : place + count]
        place += count


def _covered(part: Part) -> list[int]:
    return [slot for slot in part.slots if _missing_ms(part, slot) < part.laid.sheet.slot_ms]


def _replace(change: Replace, parts: Sequence[Part], others: Sequence[Sheet]) -> list[Sequence[int]]:
    """Take the other's slots, times the factor; where it has nothing, what is there stays."""
    taken = [_taken(part, others) for part in parts]
    energies = scaled((mwh for part in taken for mwh in part.laid.sheet.mwh), change.ratio)
    _write(taken, energies)
    spoken: list[Sequence[int]] = []
    for part, other in zip(parts, taken, strict=True):
        slots = _covered(other)
        for column in ("mwh", *COVERS):
            mine, theirs = getattr(part.laid.sheet, column), getattr(other.laid.sheet, column)
            for slot in slots:
                mine[part.low + slot] = theirs[slot]
        spoken.append([part.low + slot for slot in slots])
    return spoken


def _taken(part: Part, others: Sequence[Sheet]) -> Part:
    """What the other's sheets say of the slots of a part."""
    fresh = Sheet.empty(part.start_ms(part.low), part.laid.sheet.slot_ms, part.high - part.low)
    for other in others:
        low, high = max(fresh.start_ms, other.start_ms), min(fresh.end_ms, other.end_ms)
        if low >= high or fresh.slot_ms != other.slot_ms:
            continue
        here, there, count = ((ms // fresh.slot_ms) for ms in (low - fresh.start_ms, low - other.start_ms, high - low))
        for column in ("mwh", *COVERS):
            getattr(fresh, column)[here : here + count] = getattr(other, column)[there : there + count]
    return Part(Overlay(fresh, array("q")), 0, len(fresh))


def _confirm(change: Confirm, parts: Sequence[Part]) -> list[Sequence[int]]:
    """Book the step by time into the slots that have the time free: where something was booked meanwhile, it is not booked twice."""
    booked: list[Sequence[int]] = []
    done = 0
    for part in parts:
        sheet = part.laid.sheet
        taken: list[int] = []
        cover = getattr(sheet, f"{change.quality}_ms")
        for slot in part.slots:
            start_ms = part.start_ms(slot)
            low, high = max(start_ms, change.from_ms), min(start_ms + sheet.slot_ms, change.to_ms)
            until = change.mwh * max(0, high - change.from_ms) // (change.to_ms - change.from_ms)
            if low < high and _missing_ms(part, slot) >= high - low:
                sheet.mwh[slot] += until - done
                cover[slot] += high - low
                taken.append(slot)
            done = until
        booked.append(taken)
    return booked
