"""What an issued bill was made of, kept with it: its slots, and how each line is priced. So it opens for ever to what was
billed, whatever becomes of the ledger, the tariff and the contract."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from ohmstead.plugins.billing.supply import Sheets
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.lines import Line, Piece
from ohmstead.plugins.tariffs.meter import Column


class Snapshot(msgspec.Struct, frozen=True):
    """Slots by meter point, and of every line its pieces and what a mWh counts in its unit."""

    sheets: Sheets
    lines: Sequence[tuple[Fraction, Sequence[Piece]]]

    @classmethod
    def of(cls, sheets: Sheets, lines: Iterable[Line]) -> Snapshot:
        """Of a bill."""
        return cls(sheets, [(line.scale, line.pieces) for line in lines])


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    start_ms: int
    slot_ms: int
    mwh: bytes
    measured_ms: bytes
    estimated_ms: bytes
    reset_ms: bytes
    source: bytes


class _Energies(msgspec.Struct, frozen=True, array_like=True):
    start_ms: int
    slot_ms: int
    mwh: bytes


_Pieces = list[tuple[int, int, int, str, str | None, int]]  # number of the column, first, last, price, raw, told by


class _Plain(msgspec.Struct, frozen=True, array_like=True):
    sheets: dict[str, list[_Columns]]
    columns: list[_Energies]
    lines: list[tuple[str, _Pieces]]


def packed(kept: Snapshot) -> bytes:
    """A snapshot as bytes: the same again for the same bill."""
    columns = {id(piece.column): piece.column for _, pieces in kept.lines for piece in pieces}
    number = {key: place for place, key in enumerate(columns)}
    plain = _Plain(
        {name: [_columns(sheet) for sheet in kept.sheets[name]] for name in sorted(kept.sheets)},
        [_Energies(column.start_ms, column.slot_ms, _little(array("q", column.mwh))) for column in columns.values()],
        [(str(scale), [_piece(each, number[id(each.column)]) for each in pieces]) for scale, pieces in kept.lines],
    )
    return zlib.compress(msgspec.msgpack.encode(plain), 6)


def unpacked(raw: bytes) -> Snapshot:
    """The snapshot that bytes stand for."""
    plain = msgspec.msgpack.decode(zlib.decompress(raw), type=_Plain)
    columns = [Column(each.start_ms, each.slot_ms, _array("q", each.mwh)) for each in plain.columns]
    return Snapshot(
        {name: [_sheet(each) for each in found] for name, found in plain.sheets.items()},
        [
            (Fraction(scale), [
                Piece(columns[column], first, last, Fraction(price), None if raw is None else Fraction(raw), told_by)
                for column, first, last, price, raw, told_by in pieces
            ])
            for scale, pieces in plain.lines
        ],
    )  # fmt: skip


def _piece(piece: Piece, column: int) -> tuple[int, int, int, str, str | None, int]:
    return column, piece.first, piece.last, str(piece.price), None if piece.raw is None else str(piece.raw), piece.told_by


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
