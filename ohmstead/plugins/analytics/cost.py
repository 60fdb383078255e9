"""What the energy of a location cost: by the contracts that bill its meters, slot by slot, shared among its loads."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ohmstead.plugins.analytics.consumption import metering
from ohmstead.plugins.billing.allocation import allocate, slot_costs
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.premises import premises
from ohmstead.plugins.ledger.points.points import MeterPoints, Role
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DEFAULT_MS
from ohmstead.plugins.tariffs.lines import Unpriced
from ohmstead.plugins.tariffs.selection import EXPORT

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.billing.billing import Billing
    from ohmstead.plugins.ledger.ledger import Ledger


class Cost(msgspec.Struct):
    """Of the lines of bought energy, without VAT and standing charges; amounts in 10^-12 of the currency.

    `contracts` and their `currencies` are by id, `slots` by their beginning; `loads` have their shares of these.
    `unbilled` are meter points that no contract bills, `unpriced` slots that a contract, the first of each pair, has no
    price for.
    """

    contracts: Counter[str] = msgspec.field(default_factory=Counter)
    currencies: dict[str, str] = msgspec.field(default_factory=dict)
    slots: Counter[int] = msgspec.field(default_factory=Counter)
    loads: Counter[str] = msgspec.field(default_factory=Counter)
    unbilled: tuple[str, ...] = ()
    unpriced: list[tuple[str, Unpriced]] = msgspec.field(default_factory=list)

    @property
    def currency(self) -> str | None:
        """That of all contracts; None where there is none, or where they differ: then nothing can be added up."""
        found = set(self.currencies.values())
        return found.pop() if len(found) == 1 else None

    @property
    def total(self) -> int | None:
        """The sum of all contracts; None where nothing has a price, or there is no one currency."""
        return sum(self.slots.values()) if self.slots and self.currency else None

    def within(self, spans: Sequence[tuple[int, int]]) -> list[int | None]:
        """What the slots that begin in each span cost; spans follow each other. None where nothing has a price."""
        found: list[int | None] = [None] * len(spans)
        starts = [start_ms for start_ms, _ in spans]
        for at_ms, cost in self.slots.items() if self.currency is not None else ():
            place = bisect_right(starts, at_ms) - 1
            if place >= 0 and at_ms < spans[place][1]:
                found[place] = (found[place] or 0) + cost
        return found


def billed(points: MeterPoints, location: str) -> list[str]:
    """The meter points that contracts bill a location's consumption by: what `metering` counts, for a computed one its imports."""
    found: list[str] = []
    for slug in metering(points, location):
        parts = [part for part, _ in points.composition(slug)]
        found += [part for part in parts if points.get(part).role is Role.GRID_IMPORT] if parts else [slug]
    return found


class Costs:
    """Asks bills for what energy cost."""

    def __init__(self, ledger: Ledger, billing: Billing, clock: Clock) -> None:
        self._ledger, self._billing, self._clock = ledger, billing, clock

    async def of(self, location: str, start_ms: int, end_ms: int) -> Cost:
        """The cost of a location's energy in [start, end), up to now, by all contracts that bill it. NotFound."""
        wanted = billed(self._ledger.points, location)
        found = Cost(unbilled=tuple(slug for slug in wanted if not any(slug in each.imports for each in self._billing.contracts)))
        until_ms = min(end_ms, self._clock.now_ms() // DEFAULT_MS * DEFAULT_MS)
        for contract in self._billing.contracts:
            mine = [slug for slug in contract.imports if slug in wanted]
            if mine:
                found.currencies[contract.id] = contract.currency
            for period in contract.between(start_ms, until_ms) if mine and start_ms < until_ms else ():
                await self._add(found, contract, mine, Period(period.start_ms, min(period.end_ms, until_ms)), start_ms)
        return found

    async def _add(self, found: Cost, contract: Contract, mine: Sequence[str], period: Period, start_ms: int) -> None:
        """Put one billing period: what of the contract's import is of the location's meter points, and what of that is whose."""
        bill = await self._billing.biller.bill(contract, period)
        place = await premises(self._ledger, contract, period, mine)

        def shared() -> tuple[dict[int, int], dict[str, int]]:
            costs = {at_ms: cost for at_ms, cost in slot_costs(bill.priced.lines).items() if at_ms >= start_ms}
            if len(mine) < len(contract.imports):
                costs = _part(costs, _energy(bill.supply.of(contract.imports)), _energy(bill.supply.of(mine)))
            by_slot = [costs.get(at_ms, 0) for at_ms in place.starts_ms]
            shares, _ = allocate(by_slot, place.of(Role.GRID_IMPORT), place.consumed, place.loads)
            return costs, {slug: share.cost for slug, share in shares.items()}

        costs, loads = await asyncio.to_thread(shared)
        found.contracts[contract.id] += sum(costs.values())
        found.slots.update(costs)
        found.loads.update(loads)
        found.unpriced += [(contract.id, gap) for gap in bill.priced.unpriced if gap.direction != EXPORT and gap.end_ms > start_ms]


def _energy(sheets: Iterable[Sheet]) -> Counter[int]:
    """mWh by the beginning of each slot."""
    found: Counter[int] = Counter()
    for sheet in sheets:
        for place, mwh in enumerate(sheet.mwh):
            found[sheet.start_ms + place * sheet.slot_ms] += mwh
    return found


def _part(costs: Mapping[int, int], every: Mapping[int, int], mine: Mapping[int, int]) -> dict[int, int]:
    """Of the cost of each slot, the share of some of a contract's meter points in its import, rounded down."""
    return {at_ms: cost * mine.get(at_ms, 0) // every[at_ms] if every.get(at_ms) else 0 for at_ms, cost in costs.items()}
