"""What energy costs right now, as live states of a device that is not there: for automations, the page and the live socket.

They are set on the hub and never stored: what was is in the bills.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.events import ConfigReloaded
from ohmstead.core.model import Series
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.core.supervise import Task
from ohmstead.plugins.billing.bill import Bill
from ohmstead.plugins.billing.bills import SLOT_MS, Bills
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.supply import Slots
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import midnight
from ohmstead.plugins.tariffs.curve import curve
from ohmstead.plugins.tariffs.local import local_date
from ohmstead.plugins.tariffs.outlook import spans
from ohmstead.plugins.tariffs.prices.events import PricesChanged

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

log = logging.getLogger(__name__)

DEVICE = "tariff"  # of the home's main contract; those of each are tariff_<contract> as well
REST_S = 10.0  # between two rounds at least, and never more than a tenth of the time is spent on them
AHEAD_MS = 36 * 3_600_000
LOOK_BACK_MS = 2 * SLOT_MS  # how old a slot may be that says what is used now
QUANTITIES = (
    Quantity("price_now", "¤/kWh", Kind.GAUGE, "what one more kWh costs now, VAT included"),
    Quantity("price_now_export", "¤/kWh", Kind.GAUGE, "what one more kWh pays now that is sold"),
    Quantity("price_ahead", "", Kind.TEXT, "price_now and what follows, as a JSON list of start, end and price of each span"),
    Quantity("cost_per_hour", "¤/h", Kind.GAUGE, "what an hour costs at the power of the newest slot; below 0 it pays"),
    Quantity("cost_today", "¤", Kind.GAUGE, "what the local day came to so far, VAT included"),
    Quantity("cost_month", "¤", Kind.GAUGE, "what the running billing period came to so far, VAT included"),
)


class Costs(msgspec.Struct, frozen=True):
    """What is known now, in the contract's currency; None where it is not."""

    price_now: Fraction | None
    price_now_export: Fraction | None
    price_ahead: str
    cost_per_hour: Fraction | None
    cost_today: Fraction
    cost_month: Fraction

    def known(self) -> Iterator[tuple[str, float | str]]:
        """Quantity and value, numbers to a millionth."""
        for quantity in QUANTITIES:
            value: Fraction | str | None = getattr(self, quantity.name)
            if value is not None:
                yield quantity.name, value if isinstance(value, str) else round(float(value), 6)


