"""Places that nest, and what the YAML defines of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.devices.configured import Configured, apply, problems
from ohmstead.plugins.devices.locations import cycle
from tests.fakes.registered_house import RegisteredHouse

HOME = {"name": "Elm Street", "time_zone": "Europe/Berlin", "latitude": 52.5, "longitude": 13.4}


async def test_home_is_always_there_with_what_the_configuration_says(house: RegisteredHouse) -> None:
    await apply(house.devices, Configured(home=HOME))
    [home] = await house.get("/locations")
    assert home == {
        "id": "home", "name": "Elm Street", "kind": "home", "parent": None, "address": None, "area_m2": None,
        "time_zone": "Europe/Berlin", "latitude": 52.5, "longitude": 13.4, "origin": "yaml",
    }  # fmt: skip
    await house.store("plug", "power", 1.0)
    assert house.devices.zone_of("plug") == "Europe/Berlin"
    assert house.devices.zone_of("nobody") == "Europe/Berlin"


async def test_locations_nest_and_take_over_their_parents_zone(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    await house.ask("POST", "/locations", {"id": "site", "kind": "building", "time_zone": "Asia/Kathmandu", "area_m2": 1200})
    await house.ask("POST", "/locations", {"id": "flat3", "kind": "apartment", "parent": "site", "name": "Flat 3"})
    await house.ask("POST", "/devices", {"id": "meter", "location": "flat3"})
    assert house.devices.zone_of("meter") == "Asia/Kathmandu"
    assert [device["id"] for device in await house.get("/locations/site/devices")] == ["meter"]
    assert [device["id"] for device in await house.get("/devices", location="site")] == ["meter"]
    assert await house.get("/devices", location="home") == []
    async with RegisteredHouse(storage_url, tmp_path) as other:
        assert other.devices.zone_of("meter") == "Asia/Kathmandu"


async def test_a_cycle_is_refused(house: RegisteredHouse) -> None:
    await house.ask("POST", "/locations", {"id": "a"})
    await house.ask("POST", "/locations", {"id": "b", "parent": "a"})
    await house.ask("POST", "/locations", {"id": "c", "parent": "b"})
    for parent in ("c", "b", "a"):
        with pytest.raises(Invalid, match="lies within"):
            await house.ask("PUT", "/locations/a", {"parent": parent})
    assert (await house.get("/locations/a"))["parent"] is None
    assert cycle({"a": "b", "b": "c", "c": "a"}) == ["a", "b", "c", "a"]
    assert cycle({"a": "b", "b": None}) is None


async def test_bad_ones_are_refused(house: RegisteredHouse) -> None:
    with pytest.raises(Invalid, match="there is no location 'nowhere'"):
        await house.ask("POST", "/locations", {"id": "a", "parent": "nowhere"})
    with pytest.raises(Invalid) as caught:
        await house.ask("POST", "/locations", {"id": "a", "time_zone": "Mars/Olympus", "latitude": 91, "kind": "bulding", "colour": "red"})
    said = {problem["path"]: problem["message"] for problem in caught.value.details}
    assert said.keys() == {"time_zone", "latitude", "kind", "colour"}
    assert said["time_zone"] == "expected a time zone such as Europe/Berlin"
    with pytest.raises(NotFound):
        await house.get("/locations/nowhere")
    with pytest.raises(NotFound):
        await house.ask("DELETE", "/locations/nowhere")


async def test_one_that_holds_something_is_not_removed(house: RegisteredHouse) -> None:
    await house.ask("POST", "/locations", {"id": "a"})
    await house.ask("POST", "/devices", {"id": "plug", "location": "a"})
    with pytest.raises(Conflict, match="still holds plug"):
        await house.ask("DELETE", "/locations/a")
    await house.ask("PUT", "/devices/plug", {"location": "home"})
    await house.ask("DELETE", "/locations/a")
    assert [place["id"] for place in await house.get("/locations")] == ["home"]


async def test_what_the_yaml_defines_is_read_only(house: RegisteredHouse) -> None:
    await apply(house.devices, Configured(locations={"shed": {"name": "Shed"}}))
    for method, path, body in (("PUT", "/locations/shed", {"name": "x"}), ("DELETE", "/locations/shed", None), ("PUT", "/locations/home", {})):
        with pytest.raises(Conflict, match="defined in the configuration file"):
            await house.ask(method, path, body)
    with pytest.raises(Conflict, match="exists already"):
        await house.ask("POST", "/locations", {"id": "shed"})


async def test_one_that_leaves_the_yaml_stays_while_something_is_in_it(house: RegisteredHouse) -> None:
    await apply(house.devices, Configured(locations={"shed": {}, "attic": {}}))
    await house.ask("POST", "/devices", {"id": "plug", "location": "shed"})
    await apply(house.devices, Configured())
    assert [(place["id"], place["origin"]) for place in await house.get("/locations")] == [("home", "yaml"), ("shed", "api")]


async def test_the_yaml_is_checked_as_a_whole(house: RegisteredHouse) -> None:
    await house.ask("POST", "/locations", {"id": "cellar"})
    await house.ask("POST", "/devices", {"id": "plug"})
    new = Configured(
        locations={"a": {"parent": "b"}, "b": {"parent": "a"}, "c": {"parent": "d"}, "cellar": {}},
        devices={"plug": {}, "lamp": {"location": "celar", "via": "lamp"}},
        integrations=frozenset({"meter"}),
    )
    assert list(problems(house.devices, new)) == [
        (("locations", "c", "parent"), "there is no location 'd'."),
        (("locations", "cellar"), "a location of this id was made over the API; delete it there, or choose another id"),
        (("locations", "a", "parent"), "goes round in a circle: a → b → a"),
        (("devices", "lamp", "location"), "there is no location 'celar'. Did you mean \"cellar\"?"),
        (("devices", "lamp", "via"), "there is no device 'lamp'."),
        (("devices", "plug"), "a device of this id was made over the API; delete it there, or choose another id"),
    ]
    fine = Configured(locations={"a": {"parent": "cellar"}}, devices={"lamp": {"location": "a", "via": "meter"}}, integrations=frozenset({"meter"}))
    assert list(problems(house.devices, fine)) == []
