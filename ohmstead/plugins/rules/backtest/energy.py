"""What meter points measured while something was so, in whole mWh, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from ohmstead.core.errors import Invalid, NotFound
from ohmstead.plugins.ledger.points.points import LOADS, Role
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.rules.backtest.money import Money, Prices

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

PORTION_MS = 31 * 86_400_000  # of slots that are read at once
BOUGHT = LOADS | {Role.GRID_IMPORT, Role.CONSUMPTION, Role.BATTERY_IN}  # what energy costs, it costs them

Spans = Sequence[tuple[int, int]]  # [start, end), in order, none overlapping another


class Used(msgspec.Struct):
    """Energy of a meter point in spans; `cost` is of the part that has a price, in the currency of the prices."""

    point: str
    unit: str
    millionths: int = 0  # mWh, or mL
    cost: Fraction | None = None
    unpriced: int = 0  # mWh that no price is known of


class Energy:
    """Reads the ledger. Belongs to the event loop's thread."""

    def __init__(self, ledger: Ledger, money: Money) -> None:
        self._ledger, self._money = ledger, money

    def points(self, device: str) -> list[str]:
        """The meter points that any series of a device measured."""
        points = self._ledger.points
        return [point.id for point in points if any(term.device == device for each in points.bindings(point.id) for term in each.terms)]

    async def prices(self, start_ms: int, end_ms: int) -> Prices | None:
        """Those of the home's main contract; None where it has none."""
        try:
            return await self._money.prices(None, start_ms, end_ms)
        except (Invalid, NotFound):
            return None

    async def used(self, slug: str, spans: Spans, prices: Prices | None) -> Used:
        """What a meter point measured in the spans; of a slot that they cut, its share by time."""
        point = self._ledger.points.get(slug)
        found = Used(slug, point.unit)
        priced = prices if point.role in BOUGHT else None
        if priced is not None:
            found.cost = Fraction(0)
        for start_ms, end_ms in _portions(spans):
            inside = [(max(low, start_ms), min(high, end_ms)) for low, high in spans if low < end_ms and high > start_ms]
            for sheet in (await self._ledger.sheets([slug], start_ms, end_ms))[slug]:
                _add(found, sheet, inside, priced)
        return found


def _portions(spans: Spans) -> Iterator[tuple[int, int]]:
    """Where to read: as few portions as hold all spans."""
    at_ms = None
    for low, high in spans:
        at_ms = low if at_ms is None or low > at_ms else at_ms
        while at_ms < high:
            yield at_ms, at_ms + PORTION_MS
            at_ms += PORTION_MS


def _add(found: Used, sheet: Sheet, spans: Iterable[tuple[int, int]], prices: Prices | None) -> None:
    for low, high in spans:
        first = max((low - sheet.start_ms) // sheet.slot_ms, 0)
        last = min(-((sheet.start_ms - high) // sheet.slot_ms), len(sheet))
        for place in range(first, last):
            at_ms, mwh = sheet.start_ms + place * sheet.slot_ms, sheet.mwh[place]
            until = mwh * (min(high, at_ms + sheet.slot_ms) - at_ms) // sheet.slot_ms
            part = until - mwh * (max(low, at_ms) - at_ms) // sheet.slot_ms
            found.millionths += part
            if prices is not None and part:
                _price(found, part, prices.at(at_ms))


def _price(found: Used, mwh: int, price: Fraction | None) -> None:
    if price is None or found.cost is None:
        found.unpriced += mwh
    else:
        found.cost += price * mwh / 1_000_000
