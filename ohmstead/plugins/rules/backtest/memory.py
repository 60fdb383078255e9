"""What the house knew in the past beside its readings: energies of periods, prices, statuses of devices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.slots import HOUR_MS, local
from ohmstead.plugins.rules.backtest.money import AHEAD_MS, Money, Prices
from ohmstead.plugins.rules.backtest.past import PastClock, PastFacts, Sums
from ohmstead.plugins.rules.backtest.recording import Merged, Rows

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.ledger import Ledger

PRICE_NOW, PRICE_AHEAD = "tariff.price_now", "tariff.price_ahead"
LINES = 1000  # of a status history that are read at once


class Memory:
    """Reads it back. Belongs to the event loop's thread."""

    def __init__(self, devices: Devices, ledger: Ledger, quantities: Quantities, money: Money) -> None:
        self._devices, self._ledger, self._quantities, self._money = devices, ledger, quantities, money

    def facts(self, clock: PastClock, states: States) -> PastFacts:
        """Those of a world of the past, in which nothing is known yet."""
        home = self._devices.locations.get(HOME)
        position = None if home.latitude is None or home.longitude is None else (home.latitude, home.longitude)
        return PastFacts(clock, states, self._quantities, ZoneInfo(self._devices.locations.zone_of(HOME)), position)

    async def energies(self, facts: PastFacts, start_ms: int, end_ms: int) -> None:
        """Give the facts the energies that templates ask for, from the beginning of the year on."""
        for slug in facts.wanted:
            if self._ledger.points.find(slug) is not None:
                zone = ZoneInfo(self._ledger.points.zone_of(slug))
                first_ms, _ = next(iter(local("year", zone, start_ms, start_ms + 1)))
                sheets = (await self._ledger.sheets([slug], first_ms, end_ms))[slug]
                facts.sums[slug] = await asyncio.to_thread(Sums.of, zone, sheets)

    async def prices(self, quoted: Sequence[str], place: int, start_ms: int, end_ms: int) -> Merged:
        """The live states that say what energy cost, as readings of places from `place` on; none where the home has no contract."""
        if not quoted:
            return []
        try:
            prices = await self._money.prices(None, start_ms, end_ms + AHEAD_MS)
        except (Invalid, NotFound):
            return []
        return await asyncio.to_thread(_quotes, prices, quoted, place, start_ms, end_ms)

    async def have_statuses(self, devices: Iterable[str]) -> list[str]:
        """Those of which any change is remembered."""
        return [device for device in devices if await self._devices.history(device, None, 1)]

    async def statuses(self, device: str, start_ms: int, end_ms: int) -> Rows:
        """How a device stood at an instant, and each change up to another; nothing where no change of it is remembered."""
        lines: list[Any] = []
        before_ms = end_ms
        while not lines or lines[-1]["at_ms"] >= start_ms:
            some = await self._devices.history(device, before_ms, LINES)
            lines += some
            if len(some) < LINES:
                break
            before_ms = some[-1]["at_ms"]
        later = [(line["at_ms"], line["status"]) for line in reversed(lines) if line["at_ms"] >= start_ms]
        earlier = next((line["status"] for line in lines if line["at_ms"] < start_ms), None)
        first = earlier or (lines[-1]["old"] if lines else None)
        return [] if first is None else [(start_ms - 1, first), *later]


def _quotes(prices: Prices, quoted: Sequence[str], place: int, start_ms: int, end_ms: int) -> Merged:
    found: list[tuple[int, int, Any]] = []
    for number, address in enumerate(quoted, place):
        if address == PRICE_NOW:
            found += [(at_ms, number, round(float(price), 6)) for at_ms, price in prices.changes() if price is not None]
        else:
            found += [(at_ms, number, prices.ahead(at_ms)) for at_ms in range(start_ms, end_ms, HOUR_MS)]
    return sorted(found)
