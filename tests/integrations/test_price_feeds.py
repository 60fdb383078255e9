"""Price feeds against real servers: units, days of 23 and 25 hours, what is not there yet, what is published again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from ohmstead.core import validate
from ohmstead.core.clock import ManualClock, to_ms
from ohmstead.core.errors import Refused, Unavailable, Unsupported
from ohmstead.core.events import PricesHeard
from ohmstead.core.model import DeviceInfo, Price, Prices
from ohmstead.core.plugin import Integration
from ohmstead.integrations import price_feeds
from ohmstead.integrations.price_feeds import entsoe
from ohmstead.integrations.price_feeds.feed import until_next
from ohmstead.integrations.price_feeds.xml import tree
from ohmstead.plugins.protocols import Protocols
from tests.fakes.house import until
from tests.fakes.market import Market
from tests.fakes.street import Street

FEEDS = {feed.type: feed for feed in price_feeds.ohmstead_integrations()}
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def first(feed: Integration, market: Market, count: int = 1, now: datetime = NOON, **options: Any) -> list[Prices]:
    """What the feed gives in its first round."""
    clock = ManualClock(now)
    async with Protocols(clock) as protocols:
        given = validate.options(feed.schema, {"url": market.url, **options})
        assert feed.readings is not None
        stream = feed.readings(given, protocols.context("spot"))
        found = []
        try:
            async for item in stream:
                if isinstance(item, Prices):
                    found.append(item)
                    if len(found) == count:
                        break
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
    return found


def awattar(*amounts: float, start: datetime = NOON, unit: str = "Eur/MWh") -> Callable[[web.Request], Any]:
    slots = [{"start_timestamp": to_ms(start + timedelta(hours=n)), "end_timestamp": to_ms(start + timedelta(hours=n + 1)),
              "marketprice": amount, "unit": unit} for n, amount in enumerate(amounts)]  # fmt: skip
    return lambda request: {"object": "list", "data": slots}


async def test_awattar_gives_milliseconds_and_eur_per_mwh() -> None:
    async with Market(awattar(85.1, -12.34, 0)) as market:
        [prices] = await first(FEEDS["awattar"], market)
        assert prices.currency == "EUR"
        assert [price.per_kwh for price in prices.prices] == [Decimal("0.0851"), Decimal("-0.01234"), 0]
        assert prices.prices[0].start == NOON
        assert market.asked == [{"path": "/v1/marketdata", "start": str(to_ms(at("2026-11-13T00:00Z"))), "end": str(to_ms(at("2026-11-23T00:00Z")))}]
        market.answer = awattar(1, unit="ct/kWh")
        with pytest.raises(Unavailable, match="the unit is 'ct/kwh'"):
            await first(FEEDS["awattar"], market)


@pytest.mark.parametrize(("day", "quarters"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-11-20", 96)])
async def test_energy_charts_counts_seconds_through_every_kind_of_day(day: str, quarters: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    begin, end = int(start.timestamp()), int((start + timedelta(days=1)).timestamp())
    seconds = list(range(begin, end, 900))
    amounts = [None if n == 5 else n / 100 for n in range(len(seconds))]
    async with Market(lambda request: {"license_info": "CC BY", "unix_seconds": seconds, "price": amounts, "unit": "EUR / MWh"}) as market:
        [prices] = await first(FEEDS["energy_charts"], market, zone="AT")
        assert market.asked[0]["bzn"] == "AT"
    assert len(prices.prices) == quarters - 1, "null is no price"
    assert (prices.prices[0].start.timestamp(), prices.prices[-1].end.timestamp()) == (begin, end)
    assert prices.prices[-1].per_kwh == Decimal(quarters - 1) / 100_000


def test_an_end_that_is_not_told() -> None:
    hour = [NOON + timedelta(hours=n) for n in range(3)]
    quarter = [hour[2] + timedelta(minutes=15 * n) for n in range(1, 4)]
    spans = until_next([*hour, *quarter, NOON + timedelta(days=3)])
    assert [(end - start).total_seconds() for start, end in spans] == [3600, 3600, 900, 900, 900, 3600, 3600], "never longer than an hour"
    assert until_next([]) == []


def nord_pool(request: web.Request) -> Any:
    day = datetime.fromisoformat(request.query["date"]).replace(tzinfo=ZoneInfo("Europe/Oslo"))
    if request.query["date"] > "2026-11-20":
        return None  # published at 13:00
    entries = [{"deliveryStart": (day + timedelta(minutes=15 * n)).astimezone(UTC).isoformat(), "deliveryEnd":
                (day + timedelta(minutes=15 * n + 15)).astimezone(UTC).isoformat(), "entryPerArea": {"SE3": 45.12 + n, "SE4": 1}}
               for n in range(96)]  # fmt: skip
    return {"deliveryDateCET": request.query["date"], "currency": request.query["currency"], "multiAreaEntries": entries}


async def test_nord_pool_is_asked_day_by_day_and_tomorrow_may_not_be_there_yet() -> None:
    async with Market(nord_pool) as market:
        found = await first(FEEDS["nord_pool"], market, count=4, area="SE3", currency="SEK", days_back=2)
        assert [(prices.currency, len(prices.prices)) for prices in found] == [("SEK", 96)] * 3 + [("SEK", 0)]
        assert found[0].prices[0] == Price(at("2026-11-17T23:00Z"), at("2026-11-17T23:15Z"), Decimal("0.04512"))
        assert [asked["date"] for asked in market.asked] == ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]
        with pytest.raises(Unavailable, match="no price of area SE9; there are SE3, SE4"):
            await first(FEEDS["nord_pool"], market, area="SE9", days_back=1)


def octopus(request: web.Request) -> Any:
    newest = [
        {"value_exc_vat": -2.1, "value_inc_vat": -2.205, "valid_from": "2026-11-20T13:00:00Z", "valid_to": None, "payment_method": "DIRECT_DEBIT"},
        {"value_exc_vat": 9, "value_inc_vat": 9.45, "valid_from": "2026-11-20T13:00:00Z", "valid_to": None, "payment_method": "NON_DIRECT_DEBIT"},
        {"value_exc_vat": 17.5, "value_inc_vat": 18.375, "valid_from": "2026-11-20T12:30:00Z", "valid_to": "2026-11-20T13:00:00Z"},
        {"value_exc_vat": 22.722000000000003, "value_inc_vat": 24, "valid_from": "2026-11-20T12:00:00Z", "valid_to": "2026-11-20T12:30:00Z"},
    ]
    page = int(request.query["page"])
    results = newest[:2] if page == 1 else newest[2:]
    return {"count": 4, "next": "http://elsewhere.example/page" if page == 1 else None, "previous": None, "results": results}


async def test_octopus_has_pages_pence_and_rates_without_an_end() -> None:
    async with Market(octopus) as market:
        [prices] = await first(FEEDS["octopus"], market, product="AGILE-24-10-01", region="C")
        assert prices == Prices("GBP", (
            Price(at("2026-11-20T12:00Z"), at("2026-11-20T12:30Z"), Decimal("0.22722")),
            Price(at("2026-11-20T12:30Z"), at("2026-11-20T13:00Z"), Decimal("0.175")),
            Price(at("2026-11-20T13:00Z"), at("2026-11-23T00:00Z"), Decimal("-0.021")),
        ))  # fmt: skip
        assert market.asked[0]["path"].endswith("/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/")
        [prices] = await first(FEEDS["octopus"], market, product="AGILE-24-10-01", region="C", vat=True)
        assert prices.prices[1].per_kwh == Decimal("0.18375")


def tibber(today: list[dict[str, Any]], tomorrow: list[dict[str, Any]] | None = None) -> Any:
    info = {"today": today, "tomorrow": tomorrow or []}
    homes = [{"id": "old", "currentSubscription": None}, {"id": "h1", "currentSubscription": {"priceInfo": info}}]
    return {"data": {"viewer": {"homes": homes}}}


async def test_tibber_tells_starts_only_and_needs_a_token() -> None:
    today = [{"total": total, "startsAt": f"2026-11-20T{n // 4:02}:{n % 4 * 15:02}:00.000+01:00", "currency": "NOK"}
             for n, total in enumerate((0.4512, 1.2, -0.01))]  # fmt: skip
    async with Market(lambda request: tibber(today)) as market:
        [prices] = await first(FEEDS["tibber"], market, token="secret")
        assert (prices.currency, [price.per_kwh for price in prices.prices]) == ("NOK", [Decimal("0.4512"), Decimal("1.2"), Decimal("-0.01")])
        assert prices.prices[-1].end == at("2026-11-19T23:45Z")
        assert market.headers[0]["Authorization"] == "Bearer secret"
        with pytest.raises(Unsupported, match="with a contract: h1"):
            await first(FEEDS["tibber"], market, token="secret", home="h2")
        market.answer = lambda request: {"data": None, "errors": [{"message": "invalid token", "extensions": {"code": "UNAUTHENTICATED"}}]}
        with pytest.raises(Refused, match="invalid token"):
            await first(FEEDS["tibber"], market, token="wrong")
    assert "days_back" not in {str(key) for key in FEEDS["tibber"].schema}


def series(points: dict[int, str], rank: int | None = None, start: str = "2026-11-19T23:00Z", end: str = "2026-11-20T03:00Z",
           resolution: str = "PT60M", unit: str = "MWH", currency: str = "EUR") -> str:  # fmt: skip
    order = f"<classificationSequence_AttributeInstanceComponent.position>{rank}</classificationSequence_AttributeInstanceComponent.position>"
    written = "".join(f"<Point><position>{n}</position><price.amount>{amount}</price.amount></Point>" for n, amount in points.items())
    return (f"<TimeSeries>{order if rank is not None else ''}<currency_Unit.name>{currency}</currency_Unit.name>"
            f"<price_Measure_Unit.name>{unit}</price_Measure_Unit.name><curveType>A03</curveType><Period><timeInterval><start>{start}</start>"
            f"<end>{end}</end></timeInterval><resolution>{resolution}</resolution>{written}</Period></TimeSeries>")  # fmt: skip


def document(*inner: str, before: str = "") -> bytes:
    return (f'<?xml version="1.0" encoding="UTF-8"?>{before}<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
            f"<mRID>1</mRID>{''.join(inner)}</Publication_MarketDocument>").encode()  # fmt: skip


def amounts(raw: bytes) -> list[str]:
    return [f"{price.per_kwh * 1000:f}".rstrip("0").rstrip(".") for price in entsoe.prices(raw).prices]


def test_entsoe_repeats_what_is_left_out_and_prefers_the_first_sequence() -> None:
    assert amounts(document(series({1: "10", 3: "-5.5"}))) == ["10", "10", "-5.5", "-5.5"]
    assert amounts(document(series({1: "1", 2: "2"}, 2), series({1: "3"}, 1))) == ["3"] * 4
    assert amounts(document(series({1: "3"}, 1), series({1: "1"}, 2))) == ["3"] * 4
    assert amounts(document(series({1: "1"}), series({1: "2"}))) == ["2"] * 4, "published again: the last one counts"
    spring = document(series({1: "7"}, start="2026-03-28T23:00Z", end="2026-03-29T22:00Z", resolution="PT15M"))
    assert len(amounts(spring)) == 92


@pytest.mark.parametrize(("raw", "reason"), [
    (document(series({5: "1"})), "beyond the 4 positions"),
    (document(series({1: "ten"})), "a price of 'ten'"),
    (document(series({1: "1"}, unit="KWH")), "prices per KWH"),
    (document(series({1: "1"}, resolution="P1M")), "resolution P1M"),
    (document(series({1: "1"}, end="2026-11-20T03:00")), "without a zone"),
    (document(series({1: "1"}), series({1: "1"}, start="2026-11-20T00:00Z", end="2026-11-21T00:00Z", currency="CHF")), "CHF and EUR"),
    (document(series({1: "1"}), series({1: "1"}, start="2026-11-20T00:00Z", end="2026-11-20T02:00Z", resolution="PT15M")), "two prices"),
    (document(series({1: "1"}, start="0001-01-01T00:00Z", end="9999-01-01T00:00Z", resolution="PT1M")), "beyond"),
    (document(before='<!DOCTYPE x [<!ENTITY a "aaaa">]>'), "DOCTYPE"),
    (b"<a>" * 30, "20 levels"),
    (b"not xml", "no XML"),
    (b"<html/>", "a html"),
])  # fmt: skip
def test_entsoe_refuses(raw: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        entsoe.prices(raw)


async def test_entsoe_says_that_it_has_nothing_yet() -> None:
    nothing = b"<Acknowledgement_MarketDocument><Reason><code>999</code><text>No matching data found</text></Reason></Acknowledgement_MarketDocument>"
    async with Market(lambda request: nothing) as market:
        assert await first(FEEDS["entsoe"], market, token="t", area="10Y1001A1001A82H") == [Prices("EUR", ())]
        assert market.asked[0] == {"path": "/api", "securityToken": "t", "documentType": "A44", "in_Domain": "10Y1001A1001A82H",
                                   "out_Domain": "10Y1001A1001A82H", "periodStart": "202611130000", "periodEnd": "202611230000"}  # fmt: skip


def test_plain_xml_is_read_without_its_namespaces() -> None:
    assert tree(b'<a xmlns="u"><b>1</b></a>').findtext("b") == "1"


async def test_in_a_house_a_feed_is_heard_down_and_back() -> None:
    heard: list[PricesHeard] = []
    async with Market(awattar(85.1)) as market, Street() as street:
        street.hub.bus.subscribe(PricesHeard, heard.append)
        await street.run(FEEDS["awattar"], spot={"url": market.url, "every": 0.1})
        await until(lambda: len(heard) > 1)
        assert (heard[0].series, heard[0].source, len(heard[0].prices.prices)) == ("spot", "awattar:spot", 1)
        assert street.infos()[None] == DeviceInfo(kind="price_feed", quiet_s=600.3)
        assert "spot" in street.registry.heard_of
        assert market.asked[0]["start"] < market.asked[1]["start"], "days back only once"
        market.fail_with = 429
        await until(lambda: street.offline)
        assert "429" in (street.offline[0] or "")


async def test_nonsense_is_unavailable_and_asked_again() -> None:
    for answer in ({"data": [{"start_timestamp": 1}]}, b"<html>", {"data": "x"}):
        async with Market(lambda request, answer=answer: answer) as market:
            with pytest.raises(Unavailable, match="something other than prices"):
                await first(FEEDS["awattar"], market)


async def test_who_needs_no_token_is_asked_again_when_it_refuses() -> None:
    async with Market(awattar(1)) as market:
        market.fail_with = 403
        with pytest.raises(Unavailable):
            await first(FEEDS["awattar"], market)
        with pytest.raises(Refused):
            await first(FEEDS["entsoe"], market, token="wrong", area="x")
