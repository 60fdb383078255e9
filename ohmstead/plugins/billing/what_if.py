"""What somebody would have paid: the periods of a year, priced again under any tariff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import neg
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.billing.bill import Bill, plain
from ohmstead.plugins.billing.biller import Biller
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.tariffs.tariff import Tariff

YEAR_MS = 366 * 86_400_000
MOST = 120  # billing periods that are priced at once


class WhatIf:
    """Prices ended periods under another tariff. What it carries over is from the bills before them too, as with the contract's own."""

    def __init__(self, biller: Biller, clock: Clock) -> None:
        self._biller, self._clock = biller, clock

    def tariff(self, given: str | Mapping[str, Any], currency: str) -> Tariff:
        """A tariff by its id, or as somebody writes one. NotFound, Invalid."""
        tariffs = self._biller.tariffs
        if isinstance(given, str):
            found = tariffs.get(given)
        else:
            try:
                found = tariffs.compiled("what-if", tariffs.check(given))
            except vol.MultipleInvalid as error:
                wrong = [{"path": ".".join(map(str, ("tariff", *each.path))), "message": each.msg} for each in error.errors]
                raise Invalid("; ".join(f"{each['path']}: {each['message']}" for each in wrong), wrong) from None
        if found.currency != currency:
            raise Invalid(f"tariff {found.id!r} is in {found.currency}, the contract in {currency}; only like can be compared with like")
        return found

    async def compare(self, contract: Contract, tariff: Tariff, start_ms: int | None, end_ms: int | None) -> dict[str, Any]:
        """Each ended period that lies in a span (the last year unless given), as it is billed and as it would be. Invalid for none."""
        periods = self.periods(contract, start_ms, end_ms)
        carry = await self._biller.carry(contract, tariff, periods[0])
        rows, actual, would = [], list[Decimal](), list[Decimal]()
        for period in periods:
            is_, might = await self._biller.bill(contract, period), await self._biller.under(contract, tariff, period, carry)
            carry = might.priced.carry
            rows.append(_row(is_, might))
            if rows[-1]["counted"]:
                actual.append(is_.sheet.total)
                would.append(might.sheet.total)
        return {
            "contract": contract.id, "tariff": tariff.id, "currency": contract.currency, "start": iso(periods[0].start_ms),
            "end": iso(periods[-1].end_ms), "actual": _sum(actual), "would": _sum(would), "saving": _sum([*actual, *map(neg, would)]),
            "left_out": len(rows) - len(actual), "periods": rows,
        }  # fmt: skip

    def periods(self, contract: Contract, start_ms: int | None, end_ms: int | None) -> list[Period]:
        """The ended billing periods of a contract that lie in a span, the last year unless given. Invalid for none, or too many."""
        now = self._clock.now_ms()
        end = now if end_ms is None else min(end_ms, now)
        start = end - YEAR_MS if start_ms is None else start_ms
        if start >= end:
            raise Invalid(f"no billing period ends between {iso(start)} and {iso(end)}; expected a start before the end, in the past")
        found = [each for each in contract.between(start, end) if each.start_ms >= start and each.end_ms <= end]
        if not found:
            raise Invalid(f"no billing period of contract {contract.id!r} lies between {iso(start)} and {iso(end)}")
        if len(found) > MOST:
            raise Invalid(f"{len(found)} billing periods are more than the {MOST} that are priced at once; expected a shorter span")
        return found


def _sum(amounts: Sequence[Decimal]) -> str | None:
    return plain(sum(amounts[1:], amounts[0])) if amounts else None


def _row(actual: Bill, would: Bill) -> dict[str, Any]:
    return {
        "start": iso(actual.period.start_ms), "end": iso(actual.period.end_ms), "actual": plain(actual.sheet.total),
        "would": plain(would.sheet.total), "saving": plain(actual.sheet.total - would.sheet.total),
        "complete": actual.complete and would.complete,
        "counted": actual.known and not (actual.priced.unpriced or would.priced.unpriced),
    }  # fmt: skip
