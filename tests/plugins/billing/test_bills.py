"""Bills: exact to the cent, the same bytes again, frozen once issued, adjusted by what changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.ledger.points.points import Role
from tests.fakes.billed_house import BilledHouse, at

FLAT = {"type": "flat", "name": "energy", "price": "0.2517"}
STANDING = {"type": "standing", "name": "base", "price": "0.331", "per": "day"}
MARCH = "home-2026-03-01"


async def march(house: BilledHouse, **more: Any) -> None:
    """A March of 743 hours (2,972 slots) at 0.1 kWh in each: 297.2 kWh."""
    house.tariff("flat", FLAT, STANDING, vat=19)
    await house.contract(start="2026-03-01", **more)
    house.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)


async def test_march_is_billed_to_the_cent(house: BilledHouse) -> None:
    await march(house)
    bill = await house.get("/contracts/home/bill", period="2026-03")
    energy, base = bill["lines"]
    # 297.2 kWh × 0.2517 = 74.80524 -> 74.81; 31 days × 0.331 = 10.261 -> 10.26
    assert (energy["quantity"], energy["unit"], energy["price"], energy["exact"], energy["net"]) == ("297.2", "kWh", "0.2517", "74.80524", "74.81")
    assert energy["slots"] == 2972
    assert (base["quantity"], base["unit"], base["net"]) == ("31", "day", "10.26")
    # 19 % of 85.07 = 16.1633 -> 16.16; 85.07 + 16.16 = 101.23
    assert bill["vat"] == [{"percent": "19", "base": "85.07", "amount": "16.16", "added": True}]
    assert (bill["net"], bill["tax"], bill["total"]) == ("85.07", "16.16", "101.23")
    assert (bill["start"], bill["end"]) == ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")
    assert bill["import"]["shares"] == {"measured": "1", "estimated": "0", "reset": "0", "missing": "0"}
    assert (bill["id"], bill["status"], bill["running"], bill["unpriced"]) == (MARCH, "draft", False, [])


async def test_a_bill_is_the_same_bytes_again(house: BilledHouse) -> None:
    await march(house)
    first, again = [await house.get(f"/bills/{MARCH}") for _ in range(2)]
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert first == await house.get("/contracts/home/bill", period="last")


async def test_the_running_period_is_billed_up_to_the_last_slot(house: BilledHouse) -> None:
    await march(house)
    house.fill("grid_import", "2026-04-01T00:00", "2026-04-10T12:00", 100_000)  # the clock shows noon of 10 April
    bill = await house.get("/contracts/home/bill")
    # 9.5 days × 96 slots × 0.1 = 91.2 kWh
    assert (bill["running"], bill["lines"][0]["quantity"], bill["end"]) == (True, "91.2", "2026-04-10T10:00:00Z")
    with pytest.raises(Conflict, match="runs until 2026-04-30T22:00:00Z"):
        await house.ask("POST", "/bills/home-2026-04-01/issue", {})


async def test_missing_energy_is_listed_and_not_issued(house: BilledHouse) -> None:
    await march(house)
    house.ledger.drop("grid_import", at("2026-03-05T10:00"))
    house.ledger.drop("grid_import", at("2026-03-05T10:15"))
    bill = await house.get(f"/bills/{MARCH}")
    assert bill["import"]["missing"] == [{"start": "2026-03-05T09:00:00Z", "end": "2026-03-05T09:30:00Z"}]
    assert bill["import"]["shares"]["missing"] == "0.000673"  # 2 of 2,972
    with pytest.raises(Conflict, match="no energy from 2026-03-05T09:00:00Z to 2026-03-05T09:30:00Z. Mend them, or issue it with accept_missing"):
        await house.ask("POST", f"/bills/{MARCH}/issue", {})
    issued = (await house.ask("POST", f"/bills/{MARCH}/issue", {"accept_missing": True})).data
    assert (issued["status"], issued["issued_by"]) == ("issued", "owner")


async def test_unpriced_slots_are_listed_and_not_issued(house: BilledHouse) -> None:
    house.tariff("spot", {"type": "dynamic", "series": "market"})
    await house.contract(tariff="spot", start="2026-04-01", cycle={"dates": ["2026-04-01", "2026-04-02"]})
    house.fill("grid_import", "2026-04-01T00:00", "2026-04-02T00:00", 1_000_000)
    await house.price("market", "2026-04-01T00:00", *[100_000] * 23)  # the last hour has none
    bill = await house.get("/bills/home-2026-04-01")
    [gap] = bill["unpriced"]
    assert (gap["start"], gap["slots"], gap["kwh"], gap["reason"]) == ("2026-04-01T21:00:00Z", 4, "4", "no price")
    assert (bill["lines"][0]["quantity"], bill["lines"][0]["price"], bill["total"]) == ("92", "0.1", "9.20")
    with pytest.raises(Conflict, match="no price from 2026-04-01T21:00:00Z"):
        await house.ask("POST", "/bills/home-2026-04-01/issue", {})


async def test_a_line_of_a_dynamic_tariff_names_the_price_imports_it_is_priced_from(house: BilledHouse) -> None:
    house.tariff("spot", {"type": "dynamic", "series": "market"}, {"type": "flat", "name": "grid fee", "price": "0.10"})
    await house.contract(tariff="spot", start="2026-04-01", cycle={"dates": ["2026-04-01", "2026-04-02"]})
    house.fill("grid_import", "2026-04-01T00:00", "2026-04-02T00:00", 1_000_000)
    await house.price("market", "2026-04-01T00:00", *[100_000] * 24)
    then = house.clock.now()
    house.clock.set(house.clock.now_ms() + 60_000)
    await house.price("market", "2026-04-01T10:00", 150_000)
    dynamic, fee = (await house.get("/bills/home-2026-04-01"))["lines"]
    # 23 hours of 4 kWh at 0.10, one at 0.15
    assert (dynamic["exact"], dynamic["price_imports"], fee["price_imports"]) == ("9.8", [1, 2], [])
    opened = await house.get("/bills/home-2026-04-01/lines/1")
    assert [each["price_import"] for each in opened["opened"]] == [1] * 40 + [2] * 4 + [1] * 52
    [before, _] = (await house.get("/bills/home-2026-04-01", known_at=then.isoformat()))["lines"]
    assert (before["exact"], before["price_imports"]) == ("9.6", [1])


async def test_a_bill_shows_how_gas_became_kwh_and_what_was_netted(home: BilledHouse) -> None:
    home.tariff("gas", {"type": "flat", "price": "0.10"}, gas={"state_number": "0.95", "calorific_values": [
        {"from": "2026-03-01", "kwh_per_m3": "11"}, {"from": "2026-03-11", "kwh_per_m3": "12"}]})  # fmt: skip
    home.tariff("net", {"type": "flat", "price": "0.30"}, netting={"over": "bill", "carry": "kwh"})
    home.ledger.point("gas", Role.GAS)
    await home.contract("gas", tariff="gas", start="2026-03-01", **{"import": "gas"})
    await home.contract("net", tariff="net", start="2026-03-01", export="grid_export")
    home.fill("gas", "2026-03-01T00:00", "2026-03-21T00:00", 10_000)
    home.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
    home.fill("grid_export", "2026-03-01T00:00", "2026-04-01T00:00", 110_000)
    # ten days of 0.96 m³: 9.6 × 11 × 0.95 = 100.32, then 9.6 × 12 × 0.95 = 109.44
    bill = await home.get("/bills/gas-2026-03-01")
    assert [(each["m3"], each["kwh_per_m3"], each["state_number"], each["kwh"]) for each in bill["conversions"]] == [
        ("9.6", "11", "0.95", "100.32"), ("9.6", "12", "0.95", "109.44")]  # fmt: skip
    [net] = (await home.get("/bills/net-2026-03-01"))["netted"]
    assert [net[name] for name in ("imported", "exported", "offset", "drawn", "banked", "balance")] == ["297.2", "326.92", "297.2", "0", "29.72", "29.72"]


async def test_an_issued_bill_stays_and_shows_what_changed(house: BilledHouse) -> None:
    await march(house)
    issued = (await house.ask("POST", f"/bills/{MARCH}/issue", {})).data
    with pytest.raises(Conflict, match="was issued on 2026-04-10T10:00:00Z already"):
        await house.ask("POST", f"/bills/{MARCH}/issue", {})
    with pytest.raises(Conflict, match="nothing changed since"):
        await house.ask("POST", f"/bills/{MARCH}/adjust", {})

    house.ledger.lay("grid_import", at("2026-03-05T10:00"), [1_100_000])  # 1 kWh more
    shown = await house.get(f"/bills/{MARCH}")
    assert {**shown, "changed_since": None} == issued
    # 298.2 × 0.2517 = 75.05694 -> 75.06, 0.25 more; net 85.32, VAT 16.2108 -> 16.21, 0.05 more
    assert shown["changed_since"] == {"net": "0.25", "tax": "0.05", "total": "0.30"}

    adjusted = (await house.ask("POST", f"/bills/{MARCH}/adjust", {})).data
    assert (adjusted["id"], adjusted["adjusts"], adjusted["total"]) == (f"{MARCH}.1", MARCH, "0.30")
    [line] = adjusted["lines"]
    assert (line["quantity"], line["net"], line["exact"], line["slots"]) == ("1.0", "0.25", "0.25170", 0)
    assert adjusted["vat"] == [{"percent": "19", "base": "0.25", "amount": "0.05", "added": True}]
    assert adjusted["restated"]["total"] == "101.53"

    original = await house.get(f"/bills/{MARCH}")
    assert (original["status"], original["adjustments"], original["changed_since"]) == ("adjusted", [f"{MARCH}.1"], None)
    assert original["total"] == "101.23"
    house.ledger.lay("grid_import", at("2026-03-05T10:00"), [100_000])  # and back again
    assert (await house.ask("POST", f"/bills/{MARCH}/adjust", {})).data["total"] == "-0.30"
    listed = await house.walk("/bills", contract="home", limit=1)
    assert [(each["id"], each["total"], each["status"]) for each in listed] == [
        (MARCH, "101.23", "adjusted"), (f"{MARCH}.1", "0.30", "issued"), (f"{MARCH}.2", "-0.30", "issued"),
    ]  # fmt: skip


async def test_the_ledger_learns_which_bills_are_issued(house: BilledHouse) -> None:
    await march(house)
    await house.ask("POST", f"/bills/{MARCH}/issue", {})
    issued = house.billing.valuer.issued
    assert await issued(["grid_import"], at("2026-03-31T23:45"), at("2026-04-02T00:00")) == [MARCH]
    assert await issued(["grid_import"], at("2026-04-01T00:00"), at("2026-04-02T00:00")) == []
    assert await issued(["grid_export"], at("2026-03-01T00:00"), at("2026-04-02T00:00")) == []


async def test_a_line_opens_down_to_slots_and_a_slot_to_its_layers(house: BilledHouse) -> None:
    await march(house)
    reply = await house.ask("GET", f"/bills/{MARCH}/lines/1", limit=2)
    first = reply.data["opened"][0]
    assert (first["start"], first["quantity"], first["price"], first["amount"]) == ("2026-02-28T23:00:00Z", "0.1", "0.2517", "0.02517")
    assert first["meter_points"][0]["kwh"] == "0.100000"
    assert first["meter_points"][0]["source"] == "live"
    rest = await house.ask("GET", f"/bills/{MARCH}/lines/1", limit=10_000, cursor=reply.next_cursor)
    assert len(rest.data["opened"]) == 2970
    assert rest.next_cursor is None

    slot = await house.get(f"/bills/{MARCH}/slots/2026-03-05T10:05:00+01:00")
    [point] = slot["meter_points"]
    assert (point["billed"]["start"], point["billed"]["kwh"]) == ("2026-03-05T10:00:00+01:00", "0.100000")
    assert point["layers"]["live"]["quality"] == "measured"
    for path, words in ((f"/bills/{MARCH}/lines/3", "has lines 1 to 2"), (f"/bills/{MARCH}/lines/x", "no line"),
                        ("/bills/home-9999-12-31", "there is no bill"), ("/bills/home-0001-01-01/lines/1", "there is no bill"),
                        (f"/bills/{MARCH}/slots/2026-04-01", "counts from"), (f"/bills/{MARCH}/slots/noon", "expected a day")):  # fmt: skip
        with pytest.raises(NotFound, match=words):
            await house.get(path)


async def test_an_issued_bill_opens_to_the_slots_it_was_issued_with(house: BilledHouse) -> None:
    await march(house)
    await house.ask("POST", f"/bills/{MARCH}/issue", {})
    house.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 900_000)
    line = await house.get(f"/bills/{MARCH}/lines/1", limit=1)
    assert (line["quantity"], line["opened"][0]["quantity"]) == ("297.2", "0.1")


async def test_an_issued_bill_stands_on_its_own_whatever_becomes_of_tariff_and_contract(house: BilledHouse) -> None:
    house.tariff("rich", {"type": "tiers", "name": "energy", "period": "month", "tiers": [{"up_to": "100.05", "price": "0.20"}, {"price": "0.30"}]},
                 {"type": "dynamic", "name": "market", "series": "epex"}, {"type": "capacity", "name": "demand", "price": "8"})  # fmt: skip
    await house.contract(tariff="rich", start="2026-03-01")
    house.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
    house.ledger.lay("grid_import", at("2026-03-12T10:00"), [1_000_000])
    await house.price("epex", "2026-03-01T00:00", *[n * 1000 for n in range(743)])
    issued = (await house.ask("POST", f"/bills/{MARCH}/issue", {})).data
    opened = [await house.get(f"/bills/{MARCH}/lines/{n}", limit=10_000) for n in range(1, 5)]
    for line in opened[:3]:
        assert sum(Decimal(each["amount"]) for each in line["opened"]) == Decimal(line["exact"])
    assert [(each["quantity"], each["unit"], each["price"], each["amount"]) for each in opened[3]["opened"]] == [("1", "kWh", None, None)]
    slot = await house.get(f"/bills/{MARCH}/slots/2026-03-05T10:05:00+01:00")

    house.tariff("rich", {"type": "flat", "name": "other", "price": "0.5"})
    await house.ask("PUT", "/contracts/home", {"import": "grid_import", "tariff": "rich", "start": "2026-03-15", "cycle": {"day": 15}})
    shown = await house.get(f"/bills/{MARCH}")
    assert ({**shown, "changed_since": None}, shown["changed_since"]) == (issued, None)
    assert [await house.get(f"/bills/{MARCH}/lines/{n}", limit=10_000) for n in range(1, 5)] == opened
    await house.ask("DELETE", "/contracts/home")
    assert [await house.get(f"/bills/{MARCH}/lines/{n}", limit=10_000) for n in range(1, 5)] == opened
    assert await house.get(f"/bills/{MARCH}/slots/2026-03-05T10:05:00+01:00") == slot
    assert await house.get(f"/bills/{MARCH}") == issued


async def test_the_lines_of_an_adjustment_are_those_of_no_slots(house: BilledHouse) -> None:
    await march(house)
    await house.ask("POST", f"/bills/{MARCH}/issue", {})
    house.ledger.lay("grid_import", at("2026-03-05T10:00"), [1_100_000])
    await house.ask("POST", f"/bills/{MARCH}/adjust", {})
    with pytest.raises(Conflict, match=f"are what changed; open those of {MARCH}"):
        await house.get(f"/bills/{MARCH}.1/lines/1")


async def test_a_period_ends_where_one_tariff_follows_another(home: BilledHouse) -> None:
    home.tariff("old", FLAT)
    home.tariff("new", {"type": "flat", "price": "0.5"})
    await home.contract(tariff=[{"from": "2026-01-01", "tariff": "old"}, {"from": "2026-03-11", "tariff": "new"}])
    home.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
    first, second = await home.get(f"/bills/{MARCH}"), await home.get("/bills/home-2026-03-11")
    # 10 days × 9.6 kWh × 0.2517 = 24.1632; 297.2 − 96 = 201.2 kWh × 0.5 = 100.6
    assert (first["tariff"], first["total"], first["end"]) == ("old", "24.16", second["start"])
    assert (second["tariff"], second["total"]) == ("new", "100.60")
    assert (await home.get("/contracts/home/bill", period="2026-03-20"))["id"] == second["id"]


async def test_tiers_of_a_year_go_on_from_month_to_month(home: BilledHouse) -> None:
    tiers = {"type": "tiers", "period": "year", "tiers": [{"up_to": 300, "price": "0.10"}, {"price": "0.20"}]}
    home.tariff("tiers", tiers)
    await home.contract(tariff="tiers")
    home.fill("grid_import", "2026-02-01T00:00", "2026-04-01T00:00", 100_000)
    bill = await home.get(f"/bills/{MARCH}")
    # February: 672 h × 0.4 = 268.8 kWh; so March has 31.2 kWh at 0.10 = 3.12 and 266 at 0.20 = 53.20
    assert [(line["quantity"], line["net"]) for line in bill["lines"]] == [("31.2", "3.12"), ("266", "53.20")]
    assert bill["total"] == "56.32"
    before = home.ledger.reads
    await home.get(f"/bills/{MARCH}")
    assert home.ledger.reads - before == 1  # what February hands over is remembered
    home.billing.biller.forget({"grid_import"}, at("2026-02-03T00:00"))
    assert (await home.get(f"/bills/{MARCH}"))["total"] == "56.32"


async def test_ended_periods_are_kept_as_drafts(house: BilledHouse) -> None:
    await march(house)
    assert await house.billing.bills.close_ended() == 1
    [kept] = await house.walk("/bills")
    assert (kept["id"], kept["status"], kept["total"]) == (MARCH, "draft", "101.23")
    house.ledger.lay("grid_import", at("2026-03-05T10:00"), [1_100_000])
    await house.billing.bills.close_ended()
    assert (await house.walk("/bills"))[0]["total"] == "101.53"
    await house.ask("POST", f"/bills/{MARCH}/issue", {})
    assert await house.billing.bills.close_ended() == 0


async def test_a_bill_outlives_its_contract(house: BilledHouse) -> None:
    await march(house)
    await house.ask("POST", f"/bills/{MARCH}/issue", {})
    await house.ask("DELETE", "/contracts/home")
    assert (await house.get(f"/bills/{MARCH}"))["total"] == "101.23"


@pytest.mark.parametrize("bill", ["home", "home-2026-03-02", "office-2026-03-01", "home-2026-13-01", "home-2026-02-01"])
async def test_there_are_no_other_bills(home: BilledHouse, bill: str) -> None:
    await march(home)
    with pytest.raises(NotFound, match="there is no (bill|contract)"):
        await home.get(f"/bills/{bill}")


async def test_periods_outside_the_contract_are_refused(home: BilledHouse) -> None:
    await march(home)
    for name, words in (("2026-02", "has no billing period '2026-02'; it holds from 2026-02-28T23:00:00Z"),
                        ("2026-05", "has only just begun, or not yet"), ("soon", "expected a month")):  # fmt: skip
        with pytest.raises(Invalid, match=words):
            await home.get("/contracts/home/bill", period=name)