class LiveCosts:
    """Keeps the live states of all contracts. Belongs to the event loop's thread."""

    def __init__(self, hub: Hub, bills: Bills, slots: Slots) -> None:
        self._hub, self._bills, self._slots = hub, bills, slots
        self._series: dict[tuple[str, str], Series] = {}
        self._changed = asyncio.Event()
        self._failing: set[str] = set()

    def listen(self) -> None:
        """Wake up when energy, prices or the configuration changed."""
        for event in (LedgerChanged, PricesChanged, ConfigReloaded):
            self._hub.bus.subscribe(event, lambda _: self._changed.set())

    async def work(self, task: Task) -> None:
        """Keep the states, for ever: on every change, and when a slot ends."""
        clock = self._hub.clock
        while True:
            began = clock.monotonic()
            self._changed.clear()
            if clock.trusted:
                await self.refresh()
                task.up()
            await clock.sleep(max(REST_S, 9 * (clock.monotonic() - began)))
            with suppress(TimeoutError):
                await clock.timeout(self._changed.wait(), (SLOT_MS - clock.now_ms() % SLOT_MS) / 1000)

    async def refresh(self) -> None:
        """Set the states of every contract that holds now; one that cannot be priced is logged once."""
        main = self._bills.contracts.main(HOME, self._hub.clock.now_ms())
        for contract in self._bills.contracts:
            try:
                costs = await self.costs(contract) if contract.holds(self._hub.clock.now_ms()) else None
            except OhmsteadError as error:
                if contract.id not in self._failing:
                    log.info("live costs of contract %s: %s", contract.id, error)
                self._failing.add(contract.id)
                costs = None
            else:
                self._failing.discard(contract.id)
            self._set(f"{DEVICE}_{contract.id}", contract, costs)
            if main is not None and contract.id == main.id:
                self._set(DEVICE, contract, costs)

    def _set(self, device: str, contract: Contract, costs: Costs | None) -> None:
        known = dict(costs.known()) if costs is not None else {}
        states, now = self._hub.states, self._hub.clock.now_ms()
        if any(series.quantity not in known for series in self._of(device)):  # a price of before is none of now
            states.forget(device)
            for series in self._of(device):
                del self._series[series.device, series.quantity]
        for quantity in QUANTITIES:
            if quantity.name in known:
                states.set(self._known(device, quantity, contract.currency), known[quantity.name], now, now)

    def _of(self, device: str) -> list[Series]:
        return [series for series in self._series.values() if series.device == device]

    def _known(self, device: str, quantity: Quantity, currency: str) -> Series:
        found = self._series.get((device, quantity.name))
        if found is None:
            own = Quantity(quantity.name, quantity.unit.replace("¤", currency), quantity.kind, quantity.description)
            found = self._series[device, quantity.name] = Series(device, own)
        return found

    async def costs(self, contract: Contract) -> Costs:
        """What a contract costs now. Invalid, NotFound, Unavailable."""
        now = self._hub.clock.now_ms()
        period = self._bills.period(contract, "current")
        so_far = await self._so_far(contract, period, now)
        today = max(period.start_ms, midnight(ZoneInfo(contract.zone), local_date(ZoneInfo(contract.zone), now)))
        before = await self._so_far(contract, period, today)
        month = Fraction(0) if so_far is None else Fraction(so_far.sheet.total)
        yesterday = Fraction(0) if before is None else Fraction(before.sheet.total)
        ahead, (sold, *_) = [await self._prices(contract, period, so_far, now, direction) for direction in ("import", "export")]
        return Costs(
            ahead[0], sold if contract.exports else None, shown_ahead(ahead, now - now % SLOT_MS),
            await self._per_hour(contract, now, ahead[0], sold), month - yesterday, month,
        )  # fmt: skip

    async def _so_far(self, contract: Contract, period: Period, until_ms: int) -> Bill | None:
        until_ms -= until_ms % SLOT_MS
        if until_ms <= period.start_ms:
            return None
        return await self._bills.biller.bill(contract, Period(period.start_ms, until_ms))

    async def _prices(
        self, contract: Contract, period: Period, so_far: Bill | None, now: int, direction: str
    ) -> Sequence[Fraction | None]:
        """The prices of this slot and of those ahead."""
        biller, start = self._bills.biller, now - now % SLOT_MS
        tariff = biller.tariff(contract, period)
        prices = await biller.supplies.prices(tariff, Period(start, start + AHEAD_MS))
        carry = {} if so_far is None else so_far.priced.carry

        def ahead() -> Sequence[Fraction | None]:
            return curve(
                tariff, start, start + AHEAD_MS, SLOT_MS, ZoneInfo(contract.zone), prices=prices, carry=carry,
                grid_zone=contract.grid_zone, direction=direction, with_vat=True,
            )  # fmt: skip

        return await asyncio.to_thread(ahead)

    async def _per_hour(self, contract: Contract, now: int, bought: Fraction | None, sold: Fraction | None) -> Fraction | None:
        sheets = await self._slots.sheets(contract.points, now - LOOK_BACK_MS, now)
        sides = ((contract.imports, bought, 1), (contract.exports, sold, -1))
        found = [(power_kw(sheets[point]), price, sign) for points, price, sign in sides for point in points]
        known = [(power, price, sign) for power, price, sign in found if power is not None and price is not None]
        return sum((power * price * sign for power, price, sign in known), Fraction(0)) if len(known) == len(found) else None


def shown_ahead(prices: Sequence[Fraction | None], start_ms: int) -> str:
    """The spans of one price from a slot on, as JSON; null where no price is known yet."""
    found = [
        {"start": iso(each.start_ms), "end": iso(each.end_ms), "price": None if each.price is None else round(float(each.price), 6)}
        for each in spans(prices, start_ms, SLOT_MS)
    ]
    return msgspec.json.encode(found).decode()


def power_kw(sheets: Sequence[Sheet]) -> Fraction | None:
    """The mean power of the newest slot of which anything is known, over what is known of it."""
    for sheet in reversed(sheets):
        for place in range(len(sheet) - 1, -1, -1):
            covered_ms = sheet.measured_ms[place] + sheet.estimated_ms[place] + sheet.reset_ms[place]
            if covered_ms:
                return Fraction(sheet.mwh[place] * 3_600_000, covered_ms * 1_000_000)
    return None
