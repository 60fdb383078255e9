"""Nord Pool: day-ahead prices of its delivery areas, a question a day.

Source: dataportal-api.nordpoolgroup.com. Days are those of Central European Time; tomorrow's answer is 204 or empty
until about 13:00 there. Prices are per MWh in the currency asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import Prices
from ohmstead.integrations.price_feeds.feed import Ask, decoded, feed, price, together

MARKET = ZoneInfo("Europe/Oslo")
SCHEMA = {
    vol.Required("area", description="delivery area, such as SE3, NO1, DK2, FI"): validate.text,
    vol.Optional("currency", default="EUR", description="EUR, SEK, NOK, DKK …"): validate.currency,
}


class Entry(msgspec.Struct):
    start: datetime = msgspec.field(name="deliveryStart")
    end: datetime = msgspec.field(name="deliveryEnd")
    prices: dict[str, Decimal] = msgspec.field(name="entryPerArea")


class Answer(msgspec.Struct):
    currency: str = ""
    entries: list[Entry] = msgspec.field(name="multiAreaEntries", default_factory=list)


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """A question for each day up to tomorrow."""
    area, currency = ask.options["area"], ask.options["currency"]
    day, last = ask.start.date(), (ask.context.clock.now().astimezone(MARKET) + timedelta(days=1)).date()
    while day <= last:
        raw = await ask.get("/api/DayAheadPrices", market="DayAhead", date=day.isoformat(), deliveryArea=area, currency=currency)
        found: Answer = decoded(raw, Answer) if raw.strip() else Answer(currency)
        if found.entries and found.currency != currency:
            raise ValueError(f"the prices are in {found.currency}, not in {currency}")
        yield together(currency, (price(entry.start, entry.end, _of(entry, area), per=1000) for entry in found.entries))
        day += timedelta(days=1)


def _of(entry: Entry, area: str) -> Decimal:
    if area not in entry.prices:
        raise ValueError(f"no price of area {area}; there are {', '.join(sorted(entry.prices)) or 'none'}")
    return entry.prices[area]


NORD_POOL = feed("nord_pool", "https://dataportal-api.nordpoolgroup.com", SCHEMA, fetch, "day-ahead prices of Nord Pool")
