"""What pricing gives: lines with exact amounts, each of which opens down to slots, and what could not be priced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from ohmstead.plugins.tariffs.meter import Column

NO_PRICE, NO_VERSION = "no price", "no version"  # why slots cost nobody knows what
Carry = Mapping[str, Any]  # what one bill hands to the next, as JSON


class Piece(NamedTuple):
    """Slots `first` up to `last` of a column at one price per unit; `raw` is their energy when it is not all of it.

    `told_by` is the number of the import that a dynamic price is from, 0 for other prices.
    """

    column: Column
    first: int
    last: int
    price: Fraction
    raw: Fraction | int | None = None
    told_by: int = 0


class Opened(NamedTuple):
    """One slot of a line: `quantity` in the line's unit; `told_by` as of a Piece."""

    start_ms: int
    end_ms: int
    quantity: Fraction
    price: Fraction
    amount: Fraction
    told_by: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One rule, version and price: amount = quantity × price, exactly, in the currency. Credits are negative.

    `label` says which part of the rule ("peak", "tier 2", "2026-03"); `version` is the version's first day or instant;
    `direction` is "import" or "export" for lines of energy, else empty. `vat` is in percent. The price of a dynamic
    tariff is the mean. `scale` is what one mWh (mL) counts in the unit.
    """

    component: str
    kind: str
    label: str
    version: str
    quantity: Fraction
    unit: str
    price: Fraction
    amount: Fraction
    slots: int = 0
    direction: str = ""
    vat: Fraction = Fraction(0)
    vat_mode: str = "total"
    scale: Fraction = Fraction(0)
    pieces: tuple[Piece, ...] = field(default=(), repr=False, compare=False)

    @property
    def key(self) -> str:
        """What tells it from the other lines of a bill."""
        return "|".join((self.component, self.version, self.label, str(self.price)))

    @property
    def price_imports(self) -> list[int]:
        """The numbers of the imports that its prices are from."""
        return sorted({piece.told_by for piece in self.pieces} - {0})

    def opened(self) -> Iterator[Opened]:
        """Its slots in order; the one that a tier's border crosses with its part. Demand opens to the slots of its windows."""
        return opened(self.pieces, self.scale)


def opened(pieces: Iterable[Piece], scale: Fraction) -> Iterator[Opened]:
    """The slots of pieces, of whose energy a mWh (mL) counts `scale`."""
    for column, first, last, price, raw, told_by in pieces:
        for place in range(first, last):
            quantity = (column.mwh[place] if raw is None else raw) * scale
            start_ms = column.instant(place)
            yield Opened(start_ms, start_ms + column.slot_ms, quantity, price, quantity * price, told_by)


class Unpriced(NamedTuple):
    """Slots that a component has no price for, and why; `mwh` is their energy (mL for volumes), `direction` as of a Line."""

    component: str
    start_ms: int
    end_ms: int
    slots: int
    mwh: int
    reason: str
    direction: str = ""


class Excluded(NamedTuple):
    """Neighbouring windows of demand that have missing parts and so never set the peak."""

    component: str
    start_ms: int
    end_ms: int
    windows: int


class Conversion(NamedTuple):
    """A volume of gas as energy: kWh = m³ × calorific value × state number."""

    start_ms: int
    end_ms: int
    m3: Fraction
    kwh_per_m3: Fraction
    state_number: Fraction
    kwh: Fraction


class Netted(NamedTuple):
    """How a netting period came out, in mWh: import and export, what of them met, drawn from and put into the bank,
    what expired there, and what is in it now."""

    start_ms: int
    end_ms: int
    imported: int
    exported: int
    offset: int
    drawn: int
    banked: int
    expired: int
    balance: int


class Priced(msgspec.Struct, frozen=True):
    """A period, priced. `carry` is what the next bill of the contract is to be given.

    `weights` say what one more unit of money of a (component, version) adds to the bill, without VAT and with it: the
    percentages that are taken of it.
    """

    currency: str
    start_ms: int
    end_ms: int
    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    netted: tuple[Netted, ...] = ()
    carry: Carry = msgspec.field(default_factory=dict)
    weights: Mapping[tuple[str, str], tuple[Fraction, Fraction]] = msgspec.field(default_factory=dict)

    @property
    def total(self) -> Fraction:
        """The sum of the lines, exactly: without VAT, unless the tariff states gross prices."""
        return sum((line.amount for line in self.lines), Fraction(0))
