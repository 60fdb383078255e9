"""`/tariffs` on both engines: made, superseded, removed, found again after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Reply
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.prices.timeline import Span
from ohmstead.plugins.tariffs.records import TariffRecords
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.routes import TariffRoutes
from ohmstead.web.intake import Intake
from tests.fakes.price_shelf import Shelf, price_shelf

OWNER = Person("owner", frozenset({"*"}))
FLAT = {"type": "flat", "name": "energy", "price": "0.25"}
BODY = {"id": "home", "name": "Home", "currency": "EUR", "versions": [{"from": "2026-01-01", "components": [FLAT]}]}


@pytest.fixture
async def shelf(storage_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with price_shelf(storage_url, tmp_path / "data") as shelf:
        yield shelf


class Desk:
    """The tariffs of a house and their operations."""

    def __init__(self, shelf: Shelf) -> None:
        self.tariffs = Tariffs()
        for kind in KINDS:
            self.tariffs.add_kind(kind.KIND)
        self.records = TariffRecords(self.tariffs, shelf.storage, shelf.clock)
        self.routes = TariffRoutes(self.tariffs, self.records, shelf.clock, shelf.book, lambda: "Europe/Berlin").all()

    async def ask(self, method: str, path: str, body: Any = None, id: str = "", **query: Any) -> Reply:  # noqa: A002
        route = next(each for each in self.routes if (each.method, each.path) == (method, path))
        intake = Intake(route)
        call = Call(OWNER, {"id": id}, intake.query({key: str(value) for key, value in query.items()}))
        if route.body is not None:
            call.body = intake.body(msgspec.json.encode(body))
        answer = await route.handler(call)
        return answer if isinstance(answer, Reply) else Reply(answer)


async def test_made_superseded_and_found_again(shelf: Shelf) -> None:
    desk, now = Desk(shelf), iso(shelf.clock.now_ms())
    made = await desk.ask("POST", "/tariffs", BODY)
    assert made.status == 201
    assert made.data["versions"] == [{"recorded": now, **BODY["versions"][0]}], "as it was written"
    assert (made.data["origin"], made.data["current"]) == ("api", "2026-01-01")
    shelf.clock.set(shelf.clock.now_ms() + 1000)
    dearer = {"from": "2026-01-01", "components": [{**FLAT, "price": 0.3}]}
    again = await desk.ask("POST", "/tariffs/{id}/versions", dearer, "home")
    assert [each["components"][0]["price"] for each in again.data["versions"]] == ["0.25", 0.3]
    fresh = Desk(shelf)
    await fresh.records.open()
    assert (await fresh.ask("GET", "/tariffs/{id}", id="home")).data == again.data
    assert [each.options for each in fresh.tariffs.get("home").versions] == [each.options for each in desk.tariffs.get("home").versions]
    assert [each["id"] for each in (await fresh.ask("GET", "/tariffs")).data] == ["home"]


async def test_removed_and_made_anew(shelf: Shelf) -> None:
    desk = Desk(shelf)
    await desk.ask("POST", "/tariffs", BODY)
    desk.records.guards.append(_needed)
    with pytest.raises(Conflict, match="contract grid"):
        await desk.ask("DELETE", "/tariffs/{id}", id="home")
    desk.records.guards.clear()
    await desk.ask("DELETE", "/tariffs/{id}", id="home")
    with pytest.raises(NotFound):
        await desk.ask("GET", "/tariffs/{id}", id="home")
    fresh = Desk(shelf)
    await fresh.records.open()
    assert list(fresh.tariffs) == []
    await fresh.ask("POST", "/tariffs", {**BODY, "name": "Again"})
    last = Desk(shelf)
    await last.records.open()
    shown = (await last.ask("GET", "/tariffs/{id}", id="home")).data
    assert (shown["name"], len(shown["versions"])) == ("Again", 1)


def _needed(tariff: str) -> None:
    raise Conflict(f"contract grid needs {tariff}")


async def test_what_is_refused(shelf: Shelf) -> None:
    desk = Desk(shelf)
    with pytest.raises(Invalid) as refusal:
        await desk.ask("POST", "/tariffs", {**BODY, "versions": [{"from": "2026-01-01", "components": [{**FLAT, "price": "0,25"}]}]})
    assert "comma" in refusal.value.details[0]["message"]
    await desk.ask("POST", "/tariffs", BODY)
    with pytest.raises(Conflict, match="exists already"):
        await desk.ask("POST", "/tariffs", BODY)
    with pytest.raises(Invalid, match="not right"):
        await desk.ask("POST", "/tariffs/{id}/versions", {"from": "2026-01-01", "recorded": iso(shelf.clock.now_ms()), "components": [FLAT]}, "home")
    with pytest.raises(NotFound):
        await desk.ask("POST", "/tariffs/{id}/versions", BODY["versions"][0], "other")
    yaml = {key: value for key, value in BODY.items() if key != "id"}
    assert [keys for keys, _ in desk.tariffs.problems({"tariffs": {"home": yaml, "other": yaml}})] == [("home",)]
    await desk.tariffs.apply({"grid": desk.tariffs.check(yaml)})
    for method, path, body in (("POST", "/tariffs/{id}/versions", BODY["versions"][0]), ("DELETE", "/tariffs/{id}", None)):
        with pytest.raises(Conflict, match="defined in the configuration"):
            await desk.ask(method, path, body, "grid")
    shown = (await desk.ask("GET", "/tariffs/{id}", id="grid")).data
    assert shown["versions"][0]["from"] == "2026-01-01"
    assert shown["versions"][0]["components"][0]["price"] == "0.25"
    assert len((await desk.ask("GET", "/tariffs", limit=1)).data) == 1


async def test_the_price_now_and_ahead(shelf: Shelf) -> None:
    desk = Desk(shelf)
    windows = [{"name": "peak", "price": "0.25", "days": "weekdays", "hours": "9-21"}, {"name": "off", "price": "0.15", "days": "weekdays", "hours": "21-9"},
               {"name": "weekend", "price": "0.12", "days": "weekend"}]  # fmt: skip
    spot = {"type": "dynamic", "name": "spot", "series": "epex", "adder": "0.01"}
    await desk.ask("POST", "/tariffs", {**BODY, "versions": [{"from": "2026-01-01", "vat": 20, "components": [{"type": "time_of_use", "windows": windows}]}]})
    await desk.ask("POST", "/tariffs", {"id": "dynamic", "currency": "EUR", "components": [spot]})
    monday = "2026-11-23T08:50:00+01:00"
    now = (await desk.ask("GET", "/tariffs/{id}/price", id="home", at=monday)).data
    assert now == {"tariff": "home", "at": "2026-11-23T07:50:00Z", "price": "0.15", "currency": "EUR", "unit": "kWh", "changes": "2026-11-23T08:00:00Z"}
    assert (await desk.ask("GET", "/tariffs/{id}/price", id="home", at=monday, vat=True)).data["price"] == "0.18"
    ahead = (await desk.ask("GET", "/tariffs/{id}/curve", id="home", start=monday, end="2026-11-23T23:00:00+01:00")).data
    assert [(each["start"], each["price"]) for each in ahead] == [
        ("2026-11-23T07:50:00Z", "0.15"), ("2026-11-23T08:00:00Z", "0.25"), ("2026-11-23T20:00:00Z", "0.15")]  # fmt: skip
    assert ahead[-1]["end"] == "2026-11-23T22:00:00Z"
    quarter = 1_795_420_800_000  # 2026-11-23T08:00:00Z
    await shelf.book.add("epex", "EUR", [Span(quarter, quarter + 3_600_000, -3 * 10**10)], "test")
    found = (await desk.ask("GET", "/tariffs/{id}/curve", id="dynamic", start=monday, end="2026-11-23T11:00:00+01:00")).data
    assert [each["price"] for each in found] == [None, "-0.02", None]
    assert (await desk.ask("GET", "/tariffs/{id}/price", id="dynamic", at=monday)).data["price"] is None
    with pytest.raises(Invalid, match="span"):
        await desk.ask("GET", "/tariffs/{id}/curve", id="home", start=monday, end="2028-11-23T11:00:00+01:00")
