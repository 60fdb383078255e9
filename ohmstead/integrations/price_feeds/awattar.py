"""aWATTar: hourly prices of the day-ahead market in Germany (api.awattar.de) and Austria (api.awattar.at).

Source: awattar.de/services/api. Instants are milliseconds since 1970, prices EUR/MWh without taxes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.model import Prices
from ohmstead.integrations.price_feeds.feed import Ask, decoded, feed, price, together


class Slot(msgspec.Struct):
    start_timestamp: int
    end_timestamp: int
    marketprice: Decimal
    unit: str


class Answer(msgspec.Struct):
    data: list[Slot]


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """One question for all days."""
    raw = await ask.get("/v1/marketdata", start=str(to_ms(ask.start)), end=str(to_ms(ask.end)))
    slots: list[Slot] = decoded(raw, Answer).data
    units = {slot.unit.lower() for slot in slots} - {"eur/mwh"}
    if units:
        raise ValueError(f"the unit is {units.pop()!r}, not EUR/MWh")
    yield together("EUR", (price(from_ms(s.start_timestamp), from_ms(s.end_timestamp), s.marketprice, per=1000) for s in slots))


AWATTAR = feed("awattar", "https://api.awattar.de", {}, fetch, "day-ahead prices of aWATTar; for Austria url: https://api.awattar.at")
