"""What stands for readings, or for a day of derived rows: SHA-256 over their bytes."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from ohmstead.plugins.ledger.archive.parquet import Raw

_BIG = sys.byteorder == "big"

TrackRow = tuple[int, int, int, bytes, bytes | None, bytes | None]  # binding, term, slot_ms, energy, cover, state


def of_readings(rows: Sequence[Raw]) -> bytes:
    """Of the readings of one series, in order of time: every bit of every value counts."""
    instants = array("q", (row.at_ms for row in rows))
    values = array("d", (0.0 if row.value is None else row.value for row in rows))
    rest = [row for row in rows if row.text is not None or row.sampled_ms is not None or row.flags is not None]
    found = hashlib.sha256()
    for column in (instants, values):
        if _BIG:
            column.byteswap()
        found.update(column.tobytes())
    found.update(msgspec.json.encode(rest))
    return found.digest()


def of_tracks(rows: Iterable[TrackRow]) -> bytes:
    """Of the tracks of a meter point on one UTC day, in order of binding and term: their slots, and the state at its end."""
    found = hashlib.sha256()
    for binding, term, slot_ms, *columns in rows:
        sizes = [-1 if column is None else len(column) for column in columns]
        found.update(msgspec.json.encode([binding, term, slot_ms, *sizes]))
        for column in columns:
            found.update(column or b"")
    return found.digest()
