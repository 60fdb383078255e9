"""What changed intervals are worth: the contracts they touch, priced before and after. The ledger's previews ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from ohmstead.plugins.billing.biller import priced
from ohmstead.plugins.billing.bills import Bills
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.valuer import Changed, Worth


class MoneyValuer:
    """The ledger's Valuer. Amounts are those of the lines, exactly: without VAT unless the tariff has gross prices."""

    def __init__(self, bills: Bills) -> None:
        self._bills = bills

    async def value(self, changes: Sequence[Changed]) -> list[Worth]:
        """The worth of changes that happen together, one for each contract they touch."""
        touched = {contract.id: contract for change in changes for contract in self._bills.contracts.of_point(change.meter_point)}
        return [await self._worth(contract, changes) for contract in touched.values()]

    async def issued(self, meter_points: Sequence[str], start_ms: int, end_ms: int) -> list[str]:
        """The ids of issued bills that count energy of these meter points in a half-open span."""
        return await self._bills.issued(meter_points, start_ms, end_ms)

    async def _worth(self, contract: Contract, changes: Sequence[Changed]) -> Worth:
        mine = [change for change in changes if change.meter_point in contract.points and change.before]
        before, after = Fraction(0), Fraction(0)
        if mine:
            start = min(change.before[0].start_ms for change in mine)
            end = max(change.before[-1].end_ms for change in mine)
            for period in contract.between(start, end):
                was, would = await self._priced(contract, period, mine)
                before, after = before + was, after + would
        return Worth(contract.id, contract.currency, before, after)

    async def _priced(self, contract: Contract, period: Period, changes: Sequence[Changed]) -> tuple[Fraction, Fraction]:
        biller = self._bills.biller
        tariff = biller.tariff(contract, period)
        carry = await biller.carry(contract, tariff, period)
        supply = await biller.supplies.read(contract, tariff, period)

        def both() -> tuple[Fraction, Fraction]:
            was, would = (
                priced(contract, tariff, period, _with(supply, {c.meter_point: getattr(c, side) for c in changes}), carry).total
                for side in ("before", "after")
            )
            return was, would

        return await asyncio.to_thread(both)


def _with(supply: Supply, changed: dict[str, Sequence[Sheet]]) -> Supply:
    """A supply with other slots of some meter points."""
    sheets = {point: [_laid(sheet, changed.get(point, ())) for sheet in found] for point, found in supply.sheets.items()}
    return msgspec.structs.replace(supply, sheets=sheets)


def _laid(below: Sheet, above: Sequence[Sheet]) -> Sheet:
    """A sheet with the slots of others laid over its own; those of another length are left out."""
    made = Sheet(
        below.start_ms, below.slot_ms, below.mwh[:], below.measured_ms[:], below.estimated_ms[:], below.reset_ms[:], below.source[:]
    )
    for sheet in above:
        shift = (sheet.start_ms - below.start_ms) // below.slot_ms
        into = slice(max(0, shift), min(len(below), shift + len(sheet)))
        if sheet.slot_ms == below.slot_ms and into.start < into.stop:
            _copy(made, into, sheet, slice(into.start - shift, into.stop - shift))
    return made


def _copy(made: Sheet, into: slice, sheet: Sheet, of: slice) -> None:
    made.mwh[into] = sheet.mwh[of]
    made.measured_ms[into] = sheet.measured_ms[of]
    made.estimated_ms[into] = sheet.estimated_ms[of]
    made.reset_ms[into] = sheet.reset_ms[of]
    made.source[into] = sheet.source[of]
