"""The slots that an issued bill was made of, kept with it: so it can be opened for ever, whatever becomes of the ledger."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence

import msgspec

from ohmstead.plugins.ledger.sheet import Sheet

Sheets = Mapping[str, Sequence[Sheet]]  # meter point -> its slots


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    start_ms: int
    slot_ms: int
    mwh: bytes
    measured_ms: bytes
    estimated_ms: bytes
    reset_ms: bytes
    source: bytes


def packed(sheets: Sheets) -> bytes:
    """Sheets as bytes: the same again for the same sheets."""
    plain = {point: [_columns(sheet) for sheet in sheets[point]] for point in sorted(sheets)}
    return zlib.compress(msgspec.msgpack.encode(plain), 6)


def unpacked(raw: bytes) -> dict[str, list[Sheet]]:
    """The sheets that bytes stand for; none for no bytes."""
    if not raw:
        return {}
    plain = msgspec.msgpack.decode(zlib.decompress(raw), type=dict[str, list[_Columns]])
    return {point: [_sheet(columns) for columns in found] for point, found in plain.items()}


def _columns(sheet: Sheet) -> _Columns:
    mwh, measured, estimated, reset = map(_little, (sheet.mwh, sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms))
    return _Columns(sheet.start_ms, sheet.slot_ms, mwh, measured, estimated, reset, bytes(sheet.source))


def _sheet(columns: _Columns) -> Sheet:
    measured, estimated, reset = (_array("i", raw) for raw in (columns.measured_ms, columns.estimated_ms, columns.reset_ms))
    return Sheet(columns.start_ms, columns.slot_ms, _array("q", columns.mwh), measured, estimated, reset, bytearray(columns.source))


def _little(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _array(kind: str, raw: bytes) -> array[int]:
    column: array[int] = array(kind)
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    return column
