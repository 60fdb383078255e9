"""Slots as they are stored: one row for a UTC day, its columns little-endian arrays.

`energy` is int64 for every slot. `cover` is measured, estimated and reset time, int32 for every slot, one after the
other; it is NULL where the whole day is measured. A day of which nothing is known has empty `energy`, and a row only
when there is something else to keep.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
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


Said = tuple[Day, int] | Sheet  # a stored day with its layer, or the sheet of a day


def pack(sheet: Sheet) -> Day:
    """A sheet of exactly one UTC day."""
    day = sheet.start_ms // DAY_MS
    if sheet.measured_ms == _full(sheet.slot_ms):
        return Day(day, sheet.slot_ms, bytes_of(sheet.mwh), None)
    cover = bytes_of(sheet.measured_ms) + bytes_of(sheet.estimated_ms) + bytes_of(sheet.reset_ms)
    return Day(day, sheet.slot_ms, bytes_of(sheet.mwh) if any(cover) else b"", cover if any(cover) else b"")


def unpack(day: Day, layer: Layer = Layer.NONE) -> Sheet:
    """The sheet of a day; `source` is the layer where anything is covered."""
    return _together([(day, layer)], day.day * DAY_MS, day.slot_ms)


def sheets(days: Mapping[int, Said], start_ms: int, end_ms: int, grid: Grid) -> list[Sheet]:
    """Days as sheets over exactly the slots that touch [start, end); what has no day is empty."""
    found: list[Sheet] = []
    for first_ms, slot_ms, count in grid.stretches(start_ms, end_ms):
        until_ms, first_day = first_ms + count * slot_ms, first_ms // DAY_MS
        some = [days.get(day) for day in range(first_day, -(-until_ms // DAY_MS))]
        found.append(cut(_together(some, first_day * DAY_MS, slot_ms), first_ms, until_ms))
    return found


def cut(sheet: Sheet, start_ms: int, end_ms: int) -> Sheet:
    """The slots of a sheet in [start, end), both on its slots' borders and within it."""
    if start_ms == sheet.start_ms and end_ms == sheet.end_ms:
        return sheet
    part = slice((start_ms - sheet.start_ms) // sheet.slot_ms, (end_ms - sheet.start_ms) // sheet.slot_ms)
    return Sheet(start_ms, sheet.slot_ms, sheet.mwh[part], sheet.measured_ms[part], sheet.estimated_ms[part],
                 sheet.reset_ms[part], sheet.source[part])  # fmt: skip


def _together(days: Iterable[Said | None], start_ms: int, slot_ms: int) -> Sheet:
    """Days one behind the other, without a loop over slots."""
    count = DAY_MS // slot_ms
    columns: list[list[bytes]] = [[], [], [], [], []]
    for day in days:
        for column, part in zip(columns, _columns(day, slot_ms, count), strict=True):
            column.append(part)
    energy, measured, estimated, reset, source = columns
    return Sheet(start_ms, slot_ms, array_of("q", energy), array_of("i", measured), array_of("i", estimated), array_of("i", reset),
                 bytearray(b"".join(source)))  # fmt: skip


def _columns(day: Said | None, slot_ms: int, count: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    part = 4 * count
    nothing = bytes(part)
    if isinstance(day, Sheet):
        if day.slot_ms == slot_ms:
            return bytes_of(day.mwh), bytes_of(day.measured_ms), bytes_of(day.estimated_ms), bytes_of(day.reset_ms), bytes(day.source)
    elif day is not None and day[0].energy and day[0].slot_ms == slot_ms:
        (_, _, energy, cover), layer = day
        if cover is None:
            return energy, bytes_of(_full(slot_ms)), nothing, nothing, bytes([layer]) * count
        return energy, cover[:part], cover[part : 2 * part], cover[2 * part :], _source(cover, count, layer)
    return bytes(8 * count), nothing, nothing, nothing, bytes(count)


def _source(cover: bytes, count: int, layer: int) -> bytes:
    part = 4 * count
    covered = _either(cover[:part], cover[part : 2 * part], cover[2 * part :])
    return _either(*(covered[byte::4] for byte in range(4))).translate(bytes(1) + bytes([layer]) * 255)


def _either(*columns: bytes) -> bytes:
    """Bytes that are 0 where those of all columns are."""
    return reduce(or_, map(int.from_bytes, columns)).to_bytes(len(columns[0]))


def _full(slot_ms: int) -> array[int]:
    return array("i", [slot_ms]) * (DAY_MS // slot_ms)


def bytes_of(column: array[int]) -> bytes:
    """A column as it is stored."""
    if BIG:
        column = column[:]
        column.byteswap()
    return column.tobytes()


def array_of(kind: str, parts: Sequence[bytes]) -> array[int]:
    """Stored columns one behind the other."""
    column: array[int] = array(kind, b"".join(parts))
    if BIG:
        column.byteswap()
    return column
