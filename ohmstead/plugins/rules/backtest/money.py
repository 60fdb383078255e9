"""What backtests ask of those who know money, and what energy of the past was worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.tariffs.outlook import spans

AHEAD_MS = 36 * 3_600_000
SLOT_MS = 900_000  # costs change at its ends


class Prices(msgspec.Struct, frozen=True):
    """What one more kWh cost in each slot from `start_ms` on, VAT included; None where that is not known."""

    currency: str
    start_ms: int
    slot_ms: int
    per_kwh: Sequence[Fraction | None]

    def changes(self) -> Iterator[tuple[int, Fraction | None]]:
        """Where it became another, as (instant, price)."""
        before: Fraction | str | None = "nothing yet"
        for place, price in enumerate(self.per_kwh):
            if price != before:
                yield self.start_ms + place * self.slot_ms, price
                before = price

    def ahead(self, at_ms: int) -> str:
        """What was ahead from the slot of an instant on, as the live state says it, had all prices been known early."""
        first = (at_ms - self.start_ms) // self.slot_ms
        found = [
            {"start": iso(each.start_ms), "end": iso(each.end_ms), "price": None if each.price is None else round(float(each.price), 6)}
            for each in spans(self.per_kwh[first : first + AHEAD_MS // self.slot_ms], self.start_ms + first * self.slot_ms, self.slot_ms)
        ]
        return msgspec.json.encode(found).decode()

    def at(self, at_ms: int) -> Fraction | None:
        """The price at an instant."""
        place = (at_ms - self.start_ms) // self.slot_ms
        return self.per_kwh[place] if 0 <= place < len(self.per_kwh) else None


class Money(Protocol):
    """Billing, as backtests see it."""

    async def prices(self, contract: str | None, start_ms: int, end_ms: int) -> Prices:
        """Of a contract, the home's first unless named. NotFound, Invalid where there is none."""

    def periods(self, contract: str | None, period: str, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """The billing periods (month) or the local days (day) of a contract that touch a span. NotFound, Invalid."""

    async def cost(self, contract: str | None, within_ms: int, until_ms: int) -> Fraction:
        """What the billing period of an instant came to, up to another instant in it. NotFound, Invalid."""

    async def what_if(self, contract: str | None, tariff: Mapping[str, Any], start_ms: int, end_ms: int) -> dict[str, Any]:
        """The ended billing periods in a span as they are billed, and as they would be. NotFound, Invalid."""
