"""What bills are priced from: the slots of a contract's meter points, its tariff, and the prices that were known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.ledger.points.points import MeterPoints
from ohmstead.plugins.ledger.rollups import Rollup
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.timeline import Timeline
from ohmstead.plugins.tariffs.tariff import Tariff
from ohmstead.plugins.tariffs.usage import Usage

Sheets = Mapping[str, Sequence[Sheet]]  # meter point -> its slots, in order


class Slots(Protocol):
    """What billing asks of the ledger; see Ledger."""

    points: MeterPoints

    async def sheets(self, slugs: Sequence[str], start_ms: int, end_ms: int, known_at_ms: int | None = None) -> dict[str, list[Sheet]]: ...

    async def rollups(self, slugs: Sequence[str], resolution: str, start_ms: int, end_ms: int) -> dict[str, list[Rollup]]: ...

    async def registers(self, slug: str, start_ms: int, end_ms: int) -> Mapping[str, list[Sheet]]: ...


class Supply(msgspec.Struct, frozen=True):
    """Everything that `price` needs for a span, read once. `prices` are the dynamic ones, by series."""

    sheets: Sheets
    registers: Mapping[str, Sequence[Sheet]] = msgspec.field(default_factory=dict)
    prices: Mapping[str, Timeline] = msgspec.field(default_factory=dict)

    def usage(self, contract: Contract) -> Usage:
        """The slots as the contract counts them."""
        return Usage(self.of(contract.imports), self.of(contract.exports), self.registers)

    def of(self, points: Sequence[str]) -> list[Sheet]:
        """The slots of meter points, in order of time."""
        return sorted(chain.from_iterable(self.sheets[point] for point in points), key=lambda sheet: sheet.start_ms)


class Supplies:
    """Reads supplies from the ledger and the book of prices."""

    def __init__(self, slots: Slots, book: PriceBook) -> None:
        self._slots, self._book = slots, book

    async def read(self, contract: Contract, tariff: Tariff, period: Period, known_at_ms: int | None = None) -> Supply:
        """The supply of a contract for a period, as known at an instant. NotFound for a meter point that is not there."""
        sheets = await self._slots.sheets(contract.points, period.start_ms, period.end_ms, known_at_ms)
        return Supply(sheets, await self._registers(contract, tariff, period), await self.prices(tariff, period, known_at_ms))

    async def begins(self, contract: Contract, start_ms: int, end_ms: int) -> int:
        """The first year within a span in which anything is known of a contract's meter points; the end where nothing is."""
        years = await self._slots.rollups(contract.points, "year", start_ms, end_ms)
        return max(start_ms, min((year.start_ms for found in years.values() for year in found if year.covered_ms), default=end_ms))

    async def prices(self, tariff: Tariff, period: Period, known_at_ms: int | None = None) -> dict[str, Timeline]:
        """The dynamic prices that a tariff speaks of; a series that nobody gave yet has none."""
        known = {series.id for series in await self._book.series()}
        wanted = sorted(tariff.series & known)
        return {name: await self._book.timeline(name, period.start_ms, period.end_ms, known_at_ms) for name in wanted}

    async def _registers(self, contract: Contract, tariff: Tariff, period: Period) -> dict[str, list[Sheet]]:
        if not tariff.registers:
            return {}
        found: dict[str, list[Sheet]] = {name: [] for name in tariff.registers}
        for point in contract.imports:
            for name, sheets in (await self._slots.registers(point, period.start_ms, period.end_ms)).items():
                if name in found:
                    found[name] += sheets
        return {name: sorted(sheets, key=lambda sheet: sheet.start_ms) for name, sheets in found.items()}
