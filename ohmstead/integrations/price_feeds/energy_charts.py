"""energy-charts.info of Fraunhofer ISE: day-ahead prices of the European bidding zones.

Source: api.energy-charts.info. Starts are seconds since 1970, prices EUR/MWh; null where there is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import from_ms
from ohmstead.core.model import Prices
from ohmstead.integrations.price_feeds.feed import Ask, decoded, feed, price, together, until_next

SCHEMA = {vol.Optional("zone", default="DE-LU", description="bidding zone, such as DE-LU, AT, FR"): validate.text}


class Answer(msgspec.Struct):
    unix_seconds: list[int]
    price: list[Decimal | None]
    unit: str


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """One question for all days; the end is a day that is included."""
    raw = await ask.get("/price", bzn=ask.options["zone"], start=f"{ask.start:%Y-%m-%d}", end=f"{ask.end:%Y-%m-%d}")
    found: Answer = decoded(raw, Answer)
    if found.unit.replace(" ", "").upper() != "EUR/MWH":
        raise ValueError(f"the unit is {found.unit!r}, not EUR/MWh")
    if len(found.price) != len(found.unix_seconds):
        raise ValueError(f"{len(found.unix_seconds)} instants and {len(found.price)} prices")
    amounts = {from_ms(second * 1000): amount for second, amount in zip(found.unix_seconds, found.price, strict=True)}
    spans = ((start, end, amounts[start]) for start, end in until_next(amounts))
    yield together("EUR", (price(start, end, amount, per=1000) for start, end, amount in spans if amount is not None))


ENERGY_CHARTS = feed("energy_charts", "https://api.energy-charts.info", SCHEMA, fetch, "day-ahead prices of energy-charts.info")
