"""Meter points over the API: made, bound, swapped, removed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.model import DeviceInfo
from ohmstead.core.route import Reply
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
HOUR = 3_600_000


async def make(house: MeteredHouse, slug: str, **given: Any) -> dict[str, Any]:
    return (await house.ask("POST", "/meter-points", {"id": slug, **given})).data


async def test_one_is_made_changed_and_removed(house: MeteredHouse) -> None:
    made = await make(house, "flat3", name="Flat 3", role="load", series="m3.energy_import")
    assert made["unit"] == "kWh"
    assert made["origin"] == "api"
    assert made["parent"] is None
    [binding] = made["bindings"]
    assert (binding["from"], binding["to"], binding["automatic"]) == (None, None, False)
    assert binding["series"][0]["series"] == "m3.energy_import"
    assert binding["plausible_max"] == "50"
    changed = (await house.ask("PUT", "/meter-points/flat3", {"name": "Flat three"})).data
    assert changed["name"] == "Flat three"
    assert changed["bindings"] == made["bindings"]
    await house.ask("DELETE", "/meter-points/flat3")
    with pytest.raises(NotFound, match="there is no meter point 'flat3'"):
        await house.get("/meter-points/flat3")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"series": "m3.energy_imprt"}, 'unknown quantity \'energy_imprt\'. Did you mean "energy_import"'),
        ({"series": "m3.voltage"}, "voltage measures no energy"),
        ({"series": "m3.power", "factor": "0"}, "other than 0"),
        ({"series": "m3.power", "factor": "1e999999"}, "expected a number"),
        ({"series": "m3.power", "factor": "1,5"}, "point for the decimals, such as 1.5"),
        ({"series": ["m3.power", "m3.power"]}, "each series once"),
        ({"series": "m3.energy_import", "factor": "-1"}, "positive factor for a register"),
        ({"factor": "2"}, "belongs to a series"),
        ({"parent": "nobody"}, "no meter point 'nobody'"),
        ({"location": "nowhere"}, "no location 'nowhere'"),
        ({"role": "consumption"}, "expected grid_import"),
    ],
)
async def test_what_cannot_be_is_refused_with_what_would_be_right(house: MeteredHouse, given: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await make(house, "flat3", **given)
    assert message in f"{refusal.value} {[detail['message'] for detail in refusal.value.details]}".replace("\\'", "'")


async def test_bindings_that_overlap_are_refused(house: MeteredHouse) -> None:
    await make(house, "grid", role="grid_import")
    first = {"series": "a.energy_import", "from": "2026-01-01", "to": "2026-03-01"}
    await house.ask("POST", "/meter-points/grid/bindings", first)
    with pytest.raises(Invalid, match=r"grid: the binding from 2026-01-01T00:00:00Z to 2026-03-01T00:00:00Z \(a.energy_import\) overlaps"):
        await house.ask("POST", "/meter-points/grid/bindings", {"series": "b.energy_import", "from": "2026-02-28"})
    await house.ask("POST", "/meter-points/grid/bindings", {"series": "b.energy_import", "from": "2026-03-01"})
    assert [b["series"][0]["series"] for b in await house.get("/meter-points/grid/bindings")] == ["a.energy_import", "b.energy_import"]


async def test_the_tree_takes_no_circle(house: MeteredHouse) -> None:
    await make(house, "a")
    await make(house, "b", parent="a")
    await make(house, "c", parent="b")
    with pytest.raises(Invalid, match="circle: a → c → b → a"):
        await house.ask("PUT", "/meter-points/a", {"parent": "c"})
    with pytest.raises(Conflict, match="b hang under meter point 'a'"):
        await house.ask("DELETE", "/meter-points/a")


async def test_loads_hang_under_the_consumption_of_their_premises(house: MeteredHouse) -> None:
    await house.ask("POST", "/locations", {"id": "kitchen", "kind": "room", "parent": "home"})
    await house.ask("POST", "/locations", {"id": "flat", "kind": "apartment", "parent": "home"})
    await make(house, "grid", role="grid_import", series="grid.energy_import")
    await make(house, "pv", role="pv", series="pv.energy_export")
    await make(house, "flat_grid", role="grid_import", location="flat", series="flat.energy_import")
    fridge = await make(house, "fridge", role="load", location="kitchen", series="fridge.power")
    oven = await make(house, "oven", role="load", location="flat", series="oven.power")
    assert fridge["parent"] == "consumption"
    assert oven["parent"] == "consumption-flat"
    assert dict(house.points.composition("consumption")) == {"grid": 1, "pv": 1}
    assert [point.id for point in house.points.children("consumption")] == ["fridge"]
    with pytest.raises(Conflict, match="is computed of grid, pv; change those"):
        await house.ask("DELETE", "/meter-points/consumption")
    await house.ask("DELETE", "/meter-points/flat_grid")
    assert "consumption-flat" not in house.points


async def test_a_swap_ends_one_binding_and_begins_the_next(house: MeteredHouse) -> None:
    await make(house, "grid", role="grid_import", series="old.energy_import", factor="40")
    [before] = await house.get("/meter-points/grid/bindings")
    swap = {"at": "2026-03-01T10:00:00Z", "series": "new.energy_import", "factor": "60", "closing": "45000.5", "opening": 12}
    old, new = (await house.ask("POST", "/meter-points/grid/swap", swap)).data
    assert old["number"] == before["number"]
    assert new["number"] != before["number"]
    assert (old["to"], old["series"][0]["closing"], old["series"][0]["factor"]) == ("2026-03-01T10:00:00Z", "45000.5", "40")
    assert (new["from"], new["series"][0]["opening"], new["series"][0]["factor"]) == ("2026-03-01T10:00:00Z", "12", "60")
    with pytest.raises(Invalid, match="nothing measures the meter point at 2026-03-01T10:00:00Z"):
        await house.ask("POST", "/meter-points/grid/swap", swap)


async def test_what_a_person_binds_the_automatic_choice_leaves_alone(house: MeteredHouse) -> None:
    house.devices.announce(DeviceInfo("grid", kind="meter"), "grid")
    await house.store("grid", "power", 500.0, T0)
    await house.ledger.automatic.settle()
    bound = (await house.ask("POST", "/meter-points/grid/bindings", {"series": "clamp.power", "from": "2026-03-01T02:00Z", "to": "2026-03-01T04:00Z"})).data
    assert [(b["series"][0]["series"], b["automatic"]) for b in bound] == [("grid.power", True), ("clamp.power", False), ("grid.power", True)]
    await house.store("grid", "energy_import", 5.0, T0 + 3 * HOUR)
    await house.ledger.automatic.settle()
    now = await house.get("/meter-points/grid/bindings")
    assert [(b["series"][0]["series"], b["from"][11:13]) for b in now] == [("grid.power", "00"), ("clamp.power", "02"), ("grid.energy_import", "04")]
    await house.ask("DELETE", f"/meter-points/grid/bindings/{now[1]['number']}")
    await house.ledger.automatic.settle()
    assert [b["from"][11:13] for b in await house.get("/meter-points/grid/bindings")] == ["00", "03"]


async def test_one_that_a_person_removed_does_not_come_back(house: MeteredHouse) -> None:
    house.devices.announce(DeviceInfo("fridge", kind="appliance"), "fridge")
    await house.store("fridge", "power", 80.0, T0)
    await house.ledger.automatic.settle()
    await house.ask("DELETE", "/meter-points/fridge")
    await house.store("fridge", "energy_import", 80.0, T0 + HOUR)
    await house.ledger.automatic.settle()
    assert "fridge" not in house.points


async def test_one_that_a_person_binds_elsewhere_is_not_counted_twice(house: MeteredHouse) -> None:
    house.devices.announce(DeviceInfo("grid", kind="meter"), "grid")
    await house.store("grid", "energy_import", 80.0, T0)
    await house.ledger.automatic.settle()
    await make(house, "main", role="grid_import", series="grid.energy_import")
    await house.ledger.automatic.settle()
    assert [point.id for point in house.points] == ["consumption", "main"]
    await house.ask("DELETE", "/meter-points/main")
    house.ledger.automatic.look_at("grid")
    await house.ledger.automatic.settle()
    assert [point.id for point in house.points] == ["consumption", "grid"]


async def test_a_dry_run_checks_everything_and_changes_nothing(house: MeteredHouse) -> None:
    shown = (await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import", "series": "a.energy_import"}, dry_run="true")).data
    assert shown["bindings"][0]["series"][0]["series"] == "a.energy_import"
    assert "grid" not in house.points
    await make(house, "grid", role="grid_import", series="a.energy_import")
    with pytest.raises(Invalid, match="overlaps"):
        await house.ask("POST", "/meter-points/grid/bindings", {"series": "b.energy_import"}, dry_run="true")
    swapped = (await house.ask("POST", "/meter-points/grid/swap", {"at": "2026-03-01", "closing": 5}, dry_run="true")).data
    assert [binding["to"] for binding in swapped] == ["2026-03-01T00:00:00Z", None]
    assert len(await house.get("/meter-points/grid/bindings")) == 1


async def test_another_time_zone_makes_the_rollups_anew(house: MeteredHouse) -> None:
    await house.ask("POST", "/locations", {"id": "barn", "kind": "building", "time_zone": "Europe/Berlin"})
    await house.ask("POST", "/meter-points", {"id": "m", "role": "grid_import", "location": "barn", "series": "m.energy_import"})
    start_ms = 1_767_225_600_000  # 2026-01-01T00:00:00Z
    for hour in range(49):
        await house.store("m", "energy_import", 100.0 + hour, start_ms + hour * 3_600_000)
    await house.settle()
    span = start_ms, start_ms + 48 * 3_600_000

    async def days(slug: str) -> list[tuple[int, int]]:
        found = (await house.ledger.rollups([slug], "day", *span))[slug]
        return [((day.start_ms - start_ms) // 3_600_000, day.mwh // 1_000_000) for day in found]

    assert await days("m") == await days("consumption-barn") == [(-1, 23), (23, 24), (47, 1)]
    await house.ask("PUT", "/locations/barn", {"time_zone": "America/New_York"})
    await until_true(lambda: days("m"), [(-19, 5), (5, 24), (29, 19)])
    await house.settle()
    assert await days("consumption-barn") == [(-19, 5), (5, 24), (29, 19)]
    assert (await house.ask("POST", "/ledger/verify", {})).data["same"]


async def test_several_people_at_once_undo_nothing_of_each_other(house: MeteredHouse) -> None:
    async def at_once(*calls: tuple[str, str, dict[str, Any]]) -> list[type[Any]]:
        return [type(done) for done in await asyncio.gather(*(house.ask(*call) for call in calls), return_exceptions=True)]

    same = await at_once(*(("POST", "/meter-points", {"id": "q", "role": "load", "name": name}) for name in "abc"))
    assert sorted(kind.__name__ for kind in same) == ["Conflict", "Conflict", "Reply"]
    await make(house, "r", role="load")
    bound = [("POST", "/meter-points/q/bindings", {"series": f"q{n}.power", "from": f"2026-0{n}-01", "to": f"2026-0{n}-20"}) for n in range(1, 7)]
    assert set(await at_once(*bound)) == {Reply}
    assert len(await house.get("/meter-points/q/bindings")) == 6
    over = await at_once(*(("POST", "/meter-points/r/bindings", {"series": f"r{n}.power", "from": "2026-01-01"}) for n in range(3)))
    assert sorted(kind.__name__ for kind in over) == ["Invalid", "Invalid", "Reply"]
    round_ = await at_once(("PUT", "/meter-points/q", {"parent": "r"}), ("PUT", "/meter-points/r", {"parent": "q"}))
    assert sorted(kind.__name__ for kind in round_) == ["Invalid", "Reply"]


async def until_true(found: Callable[[], Awaitable[object]], wanted: object) -> None:
    for _ in range(500):
        if await found() == wanted:
            return
        await asyncio.sleep(0.02)
    assert await found() == wanted
