"""The readings of a feed, put aside as they come: what they mean may stand behind them in the file."""

from __future__ import annotations

import struct
import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, NamedTuple

from ohmstead.core.errors import Invalid

MOST_BLOCKS = 4_000_000
UNKNOWN = -1  # a start or duration that the reading does not say
_ROW = struct.Struct("<qqqIIB")  # start and duration in seconds, value, block, place in its block, estimated
_ROWS = 4096  # read back at once


class Staged(NamedTuple):
    """One reading: instants and durations in seconds as the file has them, UNKNOWN where it says nothing."""

    start_s: int
    duration_s: int
    value: int
    block: int
    place: int
    estimated: int


class Stage:
    """Readings on disk, and of each of their blocks where it begins and which entries it names."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="ohmstead-import-")  # noqa: SIM115 - closed by close()
        self._begins = array("q")
        self._owners = array("I")
        self._place = 0
        self._entry_from = 0
        self.count = 0

    def begin(self) -> None:
        """A block begins."""
        if len(self._begins) >= MOST_BLOCKS:
            raise Invalid(f"the file has more than {MOST_BLOCKS:,} IntervalBlocks; split it by time")
        self._begins.append(UNKNOWN)
        self._owners.append(0)
        self._place = 0

    def starts(self, start_s: int) -> None:
        """The running block says where it begins."""
        self._begins[-1] = start_s

    def add(self, start_s: int, duration_s: int, value: int, estimated: bool) -> None:
        """A reading of the running block."""
        self._file.write(_ROW.pack(start_s, duration_s, value, len(self._begins) - 1, self._place, estimated))
        self._place += 1
        self.count += 1

    def own(self, owner: int) -> bool:
        """All blocks since the last call are of `owner`; whether there were any."""
        some = range(self._entry_from, len(self._begins))
        for block in some:
            self._owners[block] = owner
        self._entry_from = len(self._begins)
        return bool(some)

    def owner(self, block: int) -> int:
        """Whose a block is."""
        return self._owners[block]

    def begins(self, block: int) -> int:
        """Where a block says it begins, or UNKNOWN."""
        return self._begins[block]

    def rows(self) -> Iterator[Staged]:
        """All readings, in the order of the file."""
        self._file.seek(0)
        while some := self._file.read(_ROW.size * _ROWS):
            yield from map(Staged._make, _ROW.iter_unpack(some))

    def close(self) -> None:
        """Forget them."""
        self._file.close()
