"""ENTSO-E's transparency platform: day-ahead prices of every European bidding zone, as XML.

Source: transparency.entsoe.eu, document A44. A point has a position in its period; a position that is left out repeats
the price before it. Of two series for one period that of the lowest classification sequence counts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import Price, Prices
from ohmstead.integrations.price_feeds.feed import Ask, feed, price, together
from ohmstead.integrations.price_feeds.xml import tree

SCHEMA = {
    vol.Required("token", description="security token, given by ENTSO-E on request"): validate.text,
    vol.Required("area", description="EIC code of the bidding zone, such as 10Y1001A1001A82H for Germany"): validate.text,
}
NOTHING = "999"  # reason of an acknowledgement that says: no data for that time
STEP = re.compile(r"PT(\d{1,3})M")
MOST = 100_000  # prices of a document


class Period(msgspec.Struct, frozen=True):
    """One period of one series; `rank` is its series' classification sequence."""

    start: datetime
    end: datetime
    rank: int
    currency: str
    prices: tuple[Price, ...]


async def fetch(ask: Ask) -> AsyncIterator[Prices]:
    """One question for all days."""
    raw = await ask.get(
        "/api", securityToken=ask.options["token"], documentType="A44", in_Domain=ask.options["area"], out_Domain=ask.options["area"],
        periodStart=f"{ask.start:%Y%m%d%H%M}", periodEnd=f"{ask.end:%Y%m%d%H%M}",
    )  # fmt: skip
    yield await asyncio.to_thread(prices, raw)


def prices(raw: bytes) -> Prices:
    """The prices of a document; ValueError for one that is none."""
    root = tree(raw)
    if root.tag == "Acknowledgement_MarketDocument" and _text(root, "Reason/code") == NOTHING:
        return Prices("EUR", ())
    if root.tag != "Publication_MarketDocument":
        raise ValueError(f"a {root.tag}: {root.findtext('Reason/text') or 'no prices'}"[:300])
    best: dict[tuple[datetime, datetime], Period] = {}
    count = 0
    for period in _periods(root):
        count += len(period.prices)
        if count > MOST:
            raise ValueError(f"more than {MOST:,} prices")
        known = best.get((period.start, period.end))
        if known is None or period.rank <= known.rank:
            best[period.start, period.end] = period
    currencies = {period.currency for period in best.values()}
    if len(currencies) > 1:
        raise ValueError(f"prices in {' and '.join(sorted(currencies))}")
    return together(currencies.pop() if currencies else "EUR", (each for period in best.values() for each in period.prices))


def _periods(root: Element) -> Iterator[Period]:
    for series in root.iterfind("TimeSeries"):
        rank = int(series.findtext("classificationSequence_AttributeInstanceComponent.position") or 1)
        unit = _text(series, "price_Measure_Unit.name")
        if unit != "MWH":
            raise ValueError(f"prices per {unit}, not per MWH")
        currency = _text(series, "currency_Unit.name")
        for period in series.iterfind("Period"):
            start, end = (_instant(_text(period, f"timeInterval/{edge}")) for edge in ("start", "end"))
            yield Period(start, end, rank, currency, tuple(_prices(period, start, end)))


def _prices(period: Element, start: datetime, end: datetime) -> Iterator[Price]:
    """One price for each point, up to the next point that is there."""
    step = _step(_text(period, "resolution"))
    points = {int(_text(point, "position")): _amount(_text(point, "price.amount")) for point in period.iterfind("Point")}
    last, positions = (end - start) // step, sorted(points)
    if last > MOST or any(not 1 <= position <= last for position in positions):
        raise ValueError(f"points beyond the {last} positions of the period from {start.isoformat()}")
    for position, following in zip(positions, [*positions[1:], last + 1], strict=False):
        for place in range(position, following):
            yield price(start + (place - 1) * step, start + place * step, points[position], per=1000)


def _text(element: Element, path: str) -> str:
    found = element.findtext(path)
    if not found:
        raise ValueError(f"the document has no {path}")
    return found.strip()


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time without a zone: {text}")
    return at


def _step(text: str) -> timedelta:
    match = STEP.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"resolution {text}; expected PT15M, PT30M or PT60M")
    return timedelta(minutes=int(match[1]))


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"a price of {text[:40]!r}") from None


ENTSOE = feed("entsoe", "https://web-api.tp.entsoe.eu", SCHEMA, fetch, "day-ahead prices of ENTSO-E's transparency platform")
