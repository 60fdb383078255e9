"""History as it is asked for: spans, resolutions, zones, pages, and questions that are none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.clock import ManualClock, to_ms
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.plugins.devices.configured import Configured, apply
from tests.fakes.registered_house import RegisteredHouse

DAY = 86_400_000
START = to_ms(datetime(2026, 10, 24, tzinfo=UTC))
PATH = "/devices/meter/energy/readings"


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[RegisteredHouse]:
    async with RegisteredHouse(storage_url, tmp_path, ManualClock(datetime(2026, 11, 5, tzinfo=UTC))) as house:
        await apply(house.devices, Configured(home={"time_zone": "Europe/Berlin"}))
        yield house


async def fill(house: RegisteredHouse, device: str = "meter", quantity: str = "power", count: int = 288, every_ms: int = 600_000) -> None:
    """Two days of readings, value = number."""
    batch = house.ingest.batch("test", "test", live=False)
    feed = batch.feed(device)
    for number in range(count):
        assert batch.add(feed, quantity, float(number), START + number * every_ms) is None
    await house.ingest.store(batch)


SPAN = {"start": "2026-10-24T00:00:00Z", "end": "2026-10-26T00:00:00Z"}


async def test_raw_in_pages(house: RegisteredHouse) -> None:
    await fill(house)
    found = await house.walk(PATH, **SPAN, limit=100)
    assert [reading["value"] for reading in found] == [float(number) for number in range(288)]
    assert found[1] == {"at": "2026-10-24T00:10:00Z", "value": 1.0}
    assert (await house.ask("GET", PATH, **SPAN, limit=288)).next_cursor is None


async def test_days_are_those_of_the_devices_zone_unless_another_is_named(house: RegisteredHouse) -> None:
    await fill(house, count=432)
    await house.history.roll_up()
    asked = {"start": "2026-10-24T22:00:00Z", "end": "2026-10-25T23:00:00Z", "resolution": "1d"}
    [day] = await house.get(PATH, **asked)
    assert (day["start"], day["count"]) == ("2026-10-24T22:00:00Z", 150)  # the night that is an hour longer
    assert day == {"start": day["start"], "min": 132.0, "mean": 206.5, "max": 281.0, "first": None, "last": 281.0, "count": 150}
    assert [d["start"] for d in await house.get(PATH, **asked, tz="UTC")] == ["2026-10-24T00:00:00Z", "2026-10-25T00:00:00Z"]
    await house.ask("POST", "/locations", {"id": "far", "time_zone": "Asia/Kathmandu"})
    await house.ask("POST", "/devices", {"id": "other", "location": "far"})
    await fill(house, "other")
    [first, *_] = await house.get("/devices/other/energy/readings", **SPAN, resolution="1d")
    assert first["start"] == "2026-10-23T18:15:00Z"


async def test_every_resolution_in_pages(house: RegisteredHouse) -> None:
    await fill(house)
    for derived in (False, True):
        if derived:
            await house.history.roll_up()
        for resolution, count in (("1m", 288), ("5m", 288), ("1h", 48), ("1d", 3)):
            found = await house.walk(PATH, **SPAN, resolution=resolution, limit=11)
            assert len(found) == count
            assert sum(bucket["count"] for bucket in found) == 288


async def test_counters_give_first_and_last(house: RegisteredHouse) -> None:
    await fill(house, quantity="energy_import")
    [day, *_] = await house.get(PATH, **SPAN, quantity="energy_import", resolution="1d", tz="UTC")
    assert (day["first"], day["last"], day["count"]) == (0.0, 143.0, 144)


async def test_deltas_have_both_ends_and_stay_together(house: RegisteredHouse) -> None:
    for number in range(6):
        end = START + (number // 2 + 1) * 900_000
        await house.store("meter", "energy", 0.5 + number, end, end - 900_000 * (1 + number % 2))
    found = await house.walk(PATH, **SPAN, quantity="energy", limit=3)
    assert len(found) == 6
    assert found[0] == {"start": "2026-10-23T23:45:00Z", "at": "2026-10-24T00:15:00Z", "value": 1.5}


async def test_texts_are_read_raw(house: RegisteredHouse) -> None:
    await house.store("meter", "switch", "on", START)
    assert await house.get(PATH, **SPAN, quantity="switch") == [{"at": "2026-10-24T00:00:00Z", "value": "on"}]
    with pytest.raises(Invalid, match="texts are read raw"):
        await house.get(PATH, **SPAN, quantity="switch", resolution="1h")


async def test_without_a_span_it_is_the_last_day(house: RegisteredHouse) -> None:
    now = house.clock.now_ms()
    for age in (2 * DAY, DAY // 2, 0):
        await house.store("meter", "power", 1.0, now - age)
    assert len(await house.get(PATH)) == 2


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"start": "2026-10-24T00:00:00"}, "start"),
        ({"end": "yesterday"}, "end"),
        ({"start": "2026-10-24T00:00:00 01:00"}, "start"),
        ({"start": "9999-12-31T23:59:59-23:59"}, "start"),
        ({"start": "2026-10-26T00:00:00Z", "end": "2026-10-24T00:00:00Z"}, "start"),
        ({"resolution": "2h"}, "resolution"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"limit": "5001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"cursor": "drop table"}, "cursor"),
        ({"cursor": "9" * 30}, "cursor"),
        ({"quantity": "powr"}, "quantity"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bad_questions_name_the_place(house: RegisteredHouse, asked: dict[str, Any], path: str) -> None:
    await house.store("meter", "power", 1.0)
    with pytest.raises(Invalid) as caught:
        await house.get(PATH, **asked)
    assert [problem["path"] for problem in caught.value.details] == [path]


@pytest.mark.parametrize("resolution", ["raw", "1m", "5m", "1h", "1d"])
async def test_from_the_first_day_of_all_calendars_to_the_last(house: RegisteredHouse, resolution: str) -> None:
    await house.store("meter", "power", 1.0)
    for zone in ("America/New_York", "Pacific/Kiritimati"):
        asked = {"start": "0001-01-01T00:00:00+14:00", "end": "9999-12-31T23:59:59-14:00", "resolution": resolution, "tz": zone}
        assert len(await house.get(PATH, **asked)) == 1


async def test_unknown_devices_and_empty_series(house: RegisteredHouse) -> None:
    with pytest.raises(NotFound):
        await house.get("/devices/nobody/energy/readings")
    await house.ask("POST", "/devices", {"id": "new"})
    assert await house.get("/devices/new/energy/readings") == []


async def test_a_query_over_several_series(house: RegisteredHouse) -> None:
    await fill(house)
    await fill(house, "plug", "voltage", 10)
    body = {"series": ["meter.power", "plug.voltage", "plug.current"], **SPAN, "interval": "1h", "aggregate": "max"}
    meter, plug, nothing = (await house.ask("POST", "/query", body)).data
    assert (meter["series"], meter["unit"], len(meter["points"]), meter["next"]) == ("meter.power", "W", 48, None)
    assert meter["points"][1] == {"start": "2026-10-24T01:00:00Z", "value": 11.0}
    assert [point["value"] for point in plug["points"]] == [5.0, 9.0]
    assert (nothing["points"], nothing["unit"]) == ([], None)
    values = {}
    for function in ("mean", "min", "max", "sum", "last", "count"):
        [one] = (await house.ask("POST", "/query", {**body, "series": ["meter.power"], "aggregate": function, "limit": 1})).data
        values[function] = one["points"][0]["value"]
    assert values == {"mean": 2.5, "min": 0.0, "max": 5.0, "sum": 15.0, "last": 5.0, "count": 6}
    assert one["next"] == "2026-10-24T01:00:00Z"
    rest = (await house.ask("POST", "/query", {**body, "series": ["meter.power"], "start": one["next"]})).data[0]
    assert len(rest["points"]) == 47


@pytest.mark.parametrize(
    "change",
    [
        {"series": []},
        {"series": ["power"]},
        {"series": ["meter.power; DROP TABLE readings"]},
        {"series": ["a.power"] * 51},
        {"series": "meter.power"},
        {"interval": "raw"},
        {"aggregate": "median"},
        {"start": "2026-10-24T00:00:00"},
        {"start": 5},
        {"sql": "SELECT 1"},
        {"series": ["meter.switch"]},
    ],
)
async def test_bad_queries(house: RegisteredHouse, change: dict[str, Any]) -> None:
    await house.store("meter", "power", 1.0)
    await house.store("meter", "switch", "on")
    with pytest.raises(Invalid):
        await house.ask("POST", "/query", {"series": ["meter.power"], **SPAN, "interval": "1h", **change})
    with pytest.raises(NotFound):
        await house.ask("POST", "/query", {"series": ["nobody.power"], **SPAN, "interval": "1h"})
