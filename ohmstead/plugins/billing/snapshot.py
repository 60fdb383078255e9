"""The slots that an issued bill was made of, kept with it: so it can be opened for ever, whatever becomes of the ledger."""

from __future__ import annotations

import sys
import zlib
from array import array

import msgspec

from ohmstead.plugins.billing.supply import Sheets
from ohmstead.plugins.ledger.sheet import Sheet


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    start_ms: int
    slot_ms: int
    mwh: bytes
    measured_ms: bytes
    estimated_ms: bytes
    reset_ms: bytes
    source: bytes


_Plain = dict[str, list[_Columns]]


def packed(sheets: Sheets, registers: Sheets) -> bytes:
    """Slots of meter points and of tariff registers as bytes: the same again for the same slots."""
    return zlib.compress(msgspec.msgpack.encode((_plain(sheets), _plain(registers))), 6)


def unpacked(raw: bytes) -> tuple[dict[str, list[Sheet]], dict[str, list[Sheet]]]:
    """The slots of meter points and of tariff registers that bytes stand for."""
    sheets, registers = msgspec.msgpack.decode(zlib.decompress(raw), type=tuple[_Plain, _Plain])
    return _sheets(sheets), _sheets(registers)


def _plain(sheets: Sheets) -> _Plain:
    return {name: [_columns(sheet) for sheet in sheets[name]] for name in sorted(sheets)}


def _sheets(plain: _Plain) -> dict[str, list[Sheet]]:
    return {name: [_sheet(columns) for columns in found] for name, found in plain.items()}


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
