"""What may be asked of a contract beyond its bills: the projection, who caused what, what was saved, what would have been."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Route
from ohmstead.plugins.billing.allocation import SCALE, Share, allocate, energy_lines, printed, slot_costs
from ohmstead.plugins.billing.bill import Bill, kwh, plain
from ohmstead.plugins.billing.bills import Bills
from ohmstead.plugins.billing.premises import Premises, premises
from ohmstead.plugins.billing.projection import Projector
from ohmstead.plugins.billing.savings import Savings
from ohmstead.plugins.billing.supply import Slots
from ohmstead.plugins.billing.what_if import WhatIf
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.ledger.points.points import Role
from ohmstead.plugins.tariffs.money import minor_unit

UNMETERED = "unmetered"

_period = vol.Optional("period", default="current", description="current, last, a month such as 2026-03, or a day such as 2026-03-20")
PERIOD: dict[Any, Any] = {_period: validate.text}
SAVINGS: dict[Any, Any] = {_period: validate.text, vol.Optional("tariff", description="id of the tariff to compare with"): validate.slug}


def tariff(value: Any) -> Any:
    """The id of a tariff, or a tariff as it stands in the configuration."""
    if isinstance(value, Mapping):
        return dict(value)
    return validate.slug(value)


WHAT_IF: dict[Any, Any] = {
    vol.Required("tariff", description="id of a tariff, or a tariff as it stands in the configuration"): tariff,
    vol.Optional("start", description="only billing periods from here on; a year before the end unless given"): moment,
    vol.Optional("end", description="only billing periods up to here; now unless given"): moment,
}


class StudyRoutes:
    """Studies of contracts."""

    def __init__(self, bills: Bills, slots: Slots, what_if: WhatIf) -> None:
        self._bills, self._slots, self._what_if = bills, slots, what_if
        self._projector, self._savings = Projector(bills), Savings(bills.biller, slots)

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("contracts",)
        return [
            Route("GET", "/contracts/{id}/projection", self.projection, "read", "The running period, projected to its end", tags=tags),
            Route("GET", "/contracts/{id}/allocation", self.allocation, "read", "Cost by meter point", query=PERIOD, tags=tags),
            Route("GET", "/contracts/{id}/savings", self.savings, "read", "What was saved, and against what", query=SAVINGS, tags=tags),
            Route("POST", "/contracts/{id}/what-if", self.what_if, "read", "What would have been paid", body=WHAT_IF, tags=tags),
        ]

    async def projection(self, call: Call) -> dict[str, Any]:
        """The running period's probable bill."""
        return await self._projector.project(self._bills.contracts.get(call.path["id"]))

    async def what_if(self, call: Call) -> dict[str, Any]:
        """A year under another tariff."""
        contract = self._bills.contracts.get(call.path["id"])
        start, end = (instant_ms(call.body[name], contract.zone) if name in call.body else None for name in ("start", "end"))
        return await self._what_if.compare(contract, self._what_if.tariff(call.body["tariff"], contract.currency), start, end)

    async def savings(self, call: Call) -> dict[str, Any]:
        """What roof, battery, habits and tariff saved."""
        bill = await self._bill(call)
        named = call.query.get("tariff")
        other = None if named is None else self._what_if.tariff(named, bill.contract.currency)
        return await self._savings.of(bill, other)

    async def allocation(self, call: Call) -> dict[str, Any]:
        """The energy lines by meter point, with what came from the house's own sources."""
        bill = await self._bill(call)
        if not bill.contract.imports:
            raise Invalid(f"contract {bill.contract.id!r} has no import whose cost could be shared")
        place = await premises(self._slots, bill.contract, bill.period)
        return await asyncio.to_thread(self._allocated, bill, place)

    async def _bill(self, call: Call) -> Bill:
        contract = self._bills.contracts.get(call.path["id"])
        return await self._bills.make(contract, self._bills.period(contract, call.query["period"]))

    def _allocated(self, bill: Bill, place: Premises) -> dict[str, Any]:
        lines = energy_lines(bill.priced.lines)
        costs = slot_costs(lines)
        shares, rest = allocate([costs.get(at_ms, 0) for at_ms in place.starts_ms], place.of(Role.GRID_IMPORT), place.consumed, place.loads)
        every = {**shares, UNMETERED: rest}
        digits = minor_unit(bill.contract.currency)
        total = sum((line.printed for line in bill.sheet.lines if line.line in lines), Decimal(0))
        coins = printed({name: share.cost for name, share in every.items()}, int(total.scaleb(digits)), SCALE // 10**digits)
        return {
            "contract": bill.contract.id, "currency": bill.contract.currency, "start": iso(bill.period.start_ms),
            "end": iso(bill.period.end_ms), "energy_lines": plain(total),
            "shares": [_shown(name, share, Decimal(coins[name]).scaleb(-digits)) for name, share in every.items()],
        }  # fmt: skip


def _shown(name: str, share: Share, amount: Decimal) -> dict[str, Any]:
    exact = Decimal(share.cost).scaleb(-(len(str(SCALE)) - 1))
    return {
        "meter_point": None if name == UNMETERED else name, "kwh": kwh(share.mwh), "grid_kwh": kwh(share.grid_mwh),
        "own_kwh": kwh(share.own_mwh), "exact": plain(exact), "amount": plain(amount),
    }  # fmt: skip
