"""Prices and costs slot by slot: for allocation, for the price now, for the curve ahead."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.tariffs.lines import NO_PRICE, NO_VERSION, Carry, Line, Piece, Priced
from ohmstead.plugins.tariffs.prices.timeline import Timeline
from ohmstead.plugins.tariffs.pricing import NOTHING, price
from ohmstead.plugins.tariffs.selection import IMPORT
from ohmstead.plugins.tariffs.tariff import Tariff
from ohmstead.plugins.tariffs.usage import Usage

ZERO = Fraction(0)


class Zeros(msgspec.Struct, frozen=True):
    """Slots in which nothing was used: what is priced when only prices are wanted."""

    start_ms: int
    slot_ms: int
    mwh: Sequence[int]
    measured_ms: Sequence[int]
    estimated_ms: Sequence[int]
    reset_ms: Sequence[int]

    @classmethod
    def of(cls, start_ms: int, end_ms: int, slot_ms: int) -> Zeros:
        """The slots that begin in a span."""
        count = max(-(-(end_ms - start_ms) // slot_ms), 0)
        full, none = array("i", [slot_ms]) * count, array("i", bytes(4 * count))
        return cls(start_ms, slot_ms, array("q", bytes(8 * count)), full, none, none)


def curve(tariff: Tariff, start_ms: int, end_ms: int, slot_ms: int, zone: ZoneInfo, *, prices: Mapping[str, Timeline] = NOTHING,
          known_at_ms: int | None = None, carry: Carry = NOTHING, grid_zone: str | None = None, direction: str = IMPORT,
          with_vat: bool = False) -> list[Fraction | None]:  # fmt: skip
    """What one more kWh costs in each slot, or pays when it is exported; None where the tariff has no price.

    Tiers are those that `carry` has come to.
    """
    idle = (Zeros.of(start_ms, end_ms, slot_ms),)
    usage = Usage(imported=idle, exported=idle)
    priced = price(tariff, usage, start_ms, end_ms, zone, prices=prices, known_at_ms=known_at_ms, carry=carry, grid_zone=grid_zone)
    return slot_prices(priced, start_ms, end_ms, slot_ms, direction, with_vat)


def slot_prices(priced: Priced, start_ms: int, end_ms: int, slot_ms: int, direction: str = IMPORT,
                with_vat: bool = False) -> list[Fraction | None]:  # fmt: skip
    """The price per kWh of each slot of a priced period: all components of energy and the percentages on them.

    Export is positive when it pays. A slot that crosses a tier's border has its mean price. None where a component has
    no price. Without VAT, unless the tariff's prices are gross or `with_vat` is asked for.
    """
    found = [ZERO] * max(-(-(end_ms - start_ms) // slot_ms), 0)
    sign = 1 if direction == IMPORT else -1
    for line in _energy(priced, direction):
        weight = sign * priced.weights[line.component, line.version][with_vat]
        for place, part, piece in _slots(line, start_ms, slot_ms, len(found)):
            found[place] += piece.price * weight * part
    unknown = [each for each in priced.unpriced if each.reason in (NO_PRICE, NO_VERSION) and each.direction in ("", direction)]
    gone = {place for each in unknown for place in _places(each.start_ms, each.end_ms, start_ms, slot_ms, len(found))}
    return [None if place in gone else each for place, each in enumerate(found)]


def slot_costs(priced: Priced, start_ms: int, end_ms: int, slot_ms: int, direction: str = IMPORT) -> list[Fraction]:
    """The exact amount of the lines of energy in each slot: their sum is the sum of those lines within the span."""
    found = [ZERO] * max(-(-(end_ms - start_ms) // slot_ms), 0)
    for line in _energy(priced, direction):
        for opened in line.opened():
            place = (opened.start_ms - start_ms) // slot_ms
            if 0 <= place < len(found):
                found[place] += opened.amount
    return found


def _energy(priced: Priced, direction: str) -> Iterable[Line]:
    return (line for line in priced.lines if line.direction == direction)


def _slots(line: Line, start_ms: int, slot_ms: int, count: int) -> Iterator[tuple[int, Fraction | int, Piece]]:
    """The slots of a line as places in a list, each with the part of its energy, or of its time, that the piece has."""
    for piece in line.pieces:
        column, first, last, _, raw, _ = piece
        part: Fraction | int = 1 if raw is None else Fraction(raw) / column.mwh[first]
        if column.slot_ms >= slot_ms:
            places = _places(column.instant(first), column.instant(last), start_ms, slot_ms, count)
            yield from ((place, part, piece) for place in places)
            continue
        for number in range(first, last):
            place = (column.instant(number) - start_ms) // slot_ms
            if 0 <= place < count:
                yield place, part * Fraction(column.slot_ms, slot_ms), piece


def _places(low_ms: int, high_ms: int, start_ms: int, slot_ms: int, count: int) -> range:
    return range(max((low_ms - start_ms) // slot_ms, 0), min(-((start_ms - high_ms) // slot_ms), count))
