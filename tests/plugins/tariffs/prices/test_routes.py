"""`/prices` on both engines, and what feeds give on its way into the book."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import PricesHeard
from ohmstead.core.model import Person, Price, Prices
from ohmstead.core.route import Call, Reply
from ohmstead.core.supervise import Task
from ohmstead.plugins.tariffs.prices.listener import WAITING, Listener
from ohmstead.plugins.tariffs.prices.routes import Import, PriceRoutes
from ohmstead.web.intake import Intake
from tests.fakes.price_shelf import Shelf

START = datetime.fromisoformat("2026-11-20T00:00:00+00:00")
OWNER = Person("owner", frozenset({"*"}))


async def ask(shelf: Shelf, method: str, path: str, body: Any = None, series: str = "spot", **query: Any) -> Reply:
    route = next(r for r in PriceRoutes(shelf.book, shelf.clock).all() if (r.method, r.path) == (method, path))
    intake = Intake(route)
    call = Call(OWNER, {"series": series}, intake.query({k: str(v) for k, v in query.items()}))
    if route.body is not None:
        call.body = intake.body(msgspec.json.encode(body))
    answer = await route.handler(call)
    return answer if isinstance(answer, Reply) else Reply(answer)


def body(*prices: Any, start: datetime = START, **more: Any) -> dict[str, Any]:
    rows = [{"start": (start + timedelta(hours=n)).isoformat(), "price": price} for n, price in enumerate(prices)]
    return {"currency": "EUR", "prices": rows, "source": "own.csv", **more}


async def test_own_prices_in_and_out(shelf: Shelf) -> None:
    tried = await ask(shelf, "POST", "/prices/{series}/imports", body("0.25", 0.2, -1, dry_run=True))
    assert (tried.status, tried.data["number"], tried.data["count"]) == (200, None, 3)
    made = await ask(shelf, "POST", "/prices/{series}/imports", body("0.25", 0.2, -1))
    assert made.status == 201
    assert made.data == {"number": 1, "series": "spot", "source": "own.csv by owner", "recorded": iso(shelf.clock.now_ms()),
                         "start": "2026-11-20T00:00:00Z", "end": "2026-11-20T03:00:00Z", "count": 3}  # fmt: skip
    again = await ask(shelf, "POST", "/prices/{series}/imports", body("0.25", 0.2, -1))
    assert (again.status, again.data["count"]) == (200, 0)
    assert (await ask(shelf, "GET", "/prices")).data == [{"id": "spot", "currency": "EUR", "unit": "kWh"}]
    assert (await ask(shelf, "GET", "/prices/{series}/imports")).data == [made.data]
    page = await ask(shelf, "GET", "/prices/{series}", start="2026-11-20T00:30:00Z", end="2026-11-20T02:30:00Z", limit=2)
    assert page.data == [{"start": "2026-11-20T00:30:00Z", "end": "2026-11-20T01:00:00Z", "price": "0.25", "import": 1},
                         {"start": "2026-11-20T01:00:00Z", "end": "2026-11-20T02:00:00Z", "price": "0.2", "import": 1}]  # fmt: skip
    rest = await ask(shelf, "GET", "/prices/{series}", start="2026-11-20T00:30:00Z", end="2026-11-20T02:30:00Z", limit=2, cursor=page.next_cursor)
    assert (rest.data, rest.next_cursor) == ([{"start": "2026-11-20T02:00:00Z", "end": "2026-11-20T02:30:00Z", "price": "-1", "import": 1}], None)
    known = await ask(shelf, "GET", "/prices/{series}", start="2026-11-20T00:00:00Z", known_at="2026-01-01T00:00:00Z")
    assert known.data == []


async def test_what_is_refused(shelf: Shelf) -> None:
    with pytest.raises(Invalid) as refusal:
        await ask(shelf, "POST", "/prices/{series}/imports", {"currency": "euro", "prices": [], "unit": "cent"}, series="not ok")
    assert [each["path"] for each in refusal.value.details] == ["series", "unit", "prices", "currency"]
    with pytest.raises(NotFound):
        await ask(shelf, "GET", "/prices/{series}")
    with pytest.raises(NotFound):
        await ask(shelf, "GET", "/prices/{series}/imports")
    await ask(shelf, "POST", "/prices/{series}/imports", body(1, 2))
    with pytest.raises(Conflict, match="in EUR"):
        await ask(shelf, "POST", "/prices/{series}/imports", body(1, 2, currency="SEK"))
    with pytest.raises(Invalid, match="before end"):
        await ask(shelf, "GET", "/prices/{series}", start="2026-11-20T00:30:00Z", end="2026-11-20T00:30:00Z")
    assert Import.__struct_fields__


def heard(series: str, cents: int, currency: str = "EUR") -> PricesHeard:
    price = Price(START, START + timedelta(hours=1), Decimal(cents) / 100)
    return PricesHeard(series, Prices(currency, (price,)), f"awattar:{series}")


async def test_what_feeds_give_is_kept(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(shelf.book)
    listener.listen(shelf.bus)
    task = Task("prices", listener.work, shelf.clock)
    task.start()
    try:
        for event in (heard("a", 10), heard("a", 10), heard("a", 10, "SEK"), heard("a", 11, "SEK"), heard("b", 20)):
            shelf.bus.publish(event)
        shelf.bus.publish(PricesHeard("c", Prices("EUR", ()), "awattar:c"))
        async with asyncio.timeout(5):
            while [each.id for each in await shelf.book.series()] != ["a", "b"]:
                await asyncio.sleep(0.01)
    finally:
        await task.stop()
    assert len(await shelf.book.imports("a", None, 10)) == 1
    assert caplog.text.count("not taken in") == 1, "said once"


async def test_the_queue_is_bounded(shelf: Shelf) -> None:
    listener = Listener(shelf.book)
    listener.listen(shelf.bus)
    for _ in range(WAITING + 10):
        shelf.bus.publish(heard("a", 10))
    assert len(listener._heard) == WAITING
