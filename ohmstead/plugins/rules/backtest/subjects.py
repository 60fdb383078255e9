"""What an alert rule would have watched in the past, as values over time: readings, prices, energies, costs, statuses, findings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.plugins.ledger.findings.finding import Finding
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, local
from ohmstead.plugins.rules.alerts.rule import BUDGET, ENERGY, ERROR, FINDING, OFFLINE, PRICE, READING, TEMPLATE, Rule
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.alerts.sources.energies import scaled
from ohmstead.plugins.rules.alerts.sources.events import concerns
from ohmstead.plugins.rules.backtest.expression import Expression
from ohmstead.plugins.rules.backtest.memory import Memory
from ohmstead.plugins.rules.backtest.money import SLOT_MS, Money
from ohmstead.plugins.rules.backtest.recording import Recording, Rows
from ohmstead.plugins.rules.compare import Comparison, Test
from ohmstead.plugins.storage.history import SeriesInfo

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

Values = Callable[[int, int], AsyncIterator[Rows]]
MONTH_MS = 31 * DAY_MS  # of slots that are read at once
PAGE = 1000  # findings that are read at once


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

    def __init__(self, recording: Recording, memory: Memory, selection: Selection, ledger: Ledger, quantities: Quantities,
                 money: Money) -> None:  # fmt: skip
        self._recording, self._memory, self._selection = recording, memory, selection
        self._ledger, self._quantities, self._money = ledger, quantities, money
        self._makers: Mapping[str, Callable[[Rule], Awaitable[list[Subject]]]] = {
            READING: self._readings, PRICE: self._price, ENERGY: self._energy, BUDGET: self._budget, OFFLINE: self._statuses,
            ERROR: self._statuses, FINDING: self._findings, TEMPLATE: self._template,
        }  # fmt: skip

    async def of(self, rule: Rule) -> list[Subject]:
        """Invalid where nothing is recorded of what it watches; NotFound."""
        return await self._makers[rule.kind](rule)

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

    async def _price(self, rule: Rule) -> list[Subject]:
        contract = rule.options.get("contract")

        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            prices = await self._money.prices(contract, start_ms, end_ms)
            yield [(at_ms, round(float(price), 6)) for at_ms, price in prices.changes() if price is not None]  # as the live state shows it

        name = "tariff.price_now" if contract is None else f"tariff_{contract}.price_now"
        return [Subject(name, name, _of(rule).fit(Kind.GAUGE), values)]

    async def _budget(self, rule: Rule) -> list[Subject]:
        contract, period, comparison = rule.options.get("contract"), rule.options.get("period", "month"), _of(rule).fit(Kind.GAUGE)
        met = comparison.enters()

        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            for first_ms, last_ms in self._money.periods(contract, period, start_ms, end_ms):
                base = await self._money.cost(contract, first_ms, first_ms)

                async def cost(at_ms: int, first_ms: int = first_ms, base: Fraction = base) -> float:
                    return round(float(await self._money.cost(contract, first_ms, at_ms) - base), 6)  # as the live state shows it

                before = 0.0
                yield [(first_ms, before)]
                for day_ms in range(first_ms, min(last_ms, end_ms), DAY_MS):
                    until_ms = min(day_ms + DAY_MS, last_ms, end_ms)
                    value = await cost(until_ms)
                    if met(value) != met(before):
                        yield await _passes(cost, met, day_ms, until_ms)
                    before = value
                    yield [(until_ms, value)]

        device = "tariff" if contract is None else f"tariff_{contract}"
        name = f"{device}.cost_{'today' if period == 'day' else 'month'}"
        return [Subject(name, name, comparison, values)]

    async def _statuses(self, rule: Rule) -> list[Subject]:
        devices = self._selection.devices(rule)
        if rule.kind == OFFLINE:
            devices = self._selection.with_gateways(devices)
        comparison, known = Comparison("equals", rule.kind), await self._memory.have_statuses(devices)
        if not known:
            raise Invalid(f"{rule.id}: no change of a status is recorded of what it is about")
        return [Subject(each, f"status of {each}", comparison, self._stood(each), each) for each in sorted(known)]

    def _stood(self, device: str) -> Values:
        async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
            yield await self._memory.statuses(device, start_ms, end_ms)

        return values

    async def _findings(self, rule: Rule) -> list[Subject]:
        found: list[Subject] = []
        before = None
        while some := await self._ledger.findings.listing({}, before, PAGE):
            told = (each for each in some if each.notified_ms is not None)
            found += [_finding(each) for each in told if concerns(rule, each.found.cause.value, each.meter_point, self._ledger.points)]
            before = some[-1].number
        return found

    async def _template(self, rule: Rule) -> list[Subject]:
        expression = Expression(rule, self._recording, self._memory)
        return [Subject("template", f"template of {rule.id}", expression.comparison, expression.values)]

    async def _energy(self, rule: Rule) -> list[Subject]:
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

        return [Subject(slug, f"{slug} by {period}", scaled(_of(rule)), values, point=slug, unit=found.unit, millionths=True)]


async def _passes(cost: Callable[[int], Awaitable[float]], met: Test, low_ms: int, high_ms: int) -> Rows:
    """The end of the slot in which a cost began or ceased to meet a comparison, found by halving, with what it came to then."""
    met_first = met(await cost(low_ms))
    while high_ms - low_ms > SLOT_MS:
        middle_ms = low_ms + (high_ms - low_ms) // (2 * SLOT_MS) * SLOT_MS
        if met(await cost(middle_ms)) == met_first:
            low_ms = middle_ms
        else:
            high_ms = middle_ms
    return [(high_ms, await cost(high_ms))]


def _of(rule: Rule) -> Comparison:
    assert rule.comparison is not None
    return rule.comparison


def _finding(finding: Finding) -> Subject:
    """It was so from when people were told of it to when it was closed."""
    rows: Rows = [(at_ms, text) for at_ms, text in ((finding.notified_ms, finding.found.cause.value), (finding.closed_ms, "")) if at_ms]

    async def values(start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
        yield [(at_ms, text) for at_ms, text in rows if at_ms < end_ms]

    name = f"finding {finding.number}"
    return Subject(name, name, Comparison("equals", finding.found.cause.value), values)


def _running(sheets: Sequence[Sheet], total: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The energy since the period began, at the end of each of its slots of which anything is known."""
    for sheet in sheets:
        for place, mwh in enumerate(sheet.mwh):
            at_ms = sheet.start_ms + place * sheet.slot_ms
            if start_ms <= at_ms < end_ms and sheet.source[place]:
                total += mwh
                yield at_ms + sheet.slot_ms, total
