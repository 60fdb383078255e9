"""What an alert rule would have watched in the past, as values over time: readings, prices, the energy of a period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.rules.alerts.rule import ENERGY, PRICE, READING, Rule
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.alerts.sources.energies import scaled
from ohmstead.plugins.rules.backtest.money import Money
from ohmstead.plugins.rules.backtest.recording import Recording, Rows
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.storage.history import SeriesInfo

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

Values = Callable[[int, int], AsyncIterator[Rows]]
MONTH_MS = 31 * 86_400_000  # of slots that are read at once


class Subject(msgspec.Struct, frozen=True):
    """`values(start_ms, end_ms)` gives what was compared, in portions in order of time; those of one `source` are the same.

    `device` or `point` is whose energy it stands for.
    """

    name: str
    source: str
    comparison: Comparison
    values: Values
    device: str | None = None
    point: str | None = None
    unit: str = ""
    millionths: bool = False  # values are millionths of the unit


class Subjects:
    """Finds those of a rule. Belongs to the event loop's thread."""

    def __init__(self, recording: Recording, selection: Selection, ledger: Ledger, quantities: Quantities, money: Money) -> None:
        self._recording, self._selection, self._ledger, self._quantities, self._money = recording, selection, ledger, quantities, money

    async def of(self, rule: Rule) -> list[Subject]:
        """Invalid for a kind of which nothing is recorded, or where nothing is recorded of what it watches; NotFound."""
        assert rule.comparison is not None or rule.kind not in (READING, PRICE, ENERGY)
        if rule.kind == READING:
            return await self._readings(rule)
        if rule.kind == PRICE:
            return [self._price(rule)]
        if rule.kind == ENERGY:
            return [self._energy(rule)]
        raise Invalid(f"{rule.id}: what a rule of kind {rule.kind} watches is not recorded; reading, price and energy can be backtested")

    async def _readings(self, rule: Rule) -> list[Subject]:
        stored, name = await self._recording.series(), rule.options["quantity"]
        infos = {at: stored[at] for device in sorted(self._selection.devices(rule)) if (at := f"{device}.{name}") in stored}
        if not infos:
            raise Invalid(f"{rule.id}: nothing is recorded of {name} of what it is about")
        comparison = _of(rule).fit(self._quantities[name].kind)
        return [Subject(at, at, comparison, self._stored(info), info.device, unit=info.unit) for at, info in infos.items()]

    def _stored(self, info: SeriesInfo) -> Values:
        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            yield await self._recording.before(info, start_ms)
            async for rows in self._recording.portions(info, start_ms, end_ms):
                yield rows

        return values

    def _price(self, rule: Rule) -> Subject:
        contract = rule.options.get("contract")

        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            prices = await self._money.prices(contract, start_ms, end_ms)
            yield [(at_ms, round(float(price), 6)) for at_ms, price in prices.changes() if price is not None]  # as the live state shows it

        name = "tariff.price_now" if contract is None else f"tariff_{contract}.price_now"
        return Subject(name, name, _of(rule).fit(Kind.GAUGE), values)

    def _energy(self, rule: Rule) -> Subject:
        points = self._ledger.points
        given = rule.options.get("meter_point")
        found = points.consumption(rule.options["location"]) if given is None else points.get(given)
        if found is None:
            raise Invalid(f"{rule.id}: nothing feeds the consumption of {rule.options['location']} yet")
        zone, period, slug = ZoneInfo(points.zone_of(found.id)), rule.options.get("period", "day"), found.id

        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            for first_ms, last_ms in local(period, zone, start_ms, end_ms):
                total = 0
                yield [(first_ms, total)]
                for from_ms in range(first_ms, last_ms, MONTH_MS):
                    sheets = (await self._ledger.sheets([slug], from_ms, min(from_ms + MONTH_MS, last_ms)))[slug]
                    rows = list(_running(sheets, total, first_ms, min(last_ms, end_ms)))
                    total = rows[-1][1] if rows else total
                    yield rows

        return Subject(slug, f"{slug} by {period}", scaled(_of(rule)), values, point=slug, unit=found.unit, millionths=True)


def _of(rule: Rule) -> Comparison:
    assert rule.comparison is not None
    return rule.comparison


def _running(sheets: Sequence[Sheet], total: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The energy since the period began, at the end of each of its slots of which anything is known."""
    for sheet in sheets:
        for place, mwh in enumerate(sheet.mwh):
            at_ms = sheet.start_ms + place * sheet.slot_ms
            if start_ms <= at_ms < end_ms and sheet.source[place]:
                total += mwh
                yield at_ms + sheet.slot_ms, total
