"""What the running period will probably cost: what was used so far, and the same weekday's profile of the last weeks for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict
from ohmstead.plugins.billing.bill import Bill, plain, shown_line, shown_unpriced
from ohmstead.plugins.billing.biller import made
from ohmstead.plugins.billing.bills import SLOT_MS, Bills
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.profile import WEEK_MS, WEEKS, Profile, meet
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.tariffs.prices.timeline import Span, Timeline

METHOD = (
    "energy of the rest of the period, in all and by tariff register: for every slot the mean of the same weekday and time of day over "
    "the last four weeks; "
    "dynamic prices that are not known yet: those of the same time a week before"
)


class Projector:
    """Projects the running periods of contracts."""

    def __init__(self, bills: Bills) -> None:
        self._bills = bills

    async def project(self, contract: Contract) -> dict[str, Any]:
        """The running period of a contract, projected to its end. Invalid outside the contract, Conflict without any history."""
        period = self._bills.period(contract, "current")
        so_far = await self._bills.make(contract, period)
        found = await self.bill(contract, period, so_far)
        return {
            "contract": contract.id, "currency": contract.currency, "start": iso(period.start_ms), "end": iso(period.end_ms),
            "until": iso(so_far.period.end_ms), "so_far": _sums(so_far), "projected": _sums(found),
            "lines": [shown_line(number, line) for number, line in enumerate(found.sheet.lines, 1)],
            "unpriced": shown_unpriced(found.priced), "method": METHOD,
        }  # fmt: skip

    async def bill(self, contract: Contract, period: Period, so_far: Bill) -> Bill:
        """The bill of the whole period with what it has so far. Conflict where nothing of the last weeks is known."""
        until = so_far.period.end_ms
        biller = self._bills.biller
        tariff = biller.tariff(contract, period)
        long = Period(period.start_ms - WEEKS * WEEK_MS, period.end_ms)
        prices = await biller.supplies.prices(tariff, long)
        before = await biller.supplies.read(contract, tariff, Period(until - WEEKS * WEEK_MS, until))

        def work() -> Bill:
            supply = _extended(contract, so_far.supply, before, Period(until, period.end_ms)) if until < period.end_ms else so_far.supply
            filled = {series: _filled(line, period) for series, line in prices.items()}
            return made(contract, tariff, period, msgspec.structs.replace(supply, prices=filled), so_far.carried)

        return await asyncio.to_thread(work)


def _extended(contract: Contract, so_far: Supply, before: Supply, rest: Period) -> Supply:
    sheets = {}
    for point in contract.points:
        profile = Profile(before.sheets[point], ZoneInfo(contract.zone), SLOT_MS)
        if profile.empty:
            raise Conflict(f"{point}: no slot of the last four weeks is complete, so there is nothing to project from")
        sheets[point] = [*so_far.sheets[point], profile.sheet(rest.start_ms, rest.end_ms)]
    profiles = {name: Profile(found, ZoneInfo(contract.zone), SLOT_MS) for name, found in before.registers.items()}
    ahead = {name: profile.sheet(rest.start_ms, rest.end_ms) for name, profile in profiles.items() if not profile.empty}
    meet([sheets[point][-1] for point in contract.imports], list(ahead.values()))
    registers = {name: [*found, ahead[name]] if name in ahead else found for name, found in so_far.registers.items()}
    return msgspec.structs.replace(so_far, sheets=sheets, registers=registers)


def _filled(known: Timeline, period: Period) -> Timeline:
    """Prices of a period; those that are missing are those of the same time a week before, up to four weeks back."""
    spans = list(known.within(period.start_ms, period.end_ms))
    holes = list(known.holes(period.start_ms, period.end_ms))
    for weeks in range(1, WEEKS + 1):
        shift, left = weeks * WEEK_MS, []
        for start, end in holes:
            spans += _shifted(known, start, end, shift)
            left += [(a + shift, b + shift) for a, b in known.holes(start - shift, end - shift)]
        holes = left
    return Timeline.of(sorted(spans))


def _shifted(known: Timeline, start_ms: int, end_ms: int, shift_ms: int) -> Iterator[Span]:
    for span in known.within(start_ms - shift_ms, end_ms - shift_ms):
        yield Span(span.start_ms + shift_ms, span.end_ms + shift_ms, span.price)


def _sums(bill: Bill) -> Mapping[str, str]:
    return {"net": plain(bill.sheet.net), "tax": plain(bill.sheet.tax), "total": plain(bill.sheet.total)}
