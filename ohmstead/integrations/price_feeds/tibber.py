"""Tibber: what a kWh costs its customers today and tomorrow, taxes and its fee included, in quarter hours.

Source: developer.tibber.com. A price has a start and no end: it holds until the next one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Refused, Unsupported
from ohmstead.core.model import Prices
from ohmstead.integrations.price_feeds.feed import LIMIT, Ask, feed, price, together, until_next

SCHEMA = {
    vol.Required("token", description="access token, from developer.tibber.com"): validate.text,
    vol.Optional("home", description="id of the home, if the account has several"): validate.text,
}
SLOT = "{ total startsAt currency }"
INFO = f"priceInfo(resolution: QUARTER_HOURLY) {{ today {SLOT} tomorrow {SLOT} }}"
QUERY = f"{{ viewer {{ homes {{ id currentSubscription {{ {INFO} }} }} }} }}"


class Slot(msgspec.Struct):
    total: Decimal
    start: datetime = msgspec.field(name="startsAt")
    currency: str


class Info(msgspec.Struct):
    today: list[Slot] = []
    tomorrow: list[Slot] = []


class Subscription(msgspec.Struct):
    info: Info | None = msgspec.field(name="priceInfo", default=None)


class Home(msgspec.Struct):
    id: str
    subscription: Subscription | None = msgspec.field(name="currentSubscription", default=None)


class Viewer(msgspec.Struct):
    homes: list[Home]


class Data(msgspec.Struct):
    viewer: Viewer


class Mistake(msgspec.Struct):
    message: str
    extensions: dict[str, object] = {}


class Answer(msgspec.Struct):
    data: Data | None = None
    errors: list[Mistake] = []


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """One question. Refused for a token that Tibber does not know."""
    sign_in = {"Authorization": f"Bearer {ask.options['token']}"}
    raw = await ask.context.http.post_json(ask.url, {"query": QUERY}, headers=sign_in, limit=LIMIT)
    answer = msgspec.convert(raw, Answer)
    if answer.data is None:
        said = answer.errors[0] if answer.errors else Mistake("nothing")
        if said.extensions.get("code") == "UNAUTHENTICATED":
            raise Refused(f"Tibber does not accept the token: {said.message}")
        raise ValueError(said.message)
    info = _info(answer.data.viewer.homes, ask.options.get("home"))
    slots = {slot.start: slot for slot in (*info.today, *info.tomorrow)}
    currencies = {slot.currency for slot in slots.values()}
    if len(currencies) > 1:
        raise ValueError(f"prices in {' and '.join(sorted(currencies))}")
    if currencies:
        yield together(currencies.pop(), (price(start, end, slots[start].total) for start, end in until_next(slots)))


def _info(homes: list[Home], wanted: str | None) -> Info:
    """Of the home that is wanted, or of the only one with a contract; Unsupported."""
    found = [home for home in homes if home.id == wanted or (wanted is None and home.subscription is not None)]
    if len(found) == 1 and found[0].subscription is not None:
        return found[0].subscription.info or Info()
    names = ", ".join(home.id for home in homes if home.subscription is not None) or "none"
    raise Unsupported(f"home: which one? Homes with a contract: {names}")


TIBBER = feed("tibber", "https://api.tibber.com/v1-beta/gql", SCHEMA, fetch, "prices of Tibber, with taxes", days_back=0)
