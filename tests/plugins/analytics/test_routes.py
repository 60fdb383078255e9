"""Green energy, consumption, comparison and telemetry over the API, on both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ohmstead.core.clock import from_ms, iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import Announced
from ohmstead.core.model import Device
from ohmstead.plugins.devices.locations import Location
from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.points.points import MeterPoint, Role
from tests.fakes.analysed_house import AnalysedHouse, at
from tests.fakes.house import until

KWH = 1_000_000


def day(house: AnalysedHouse) -> None:
    """2026-04-09: by night 1 kWh an hour from the grid, by day 4 kWh from the roof, of which 1 is sold and 1 stored."""
    for slug, role in (("grid", Role.GRID_IMPORT), ("sold", Role.GRID_EXPORT), ("roof", Role.PV), ("store_out", Role.BATTERY_OUT), ("store_in", Role.BATTERY_IN)):
        house.ledger.point(slug, role)
        house.fill(slug, "2026-04-09T00:00", "2026-04-10T00:00", 0)
    house.fill("grid", "2026-04-09T00:00", "2026-04-09T08:00", KWH // 4)
    house.fill("roof", "2026-04-09T08:00", "2026-04-09T16:00", KWH)
    house.fill("sold", "2026-04-09T08:00", "2026-04-09T16:00", KWH // 4)
    house.fill("store_in", "2026-04-09T08:00", "2026-04-09T16:00", KWH // 4)
    house.fill("store_out", "2026-04-09T16:00", "2026-04-10T00:00", KWH // 4)


async def usage(house: AnalysedHouse, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await house.get("/locations/home/green-energy/usage", **{"start": "2026-04-09", "end": "2026-04-10", **query})
    return found


async def test_where_each_kwh_came_from_and_went(house: AnalysedHouse) -> None:
    day(house)
    await house.analytics.apply({"carbon": [{"from": at_day("2026-01-01"), "g_per_kwh": 380}]})
    [whole] = await usage(house)
    assert {name: kwh for name, kwh in whole["flows"].items() if kwh != "0.000000"} == {
        "grid_to_load": "8.000000", "generation_to_load": "16.000000", "generation_to_battery": "8.000000",
        "generation_to_export": "8.000000", "battery_to_load": "8.000000"}  # fmt: skip
    assert (whole["consumption_kwh"], whole["self_consumption"], whole["self_sufficiency"]) == ("32.000000", "0.7500", "0.7500")
    assert (whole["carbon_kg"], whole["carbon_avoided_kg"]) == ("3.040000", "9.120000")
    assert (whole["slots"], whole["missing_slots"]) == (96, 0)
    hours = await usage(house, resolution="hour")
    assert len(hours) == 24
    assert [each["flows"]["grid_to_load"] for each in hours[7:9]] == ["1.000000", "0.000000"]
    house.ledger.drop("roof", at("2026-04-09T10:00"))
    [holed] = await usage(house)
    assert (holed["slots"], holed["missing_slots"], holed["generation_kwh"]) == (95, 1, "31.000000"), "missing is not zero"


def at_day(text: str) -> Any:
    from datetime import date

    return date.fromisoformat(text)


async def test_sources_their_generation_and_their_toggle(house: AnalysedHouse) -> None:
    day(house)
    await house.analytics.apply({"sources": {"roof": {"capacity_kw": 5.0, "kind": "wind"}, "store_out": {"capacity_kwh": 10.0}}})
    roof, store = await house.get("/locations/home/green-energy/sources")
    assert (roof["id"], roof["kind"], roof["capacity_kw"], roof["enabled"]) == ("roof", "wind", 5.0, True)
    assert (store["id"], store["kind"], store["capacity_kwh"]) == ("store_out", "battery", 10.0)
    [made] = await house.get("/green-energy/sources/roof/generation", start="2026-04-09", end="2026-04-10", resolution="day")
    assert (made["generation_kwh"], made["peak_kw"], made["capacity_factor"]) == ("32.000000", "4.000000", 0.2667)
    house.clock.set(at("2026-04-09T12:00"))
    off = (await house.ask("POST", "/green-energy/sources/roof/toggle", {"enabled": False})).data
    assert off == {"id": "roof", "enabled": False, "since": iso(at("2026-04-09T12:00")), "command": None}
    assert (await house.ask("POST", "/green-energy/sources/roof/toggle", {"enabled": False})).data["since"] == off["since"]
    house.clock.set(at("2026-04-09T14:00"))
    await house.ask("POST", "/green-energy/sources/roof/toggle", {"enabled": True})
    house.clock.set(at("2026-04-10T12:00"))
    [whole] = await usage(house)
    assert whole["generation_kwh"] == "24.000000", "out of the balance for two hours"
    assert whole["flows"]["unknown_to_export"] == "2.000000"
    assert [each["enabled"] for each in (await house.get("/locations/home/green-energy/sources"))[0]["toggles"]] == [False, True]
    with pytest.raises(NotFound, match="no source"):
        await house.ask("POST", "/green-energy/sources/grid/toggle", {"enabled": False})
    with pytest.raises(Invalid, match="span"):
        await usage(house, end="2026-04-09")


async def test_a_batterys_toggle_takes_its_charge_along(house: AnalysedHouse) -> None:
    day(house)
    house.clock.set(at("2026-04-08T00:00"))
    await house.ask("POST", "/green-energy/sources/store_out/toggle", {"enabled": False, "command": False})
    house.clock.set(at("2026-04-10T12:00"))
    [whole] = await usage(house)
    assert (whole["charge_kwh"], whole["discharge_kwh"], whole["consumption_kwh"]) == ("0.000000", "0.000000", "32.000000")


async def test_consumption_with_its_cost_categories_and_area(house: AnalysedHouse) -> None:
    day(house)
    house.ledger.points.put(MeterPoint(90, "heater", "Heater", Role.HEAT_PUMP, category="heating"), ())
    house.ledger._slots["heater"] = {}
    house.fill("heater", "2026-04-09T00:00", "2026-04-10T00:00", KWH // 16)
    await house.contract("0.30")
    found = await house.get("/locations/home/energy/consumption", start="2026-04-09", end="2026-04-10", resolution="hour")
    assert (found["consumption_kwh"], found["cost"], found["currency"], found["kwh_per_m2"]) == ("8.000000", "2.400000", "EUR", "0.08")
    # the heater has 6 of the 32 kWh consumed, but only a quarter of the 8 kWh that were bought at night
    assert found["categories"] == [
        {"category": "heating", "consumption_kwh": "6.000000", "share": "0.7500", "cost": "0.600000"},
        {"category": "other", "consumption_kwh": "2.000000", "share": "0.2500", "cost": "1.800000"},
    ]
    first = found["items"][0]
    assert first == {"start": "2026-04-09T00:00:00+02:00", "end": "2026-04-09T01:00:00+02:00", "consumption_kwh": "1.000000",
                     "peak_kw": "1.000000", "cost": "0.300000", "complete": "1.0000"}  # fmt: skip
    building = await house.get("/buildings/home/energy", start_date="2026-04-09", end_date="2026-04-10", resolution="day")
    assert [(each["consumption_kwh"], each["cost"]) for each in building["items"]] == [("8.000000", "2.400000"), (None, None)]
    with pytest.raises(Invalid, match="days"):
        await house.get("/buildings/home/energy", start_date="2026-04-11", end_date="2026-04-10")
    with pytest.raises(NotFound):
        await house.get("/buildings/nowhere/energy")


async def test_a_place_without_a_meter_is_the_sum_of_what_lies_in_it(house: AnalysedHouse) -> None:
    house.devices.locations.put(Location("block", "Block", "building", None))
    house.devices.locations.put(Location("stairs", "Stairs", "floor", "block"))
    for flat in ("flat1", "flat2"):
        house.devices.locations.put(Location(flat, flat, "apartment", "block"))
        house.ledger.point(f"{flat}_grid", location=flat)
        house.fill(f"{flat}_grid", "2026-04-09T00:00", "2026-04-10T00:00", KWH)
    house.ledger.point("lamp", Role.LOAD, "stairs")
    house.fill("lamp", "2026-04-09T00:00", "2026-04-10T00:00", KWH // 4)
    found = await house.get("/locations/block/energy/consumption", start="2026-04-09T00:00:00+02:00", end="2026-04-10T00:00:00+02:00")
    assert found["consumption_kwh"] == "216.000000"
    with pytest.raises(NotFound, match="no building"):
        await house.get("/buildings/stairs/energy")
    assert (found["cost"], found["contracts"], found["unbilled"]) == (None, [], ["flat1_grid", "flat2_grid", "lamp"])
    await house.contract("0.30", "one", location="flat1", **{"import": "flat1_grid"})
    await house.contract("0.20", "two", location="flat2", start="2026-04-09", **{"import": "flat2_grid"})
    [day] = (building := await house.get("/buildings/block/energy", start_date="2026-04-09", end_date="2026-04-09"))["items"]
    # 96 kWh × 0.30 + 96 kWh × 0.20; nobody bills the lamp
    assert (day["cost"], building["cost"], building["currency"], building["unbilled"]) == ("48.000000", "48.000000", "EUR", ["lamp"])
    assert building["contracts"] == [
        {"contract": "one", "currency": "EUR", "cost": "28.800000"}, {"contract": "two", "currency": "EUR", "cost": "19.200000"},
    ]  # fmt: skip


async def test_francs_are_never_added_to_euros(house: AnalysedHouse) -> None:
    house.devices.locations.put(Location("block", "Block", "building", None))
    for flat, currency in (("flat1", "EUR"), ("flat2", "CHF")):
        house.devices.locations.put(Location(flat, flat, "apartment", "block"))
        house.ledger.point(f"{flat}_grid", location=flat)
        house.fill(f"{flat}_grid", "2026-04-09T00:00", "2026-04-10T00:00", KWH)
        await house.contract("0.25", flat, location=flat, currency=currency, **{"import": f"{flat}_grid"})
    found = await house.get("/buildings/block/energy", start_date="2026-04-09", end_date="2026-04-09")
    assert (found["cost"], found["currency"], found["items"][0]["cost"]) == (None, None, None)
    assert [(each["currency"], each["cost"]) for each in found["contracts"]] == [("EUR", "24.000000"), ("CHF", "24.000000")]


async def test_who_runs_in_dear_hours_costs_more(house: AnalysedHouse) -> None:
    house.ledger.point("grid")
    for slug, category in (("washer", "laundry"), ("car", "driving")):
        house.ledger.point(slug, Role.LOAD)
        house.ledger.points.put(msgspec.structs.replace(house.ledger.points.get(slug), category=category))
        house.fill(slug, "2026-04-09T00:00", "2026-04-10T00:00", 0)
    house.fill("grid", "2026-04-09T00:00", "2026-04-10T00:00", 300_001)
    house.fill("washer", "2026-04-09T12:00", "2026-04-09T13:00", 250_000)
    house.fill("car", "2026-04-09T02:00", "2026-04-09T03:00", 250_000)
    windows = [{"name": "day", "price": "0.39", "hours": "6-22"}, {"name": "night", "price": "0.13", "hours": "22-6"}]
    await house.contract([{"type": "time_of_use", "name": "energy", "windows": windows}])
    await house.contract("0.10", "a_gas", **{"import": house.ledger.point("gas", Role.GAS).id})
    found = await house.get("/locations/home/energy/consumption", start="2026-04-09", end="2026-04-10", resolution="day")
    # each 1 kWh: at noon 1 × 0.39, at night 1 × 0.13; in all 64 × 0.300001 × 0.39 + 32 × 0.300001 × 0.13, all of it named
    assert {each["category"]: (each["consumption_kwh"], each["cost"]) for each in found["categories"]} == {
        "laundry": ("1.000000", "0.390000"), "driving": ("1.000000", "0.130000"), "other": ("26.800096", "8.216029")}  # fmt: skip
    assert (found["cost"], [each["contract"] for each in found["contracts"]]) == ("8.736029", ["home"])


async def test_a_part_of_what_a_contract_bills_has_its_share_of_each_slot(house: AnalysedHouse) -> None:
    house.devices.locations.put(Location("block", "Block", "building", None))
    for flat in ("flat1", "flat2"):
        house.devices.locations.put(Location(flat, flat, "apartment", "block"))
        house.ledger.point(f"{flat}_grid", location=flat)
    house.fill("flat1_grid", "2026-04-09T00:00", "2026-04-10T00:00", 750_000)
    house.fill("flat2_grid", "2026-04-09T00:00", "2026-04-10T00:00", 250_000)
    await house.contract("0.25", "landlord", location="block", **{"import": ["flat1_grid", "flat2_grid"]})
    costs = [(await house.get(f"/locations/{place}/energy/consumption", start="2026-04-09", end="2026-04-10"))["cost"] for place in ("flat1", "flat2", "block")]
    assert costs == ["18.000000", "6.000000", "24.000000"]


async def test_what_has_no_price_is_named(house: AnalysedHouse) -> None:
    house.ledger.point("grid")
    house.fill("grid", "2026-04-09T00:00", "2026-04-10T00:00", KWH)
    await house.contract([{"type": "dynamic", "series": "epex"}, {"type": "flat", "name": "grid fee", "price": "0.10"}])
    found = await house.get("/locations/home/energy/consumption", start="2026-04-09T06:00:00+02:00", end="2026-04-10")
    assert found["unpriced"] == [{"contract": "home", "component": "dynamic", "start": "2026-04-09T06:00:00+02:00",
                                  "end": "2026-04-10T00:00:00+02:00", "reason": "no price"}]  # fmt: skip


async def test_comparison(house: AnalysedHouse) -> None:
    house.ledger.point("grid")
    house.fill("grid", "2026-04-08T00:00", "2026-04-09T00:00", KWH)
    house.fill("grid", "2026-04-09T00:00", "2026-04-10T00:00", KWH // 4)
    house.fill("grid", "2026-04-10T00:00", "2026-04-10T12:00", KWH // 2)
    yesterday, week, month, year = await house.get("/locations/home/energy/comparison")
    assert (yesterday["now"]["consumption_kwh"], yesterday["same_time_before"]["consumption_kwh"], yesterday["change"]) == ("24.000000", "12.000000", "1.0000")
    assert yesterday["before"]["consumption_kwh"] == "24.000000"
    assert week["now"]["consumption_kwh"] == month["now"]["consumption_kwh"] == "144.000000"
    assert (month["change"], year["compared_with"], year["before"]["consumption_kwh"]) == (None, "same_month_last_year", None)


async def test_how_a_device_does(house: AnalysedHouse) -> None:
    house.devices.add(Device("m1", "Meter"))
    now = house.clock.now_ms()
    for minutes in range(0, 60, 10):
        await house.store("m1", "power", float(minutes), now - minutes * 60_000)
    batch = house.ingest.batch("test", "test")
    batch.refuse("nonsense", b"x", device="m1")
    await house.ingest.store(batch)
    start = from_ms(now) - timedelta(hours=1)
    found = await house.get("/telemetry/stats/m1", start=start.isoformat(), end=iso(now + 1000))
    assert found["quantities"]["power"] | {"missing_rate": 0} == {"unit": "W", "count": 6, "min": 0.0, "mean": 25.0, "max": 50.0, "missing_rate": 0}
    assert (found["readings"], found["refused"], found["error_rate"]) == (6, 1, round(1 / 7, 6))
    assert found["missing_rate"] == 0.5
    with pytest.raises(NotFound):
        await house.get("/telemetry/stats/nobody")
    with pytest.raises(Invalid):
        await house.get("/telemetry/stats/m1", start=iso(now), end=iso(now))
    summary = await house.get("/telemetry/summary")
    assert (summary["devices"]["total"], summary["readings"], summary["refused"], summary["series"]) == (1, 6, 1, 1)


async def test_the_live_socket_hears_of_the_balance(house: AnalysedHouse) -> None:
    day(house)
    house.clock.set(at("2026-04-09T12:07"))
    heard: list[Announced] = []
    house.bus.subscribe(Announced, heard.append)
    house.hub.plugins.collect("ohmstead_started", hub=house.hub)
    house.bus.publish(LedgerChanged((("roof", at("2026-04-09T11:00"), at("2026-04-09T12:00")),)))
    await until(lambda: heard)
    assert (heard[0].kind, heard[0].key, heard[0].device) == ("GREEN_ENERGY_UPDATE", "home", "")
    today = heard[0].payload["today"]
    assert (today["end"], today["generation_kwh"]) == ("2026-04-09T12:00:00+02:00", "16.000000")
    assert msgspec.json.encode(heard[0].payload)


async def test_spans_are_cut_where_asked_and_several_meter_points_peak_together(house: AnalysedHouse) -> None:
    house.devices.locations.put(Location("block", "Block", "building"))
    for slug, quarters in (("a", (100_000, 300_000, 0, 0)), ("b", (100_000, 200_000, 0, 0))):
        house.ledger.point(slug, Role.GRID_IMPORT, "block")
        house.fill(slug, "2026-04-08T00:00", "2026-04-10T00:00", *quarters)
    span = {"start": "2026-04-08T12:00:00+02:00", "end": "2026-04-09T18:00:00+02:00"}
    found = await house.get("/locations/block/energy/consumption", **span)
    assert [(each["start"][8:13], each["end"][8:13], each["consumption_kwh"], each["peak_kw"]) for each in found["items"]] == [
        ("08T12", "09T00", "8.400000", "2.000000"), ("09T00", "09T18", "12.600000", "2.000000"),
    ]  # fmt: skip
    assert found["consumption_kwh"] == "21.000000"
