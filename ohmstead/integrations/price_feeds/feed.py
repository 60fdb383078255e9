"""What all price feeds have in common: when they ask, for which days, and how what a market says becomes exact prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Refused, Unavailable
from ohmstead.core.model import PRICE_BOUND, PRICE_DIGITS, DeviceInfo, Price, Prices
from ohmstead.core.plugin import Integration, Item
from ohmstead.plugins.protocols import Context

LIMIT = 16_000_000  # bytes of an answer
AHEAD = timedelta(days=3)  # tomorrow in every zone
LONGEST = timedelta(hours=1)  # how long a price counts whose end is not given
NOISE = Decimal(1).scaleb(-PRICE_DIGITS)


class Ask(msgspec.Struct, frozen=True):
    """One round: the feed's options, how to reach it, and the days asked for, from midnight to midnight in UTC."""

    options: Mapping[str, Any]
    context: Context
    start: datetime
    end: datetime

    @property
    def url(self) -> str:
        """Where the feed is, without a slash at its end."""
        return str(self.options["url"]).rstrip("/")

    async def get(self, path: str, **params: str) -> bytes:
        """What the feed answers; nothing for 204."""
        return await self.context.http.get(self.url + path, params=params, limit=LIMIT)


Fetch = Callable[[Ask], AsyncIterator[Prices]]


def feed(type_: str, url: str, schema: Mapping[Any, Any], fetch: Fetch, description: str, days_back: int = 7) -> Integration:
    """An integration that asks `fetch` again and again: at its start for `days_back` days, later from yesterday on.

    `days_back` 0: the feed knows nothing of the past.
    """
    options: dict[Any, Any] = {
        **schema,
        vol.Optional("url", default=url, description="where it is asked, for a mirror or proxy"): validate.url("https", "http"),
        vol.Optional("every", default="30m", description="time between two questions"): validate.seconds,
    }
    if days_back:
        back = vol.Optional("days_back", default=days_back, description="days before today that it asks for when it starts")
        options[back] = validate.integer(0, 400)

    async def readings(given: Mapping[str, Any], context: Context) -> AsyncIterator[Item]:
        yield DeviceInfo(kind="price_feed", quiet_s=3 * given["every"] + 600)
        days = given.get("days_back", 0)
        async for now in context.poll(given["every"]):
            midnight = datetime.combine(now.astimezone(UTC), time(), UTC)
            ask = Ask(given, context, midnight - timedelta(days), midnight + AHEAD)
            for prices in await _all(type_, fetch, ask):
                yield prices
            days = min(days, 1)

    return Integration(type_, options, readings=readings, description=description)


async def _all(type_: str, fetch: Fetch, ask: Ask) -> list[Prices]:
    try:
        return [prices async for prices in fetch(ask)]
    except Refused as error:
        if "token" in ask.options:
            raise
        raise Unavailable(str(error)) from error  # we gave nothing that could be wrong: it has had enough of us
    except ValueError as error:  # msgspec's own are such too
        raise Unavailable(f"{type_} answers something other than prices: {error}".replace("`", "")) from error


def decoded(raw: bytes, form: Any) -> Any:
    """JSON as a type, numbers exactly as they are written; ValueError."""
    return msgspec.json.decode(raw, type=form)


def price(start: datetime, end: datetime, amount: Decimal, per: int = 1) -> Price:
    """A price of which `per` kWh cost `amount`: 1000 for EUR/MWh, 100 for pence per kWh.

    Digits beyond the twelfth decimal are the noise of binary fractions, such as 0.30000000000000004, and rounded off.
    """
    if not amount.is_finite() or abs(amount) >= PRICE_BOUND:
        raise ValueError(f"a price of {amount:.6g}")
    return Price(start, end, (amount / per).quantize(NOISE, ROUND_HALF_EVEN).normalize())


def together(currency: str, found: Iterable[Price]) -> Prices:
    """Prices in order; of two for the same span the last one counts. ValueError for others that overlap."""
    latest = {(each.start, each.end): each for each in found}
    return Prices(currency, tuple(latest[span] for span in sorted(latest)))


def until_next(starts: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Spans of which only the starts are told: each ends where the next begins, the last is as long as the one before."""
    ordered = sorted(set(starts))
    lengths = [min(after - before, LONGEST) for before, after in pairwise(ordered)]
    return [(start, start + length) for start, length in zip(ordered, [*lengths, lengths[-1] if lengths else LONGEST], strict=False)]
