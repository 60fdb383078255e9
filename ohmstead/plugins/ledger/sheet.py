"""Consecutive slots of one meter point, in columns: how intervals are derived, kept, priced and read."""

from __future__ import annotations

from array import array
from enum import IntEnum

import msgspec


class Layer(IntEnum):
    """Who speaks for a slot; the highest wins."""

    NONE = 0
    LIVE = 1
    MANUAL = 2
    SETTLED = 3
    CORRECTION = 4


class Sheet(msgspec.Struct):
    """Slots of `slot_ms`, the first beginning at `start_ms`; both on the UTC grid. All columns are equally long.

    `mwh` is integer mWh (mL for volumes), never negative, 0 where nothing is covered. `measured_ms`, `estimated_ms`
    and `reset_ms` are how much of the slot has that quality; the rest of it is missing. `source` is each slot's Layer.
    """

    start_ms: int
    slot_ms: int
    mwh: array[int]
    measured_ms: array[int]
    estimated_ms: array[int]
    reset_ms: array[int]
    source: bytearray

    @classmethod
    def empty(cls, start_ms: int, slot_ms: int, count: int) -> Sheet:
        """`count` slots of which nothing is known."""
        measured_ms, estimated_ms, reset_ms = (array("i", bytes(4 * count)) for _ in range(3))
        return cls(start_ms, slot_ms, array("q", bytes(8 * count)), measured_ms, estimated_ms, reset_ms, bytearray(count))

    def __len__(self) -> int:
        return len(self.mwh)

    @property
    def end_ms(self) -> int:
        """Where the last slot ends."""
        return self.start_ms + self.slot_ms * len(self.mwh)
