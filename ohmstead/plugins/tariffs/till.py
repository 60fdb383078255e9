"""Where the lines of one component are gathered while a bill is priced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec

from ohmstead.plugins.tariffs.lines import Excluded, Line, Piece, Unpriced
from ohmstead.plugins.tariffs.meter import Stretch
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.prices.timeline import Timeline
from ohmstead.plugins.tariffs.selection import Selection

ZERO = Fraction(0)


class Till(msgspec.Struct):
    """`carry` is what the bill before handed to this component; `keep` is what it hands to the next.

    `before` are the lines of the components that came earlier, for those that are taken of them; `prices` are the
    series of prices.
    """

    carry: Mapping[str, Any]
    currency: str
    before: Sequence[Line] = ()
    prices: Mapping[str, Timeline] = msgspec.field(default_factory=dict)
    keep: dict[str, Any] = msgspec.field(default_factory=dict)
    unpriced: list[Unpriced] = msgspec.field(default_factory=list)
    excluded: list[Excluded] = msgspec.field(default_factory=list)
    _lines: dict[tuple[object, ...], Line] = msgspec.field(default_factory=dict)

    def lines(self) -> list[Line]:
        """What was added, in the order in which it first came up."""
        return list(self._lines.values())

    def add(self, turn: Turn, label: str, quantity: Fraction, unit: str, price: Fraction, *, slots: int = 0,
            selection: Selection | None = None, pieces: Sequence[Piece] = (), amount: Fraction | None = None) -> None:  # fmt: skip
        """Put a line; the same rule, version, label and price as before adds to that line. With an `amount`, the price is a mean."""
        component, version = turn.component, turn.part.version
        line = Line(
            component.name, component.kind.type, label, version.name, quantity, unit, price,
            quantity * price if amount is None else amount, slots, selection.direction if selection else "",
            component.vat, version.vat_mode, turn.part.unit if pieces else ZERO, tuple(pieces),
        )  # fmt: skip
        key = (version.name, label, unit, price.as_integer_ratio() if amount is None else None, line.scale.as_integer_ratio())
        known = self._lines.get(key)
        self._lines[key] = line if known is None else _sum(known, line)

    def energy(self, turn: Turn, label: str, price: Fraction, selection: Selection, stretches: Iterable[Stretch]) -> None:
        """Put the energy of slots at a price per kWh, which is a credit for what is exported."""
        signed, raw, slots, pieces = selection.sign * price, 0, 0, []
        for _, column, first, last in stretches:
            raw += column.sums[last] - column.sums[first]
            slots += last - first
            pieces.append(Piece(column, first, last, signed))
        if slots:
            unit = turn.part.unit
            self.add(turn, label, raw * unit, turn.part.unit_name, signed, slots=slots, selection=selection, pieces=pieces)

    def lacks(self, turn: Turn, reason: str, start_ms: int, end_ms: int, slots: int = 0, mwh: int = 0, direction: str = "") -> None:
        """Say what has no price, and why; neighbouring spans become one."""
        last = self.unpriced[-1] if self.unpriced else None
        if last is not None and (last.end_ms, last.reason) == (start_ms, reason):
            start_ms, slots, mwh = last.start_ms, slots + last.slots, mwh + last.mwh
            self.unpriced.pop()
        self.unpriced.append(Unpriced(turn.component.name, start_ms, end_ms, slots, mwh, reason, direction))

    def leaves_out(self, turn: Turn, start_ms: int, end_ms: int) -> None:
        """List a window of demand that has missing parts; neighbours become one entry."""
        last = self.excluded[-1] if self.excluded else None
        count = 1
        if last is not None and last.end_ms == start_ms:
            start_ms, count = last.start_ms, last.windows + 1
            self.excluded.pop()
        self.excluded.append(Excluded(turn.component.name, start_ms, end_ms, count))

    def base(self, turn: Turn, names: Iterable[str]) -> Fraction:
        """What earlier components came to under the turn's version."""
        wanted, version = set(names), turn.part.version.name
        return sum((line.amount for line in self.before if line.component in wanted and line.version == version), ZERO)


def _sum(a: Line, b: Line) -> Line:
    quantity, amount = a.quantity + b.quantity, a.amount + b.amount
    price = a.price if a.price == b.price else amount / quantity if quantity else ZERO
    return replace(a, quantity=quantity, amount=amount, price=price, slots=a.slots + b.slots, pieces=a.pieces + b.pieces)
