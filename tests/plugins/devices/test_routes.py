"""`/devices`: what may be asked, what is answered, what is refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.model import DeviceInfo
from ohmstead.plugins.devices.configured import Configured, apply
from tests.fakes.registered_house import RegisteredHouse

YAML = {"meter": {"name": "Main meter", "kind": "meter", "offline_after": 30.0, "tags": ["grid"], "ranges": {"power": (0.0, 9000.0)}}}


async def test_making_reading_changing_removing(house: RegisteredHouse) -> None:
    made = (await house.ask("POST", "/devices", {"id": "plug", "kind": "plug", "tags": ["kitchen"], "metadata": {"shelf": {"row": 2}}})).data
    del made["secret"]
    assert await house.get("/devices/plug") == made
    assert made == {
        "id": "plug", "name": "plug", "kind": "plug", "location": "home", "manufacturer": None, "model": None, "firmware": None,
        "serial": None, "via": None, "tags": ["kitchen"], "metadata": {"shelf": {"row": 2}}, "ranges": {}, "offline_after_s": 120.0,
        "origin": "api", "created": made["created"], "status": "unknown", "last_seen": None,
    }  # fmt: skip
    await house.ask("POST", "/devices", {"id": "hub"})
    changed = (await house.ask("PUT", "/devices/plug", {"name": "Kettle", "via": "hub", "ranges": {"power": [0, 3000]}})).data
    assert (changed["name"], changed["via"], changed["ranges"], changed["kind"]) == ("Kettle", "hub", {"power": [0.0, 3000.0]}, "plug")
    assert (await house.ask("DELETE", "/devices/plug")).data == {"id": "plug", "removed": True}
    with pytest.raises(NotFound):
        await house.get("/devices/plug")


async def test_the_yaml_defines_devices_that_the_api_cannot_change(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    await house.store("meter", "power", 1.0)  # it made itself first
    await apply(house.devices, Configured(devices=YAML, integrations=frozenset({"plug"})))
    shown = await house.get("/devices/meter")
    assert (shown["name"], shown["offline_after_s"], shown["origin"]) == ("Main meter", 30.0, "yaml")
    assert (await house.get("/devices/plug"))["origin"] == "yaml"
    for method, body in (("PUT", {"name": "x"}), ("DELETE", None)):
        with pytest.raises(Conflict, match="defined in the configuration file"):
            await house.ask(method, "/devices/meter", body)
    with pytest.raises(Conflict, match="exists already"):
        await house.ask("POST", "/devices", {"id": "meter"})
    assert (await house.ask("PUT", "/devices/meter", {"status": "maintenance"})).data["status"] == "maintenance"
    house.devices.announce(DeviceInfo(model="EM24", name="covered by the YAML"), "meter")
    await apply(house.devices, Configured(devices=YAML))
    assert (await house.get("/devices/meter"))["model"] == "EM24"
    assert [device["id"] for device in await house.get("/devices")] == ["meter"]
    async with RegisteredHouse(storage_url, tmp_path) as other:
        again = await other.get("/devices/meter")
        assert (again["model"], again["name"], again["status"]) == ("EM24", "Main meter", "maintenance")
    await apply(house.devices, Configured())
    assert await house.get("/devices") == []


async def test_a_reload_that_changes_nothing_writes_nothing(house: RegisteredHouse) -> None:
    await apply(house.devices, Configured(devices=YAML))
    entry, device = house.devices.entry("meter"), house.devices.entry("meter").device
    await apply(house.devices, Configured(devices=YAML))
    assert house.devices.entry("meter") is entry
    assert entry.device is device


async def test_filters_and_pages(house: RegisteredHouse) -> None:
    for number in range(25):
        body = {"id": f"d{number:02}", "kind": "plug" if number % 2 else "meter", "tags": ["a", "b"] if number % 5 == 0 else ["a"]}
        await house.ask("POST", "/devices", body)
    await house.store("d07", "power", 1.0)
    everything = [f"d{number:02}" for number in range(25)]
    assert [device["id"] for device in await house.walk("/devices", limit=7)] == everything
    assert [device["id"] for device in await house.walk("/devices", limit=25)] == everything
    assert (await house.ask("GET", "/devices", limit=25)).next_cursor is None
    assert len(await house.walk("/devices", kind="plug", limit=5)) == 12
    assert [device["id"] for device in await house.get("/devices", tags="b, a")] == ["d00", "d05", "d10", "d15", "d20"]
    assert [device["id"] for device in await house.get("/devices", status="online")] == ["d07"]
    for wrong in ({"status": "asleep"}, {"limit": 0}, {"limit": "many"}, {"colour": "red"}):
        with pytest.raises(Invalid):
            await house.get("/devices", **wrong)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "x", "name": "n" * 201}, "name"),
        ({"id": "x", "offline_after_s": float("nan")}, "offline_after_s"),
        ({"id": "x", "offline_after_s": 0}, "offline_after_s"),
        ({"id": "x", "ranges": {"powr": [0, 1]}}, "ranges.powr"),
        ({"id": "x", "ranges": {"power": [1, 0]}}, "ranges.power"),
        ({"id": "x", "ranges": {"power": 5}}, "ranges.power"),
        ({"id": "x", "ranges": {"switch": [0, 1]}}, "ranges.switch"),
        ({"id": "x", "ranges": []}, "ranges"),
        ({"id": "x", "metadata": {"a": "b" * 20_000}}, "metadata"),
        ({"id": "x", "metadata": [1]}, "metadata"),
        ({"id": "x", "metadata": {1: 2}}, "metadata"),
        ({"id": "x", "secret": "mine"}, "secret"),
        ({"id": "x", "location": "nowhere"}, "location"),
        ({"id": "x", "via": "nobody"}, "via"),
        ({"id": "x", "via": "x"}, "via"),
        ("text", ""),
    ],
)
async def test_bad_bodies_name_the_place(house: RegisteredHouse, body: Any, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        await house.ask("POST", "/devices", body)
    assert [problem["path"] for problem in caught.value.details] == [path]
    assert await house.get("/devices") == []


async def test_a_refused_change_changes_nothing(house: RegisteredHouse) -> None:
    await house.ask("POST", "/devices", {"id": "plug"})
    with pytest.raises(Conflict, match="it can be set to"):
        await house.ask("PUT", "/devices/plug", {"name": "x", "status": "online"})
    assert (await house.get("/devices/plug"))["name"] == "plug"


async def test_the_status_history_in_pages(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 1.0)
    for word in ("maintenance", "online") * 5:
        await house.ask("PUT", "/devices/plug", {"status": word, "reason": f"to {word}"})
    lines = await house.walk("/devices/plug/status-history", limit=4)
    assert [line["status"] for line in lines] == ["online", "maintenance"] * 5 + ["online"]
    assert lines[0] == {"at": lines[0]["at"], "old": "maintenance", "status": "online", "reason": "to online", "code": None}
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert times == sorted(times, reverse=True)
    for wrong in ("x", "--5", "9" * 20):
        with pytest.raises(Invalid):
            await house.get("/devices/plug/status-history", cursor=wrong)
    with pytest.raises(NotFound):
        await house.get("/devices/nobody/status-history")
    assert await house.get("/devices/plug/status-history", cursor="1") == []


async def test_every_route_says_what_it_is(house: RegisteredHouse) -> None:
    for route in house._routes:
        assert route.summary
        assert route.scope in ("read", "write", "admin", "ingest")
        for schema in (route.query, route.body):
            for key in schema or {}:
                assert key.description, f"{route.method} {route.path}: {key}"
