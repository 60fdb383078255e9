"""Slots as they are stored: one row for a UTC day, its columns little-endian arrays.

`energy` is int64 for every slot. `cover` is measured, estimated and reset time, int32 for every slot, one after the
other; it is NULL where the whole day is measured. A day of which nothing is known has empty `energy`, and a row only
when there is something else to keep.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid

BIG = sys.byteorder == "big"


class Day(NamedTuple):
    """The slots of one UTC day (since 1970) as bytes."""

    day: int
    slot_ms: int
    energy: bytes
    cover: bytes | None


def pack(sheet: Sheet) -> Day:
    """A sheet of exactly one UTC day."""
    day = sheet.start_ms // DAY_MS
    if sheet.measured_ms == _full(sheet.slot_ms):
        return Day(day, sheet.slot_ms, _bytes(sheet.mwh), None)
    cover = _bytes(sheet.measured_ms) + _bytes(sheet.estimated_ms) + _bytes(sheet.reset_ms)
    return Day(day, sheet.slot_ms, _bytes(sheet.mwh) if any(cover) else b"", cover if any(cover) else b"")


def unpack(day: Day, layer: Layer = Layer.NONE) -> Sheet:
    """The sheet of a day; `source` is the layer where anything is covered."""
    return sheets([day], day.day * DAY_MS, (day.day + 1) * DAY_MS, layer, Grid([(0, day.slot_ms)]))[0]


def sheets(days: Iterable[Day], start_ms: int, end_ms: int, layer: Layer, grid: Grid) -> list[Sheet]:
    """The days, in order, as sheets over exactly the slots that touch [start, end); what has no day is empty."""
    found: list[Sheet] = []
    by_day = {day.day: day for day in days}
    for first_ms, slot_ms, count in grid.stretches(start_ms, end_ms):
        until_ms = first_ms + count * slot_ms
        some = [by_day.get(day) for day in range(first_ms // DAY_MS, -(-until_ms // DAY_MS))]
        whole = _together(some, first_ms // DAY_MS * DAY_MS, slot_ms, layer)
        found.append(cut(whole, first_ms, until_ms))
    return found


def cut(sheet: Sheet, start_ms: int, end_ms: int) -> Sheet:
    """The slots of a sheet in [start, end), both on its slots' borders and within it."""
    if start_ms == sheet.start_ms and end_ms == sheet.end_ms:
        return sheet
    part = slice((start_ms - sheet.start_ms) // sheet.slot_ms, (end_ms - sheet.start_ms) // sheet.slot_ms)
    return Sheet(start_ms, sheet.slot_ms, sheet.mwh[part], sheet.measured_ms[part], sheet.estimated_ms[part],
                 sheet.reset_ms[part], sheet.source[part])  # fmt: skip


def by_day(sheet: Sheet) -> Iterable[Sheet]:
    """A sheet of whole UTC days, day by day."""
    for start_ms in range(sheet.start_ms, sheet.end_ms, DAY_MS):
        yield cut(sheet, start_ms, start_ms + DAY_MS)


def _together(days: Sequence[Day | None], start_ms: int, slot_ms: int, layer: Layer) -> Sheet:
    """Days one behind the other, without a loop over slots."""
    count = DAY_MS // slot_ms
    part = 4 * count
    nothing, full = bytes(part), _bytes(_full(slot_ms))
    quiet, said = bytes(count), bytes([layer]) * count
    energy, measured, estimated, reset, source = [], [], [], [], []
    for day in days:
        if day is None or not day.energy or day.slot_ms != slot_ms:
            energy.append(bytes(8 * count))
            measured.append(nothing)
            estimated.append(nothing)
            reset.append(nothing)
            source.append(quiet)
            continue
        energy.append(day.energy)
        cover = day.cover
        if cover is None:
            measured.append(full)
            estimated.append(nothing)
            reset.append(nothing)
            source.append(said)
        else:
            measured.append(cover[:part])
            estimated.append(cover[part : 2 * part])
            reset.append(cover[2 * part :])
            source.append(_source(cover, count, layer))
    return Sheet(start_ms, slot_ms, _array("q", energy), _array("i", measured), _array("i", estimated), _array("i", reset),
                 bytearray(b"".join(source)))  # fmt: skip


def _source(cover: bytes, count: int, layer: Layer) -> bytes:
    every = _array("i", [cover])
    return bytes(layer if any(every[at::count]) else 0 for at in range(count))


def _full(slot_ms: int) -> array[int]:
    return array("i", [slot_ms]) * (DAY_MS // slot_ms)


def _bytes(column: array[int]) -> bytes:
    if BIG:
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _array(kind: str, parts: Sequence[bytes]) -> array[int]:
    column: array[int] = array(kind, b"".join(parts))
    if BIG:
        column.byteswap()
    return column
