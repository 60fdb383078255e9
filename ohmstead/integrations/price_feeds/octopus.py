"""Octopus Energy (Great Britain): unit rates of a product in a region, half-hourly for Agile.

Source: developer.octopus.energy/rest/reference. Rates are pence per kWh, newest first and in pages; a rate without an
end still holds. Of rates that depend on how one pays, those of direct debit are taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import Price, Prices
from ohmstead.integrations.price_feeds.feed import Ask, decoded, feed, price, together

SCHEMA = {
    vol.Required("product", description="product code, such as AGILE-24-10-01"): validate.text,
    vol.Required("region", description="letter of the grid region, A to P"): validate.one_of(*"ABCDEFGHJKLMNP"),
    vol.Optional("vat", default=False, description="true: the rates that include VAT"): validate.boolean,
}
PAGES, PAGE_SIZE = 100, 1500


class Rate(msgspec.Struct):
    value_exc_vat: Decimal
    value_inc_vat: Decimal
    valid_from: datetime
    valid_to: datetime | None = None
    payment_method: str | None = None


class Page(msgspec.Struct):
    results: list[Rate]
    next: str | None = None


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """All pages; the address of a next page is not followed, because it may lead elsewhere: its number is enough."""
    product, region = ask.options["product"], ask.options["region"]
    path = f"/v1/products/{product}/electricity-tariffs/E-1R-{product}-{region}/standard-unit-rates/"
    span = {"period_from": f"{ask.start:%Y-%m-%dT%H:%MZ}", "period_to": f"{ask.end:%Y-%m-%dT%H:%MZ}"}
    rates: list[Rate] = []
    for number in range(1, PAGES + 1):
        page: Page = decoded(await ask.get(path, **span, page=str(number), page_size=str(PAGE_SIZE)), Page)
        rates += page.results
        if page.next is None:
            break
    paid = (rate for rate in reversed(rates) if rate.payment_method in (None, "DIRECT_DEBIT"))
    yield together("GBP", (_price(rate, ask) for rate in paid if rate.valid_from < ask.end))


def _price(rate: Rate, ask: Ask) -> Price:
    pence = rate.value_inc_vat if ask.options["vat"] else rate.value_exc_vat
    return price(rate.valid_from, rate.valid_to or ask.end, pence, per=100)


OCTOPUS = feed("octopus", "https://api.octopus.energy", SCHEMA, fetch, "unit rates of Octopus Energy, such as Agile")
