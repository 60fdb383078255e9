"""Beyond the bill: the projection, who caused the cost, what was saved, what would have been paid."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from operator import add
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import from_ms
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.billing.allocation import allocate, printed
from ohmstead.plugins.ledger.points.points import Role
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.valuer import Changed
from tests.fakes.billed_house import BilledHouse, at
from tests.fakes.paper_ledger import SLOT_MS

DAY_NIGHT = {"type": "time_of_use", "name": "energy", "windows": [
    {"name": "day", "price": "0.40", "hours": "8-20"}, {"name": "night", "price": "0.20", "hours": "20-8"},
]}  # fmt: skip


async def running_april(home: BilledHouse) -> None:
    """Ten days of April: 0.1 kWh a slot on Saturdays and Sundays, 0.2 on other days; since 13 March."""
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.contract()
    for day in range(13, 32):
        home.fill("grid_import", f"2026-03-{day}T00:00", f"2026-03-{day + 1}T00:00" if day < 31 else "2026-04-01T00:00", _load(3, day))
    for day in range(1, 11):
        home.fill("grid_import", f"2026-04-{day:02}T00:00", f"2026-04-{day:02}T12:00", _load(4, day))
        if day < 10:
            home.fill("grid_import", f"2026-04-{day:02}T12:00", f"2026-04-{day + 1:02}T00:00", _load(4, day))


def _load(month: int, day: int) -> int:
    return 100_000 if date(2026, month, day).weekday() >= 5 else 200_000


async def test_the_rest_of_the_period_is_like_the_same_weekdays_before(home: BilledHouse) -> None:
    await running_april(home)
    found = await home.get("/contracts/home/projection")
    # April 2026: 22 weekdays × 19.2 kWh + 8 weekend days × 9.6 kWh = 422.4 + 76.8 = 499.2 kWh × 0.25
    assert found["projected"]["total"] == "124.80"
    # so far: 1–3 and 6–9 April and half of the 10th are 7.5 weekdays, 4 and 5 April weekend: 144 + 19.2 = 163.2 kWh
    assert found["so_far"]["total"] == "40.80"
    assert (found["until"], found["end"]) == ("2026-04-10T10:00:00Z", "2026-04-30T22:00:00Z")


async def test_unknown_dynamic_prices_are_those_of_a_week_before(home: BilledHouse) -> None:
    home.tariff("spot", {"type": "dynamic", "series": "market"})
    await home.contract(tariff="spot", cycle={"dates": ["2026-04-10", "2026-04-11"]})
    home.fill("grid_import", "2026-03-20T00:00", "2026-04-10T12:00", 250_000)  # 1 kWh an hour
    await home.price("market", "2026-04-03T00:00", *[n * 1000 for n in range(24)])  # 0.000 to 0.023
    await home.price("market", "2026-04-10T00:00", *[100_000] * 14)
    found = await home.get("/contracts/home/projection")
    # 14 h × 0.1 = 1.40; hours 14 to 23 of a week before: (14 + … + 23)/1000 = 0.185; 1.585 -> 1.59
    assert found["projected"]["total"] == "1.59"


async def test_tariff_registers_are_projected_each_by_its_own_profile(home: BilledHouse) -> None:
    home.tariff("ht_nt", {"type": "registers", "name": "energy", "prices": {"t1": "0.30", "t2": "0.20"}})
    await home.contract(tariff="ht_nt", cycle={"dates": ["2026-04-01", "2026-04-17"]})
    start, now = at("2026-03-13T00:00"), at("2026-04-10T12:00")
    t1, t2 = (Sheet.empty(start, SLOT_MS, (now - start) // SLOT_MS) for _ in range(2))
    for place in range(len(t1)):
        day = 6 <= from_ms(start + place * SLOT_MS).astimezone(ZoneInfo("Europe/Berlin")).hour < 22
        (t1 if day else t2).mwh[place] = 100_000 + place % 2  # an odd mWh that means round off
        t1.measured_ms[place] = t2.measured_ms[place] = SLOT_MS
    home.ledger.lay("grid_import", start, map(add, t1.mwh, t2.mwh))
    for name, sheet in (("t1", t1), ("t2", t2)):
        home.ledger.register("grid_import", name, sheet)
    found = await home.get("/contracts/home/projection")
    # 16 days of 64 slots × 0.1 kWh × 0.30 = 30.72, and of 32 × 0.1 × 0.20 = 10.24; half of the slots have a mWh more
    assert [(line["label"], line["quantity"], line["printed"]) for line in found["lines"]] == [
        ("t1", "102.400512", "30.72"), ("t2", "51.200256", "10.24")]  # fmt: skip
    assert found["unpriced"] == []


async def test_nothing_is_projected_from_nothing(home: BilledHouse) -> None:
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.contract()
    with pytest.raises(Conflict, match="nothing to project from"):
        await home.get("/contracts/home/projection")


async def test_cost_is_shared_by_slot(home: BilledHouse) -> None:
    home.tariff("tou", DAY_NIGHT)
    home.ledger.point("pv", Role.PV)
    home.ledger.point("consumption", Role.CONSUMPTION)
    for slug, role in (("heatpump", Role.HEAT_PUMP), ("ev", Role.EV)):
        home.ledger.point(slug, role)
    await home.contract(tariff="tou", export="grid_export", cycle={"dates": ["2026-04-01", "2026-04-02"]})
    # 10:00: import 0.2, PV 1.0, export 0.2, so 1.0 kWh used: heat pump 0.5, car 0.3, rest 0.2; the grid's share is a fifth
    home.ledger.lay("grid_import", at("2026-04-01T10:00"), [200_000])
    home.ledger.lay("pv", at("2026-04-01T10:00"), [1_000_000])
    home.ledger.lay("grid_export", at("2026-04-01T10:00"), [200_000])
    home.ledger.lay("heatpump", at("2026-04-01T10:00"), [500_000])
    home.ledger.lay("ev", at("2026-04-01T10:00"), [300_000])
    # 22:00: import 1.0: the car takes all of it
    home.ledger.lay("grid_import", at("2026-04-01T22:00"), [1_000_000])
    home.ledger.lay("ev", at("2026-04-01T22:00"), [1_000_000])
    found = await home.get("/contracts/home/allocation", period="2026-04-01")
    shares = {each["meter_point"]: each for each in found["shares"]}
    # 0.2 kWh × 0.40 = 0.08 at ten: 0.04 heat pump, 0.024 car, 0.016 rest; 1 kWh × 0.20 at night: car
    assert Fraction(shares["heatpump"]["exact"]) == Fraction("0.04")
    assert Fraction(shares["ev"]["exact"]) == Fraction("0.224")
    assert Fraction(shares[None]["exact"]) == Fraction("0.016")
    assert (shares["ev"]["grid_kwh"], shares["ev"]["own_kwh"]) == ("1.06", "0.24")
    # 0.28 in printed lines (0.08 and 0.20): 0.04, 0.22 and 0.02
    assert (found["energy_lines"], [each["amount"] for each in found["shares"]]) == ("0.28", ["0.22", "0.04", "0.02"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_shares_are_exactly_the_whole(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    column = st.lists(st.integers(0, 10**7), min_size=count, max_size=count)
    costs = data.draw(st.lists(st.integers(-(10**13), 10**13), min_size=count, max_size=count))
    imported, consumed = data.draw(column), data.draw(column)
    loads = {name: data.draw(column) for name in "abc"[: data.draw(st.integers(0, 3))]}
    shares, rest = allocate(costs, imported, consumed, loads)
    every = {**shares, "": rest}
    assert sum(share.cost for share in every.values()) == sum(costs)
    wholes = [max(used, sum(load[place] for load in loads.values())) for place, used in enumerate(consumed)]
    assert sum(share.mwh for share in every.values()) == sum(wholes)
    assert sum(share.grid_mwh for share in every.values()) == sum(map(min, imported, wholes))
    assert all(share.own_mwh >= 0 for share in every.values())
    coins = data.draw(st.integers(-1000, 1000))
    amounts = printed({name: share.cost for name, share in every.items()}, coins, 10**10)
    assert sum(amounts.values()) == coins


def test_costs_that_cancel_each_other_are_still_printed_each() -> None:
    assert printed({"a": 5 * 10**12 + 1, "b": -5 * 10**12, "": 0}, 0, 10**10) == {"a": 500, "b": -500, "": 0}
    assert printed({"a": 10**10 // 2, "b": 10**10 // 2, "": 0}, 1, 10**10) == {"a": 1, "b": 0, "": 0}


async def test_what_would_have_been_paid(home: BilledHouse) -> None:
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    home.tariff("tiers", {"type": "tiers", "period": "year", "tiers": [{"up_to": 200, "price": "0.10"}, {"price": "0.30"}]})
    home.tariff("francs", {"type": "flat", "price": "0.25"}, currency="CHF")
    await home.contract(start="2026-02-01")
    home.fill("grid_import", "2026-02-01T00:00", "2026-04-01T00:00", 100_000)
    found = (await home.ask("POST", "/contracts/home/what-if", {"tariff": "tiers"})).data
    # February 268.8 kWh: 67.20 or 20 + 68.8 × 0.30 = 40.64; March 297.2 kWh: 74.30 or, all in the second tier, 89.16
    assert [(row["actual"], row["would"], row["saving"]) for row in found["periods"]] == [("67.20", "40.64", "26.56"), ("74.30", "89.16", "-14.86")]
    assert (found["actual"], found["would"], found["saving"]) == ("141.50", "129.80", "11.70")
    inline = {"currency": "EUR", "components": [{"type": "flat", "price": "0.20"}]}
    assert (await home.ask("POST", "/contracts/home/what-if", {"tariff": inline, "start": "2026-03-01"})).data["would"] == "59.44"
    home.tariff("spot", {"type": "dynamic", "series": "market"})
    await home.price("market", "2026-03-01T00:00", *[100_000] * 743)  # February has none
    found = (await home.ask("POST", "/contracts/home/what-if", {"tariff": "spot"})).data
    assert ([row["counted"] for row in found["periods"]], found["left_out"]) == ([False, True], 1)
    assert (found["actual"], found["would"], found["saving"]) == ("74.30", "29.72", "44.58")
    found = (await home.ask("POST", "/contracts/home/what-if", {"tariff": "spot", "end": "2026-03-01"})).data
    assert (found["actual"], found["saving"], found["left_out"]) == (None, None, 1)
    earlier = {"tariff": [{"from": "2026-01-01", "tariff": "flat"}], "import": "grid_import", "start": "2026-01-01"}
    await home.ask("PUT", "/contracts/home", earlier)  # of January nothing is known
    found = (await home.ask("POST", "/contracts/home/what-if", {"tariff": "flat"})).data
    assert ([row["counted"] for row in found["periods"]], found["actual"]) == ([False, True, True], "141.50")
    for body, words in (({"tariff": "francs"}, "in CHF, the contract in EUR"), ({"tariff": {"currency": "EUR"}}, "components"),
                        ({"tariff": "flat", "start": "2026-03-02", "end": "2026-03-05"}, "no billing period of contract 'home' lies"),
                        ({"tariff": "flat", "start": "2027-01-01"}, "a start before the end")):  # fmt: skip
        with pytest.raises(Invalid, match=words):
            await home.ask("POST", "/contracts/home/what-if", body)
    with pytest.raises(NotFound, match="no tariff"):
        await home.ask("POST", "/contracts/home/what-if", {"tariff": "none"})


async def sunny_day(home: BilledHouse) -> None:
    """One day of 1 kWh at noon and at 22:00. The sun gives 3 kWh at noon: 1 is used, 1 charged, 1 sold; the battery gives 1 at 22:00."""
    home.tariff("tou", DAY_NIGHT, {"type": "flat", "name": "feed-in", "direction": "export", "price": "0.05"})
    home.tariff("flat", {"type": "flat", "price": "0.50"})
    for slug, role in (("pv", Role.PV), ("charge", Role.BATTERY_IN), ("discharge", Role.BATTERY_OUT)):
        home.ledger.point(slug, role)
    await home.contract(tariff="tou", export="grid_export", cycle={"dates": ["2026-04-01", "2026-04-02"]})
    for slug in ("grid_import", "grid_export", "pv", "charge", "discharge"):
        home.fill(slug, "2026-04-01T00:00", "2026-04-02T00:00", 0)
    for slug, hour, mwh in (("pv", 12, 3), ("charge", 12, 1), ("grid_export", 12, 1), ("discharge", 22, 1), ("grid_import", 6, 1)):
        home.ledger.lay(slug, at(f"2026-04-01T{hour:02}:00"), [mwh * 1_000_000])


async def test_savings_name_their_baselines(home: BilledHouse) -> None:
    await sunny_day(home)
    found = await home.get("/contracts/home/savings", period="2026-04-01", tariff="flat")
    amounts = {name: each["amount"] for name, each in found["savings"].items()}
    # billed: 1 kWh at 06:00 × 0.20 − 1 × 0.05 = 0.15
    assert found["total"] == "0.15"
    # no battery: 06:00 and 22:00 bought for 0.20 each, 2 kWh sold for 0.10: 0.30, so the battery saved 0.15
    assert amounts["battery"] == "0.15"
    # no roof either: 06:00 0.20, noon 0.40, 22:00 0.20 = 0.80, so the roof saved 0.50 of it
    assert amounts["pv"] == "0.50"
    # the day's mean price is 0.30 (half the slots at 0.40, half at 0.20): 1 kWh for 0.20 saved 0.10
    assert amounts["load_shifting"] == "0.10"
    # under the other tariff: 1 kWh × 0.50, and nothing for what is sold
    assert amounts["tariff"] == "0.35"
    assert all(each["against"] for each in found["savings"].values())


async def test_another_tariff_goes_on_in_the_tier_of_the_year_that_the_earlier_bills_came_to(home: BilledHouse) -> None:
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    tiers = {"type": "tiers", "name": "energy", "period": "year", "tiers": [{"up_to": 500, "price": "0.20"}, {"price": "0.3123"}]}
    peak = {"type": "capacity", "name": "peak", "price": "1.50", "average": 2}
    home.tariff("yearly", tiers)
    home.tariff("peaks", peak)
    await home.contract(start="2025-12-01")
    home.fill("grid_import", "2025-12-01T00:00", "2026-01-01T00:00", 200_000)
    home.fill("grid_import", "2026-01-01T00:00", "2026-03-01T00:00", 100_000)
    home.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 50_000)

    async def saved(period: str, tariff: str) -> str:
        found = await home.get("/contracts/home/savings", period=period, tariff=tariff)
        amount: str = found["savings"]["tariff"]["amount"]
        return amount

    # December 2025 is 595.2 kWh in another year: 500 × 0.20 + 95.2 × 0.3123 = 100 + 29.73 (29.73096), less 148.80
    assert await saved("2025-12", "yearly") == "-19.07"
    # January 297.6 kWh, all in the first tier of its own year: 59.52, less 74.40
    assert await saved("2026-01", "yearly") == "-14.88"
    # February 268.8 kWh, of which 500 − 297.6 = 202.4 are left of the first tier: 40.48 + 66.4 × 0.3123 = 20.74 (20.73672), less 67.20
    assert await saved("2026-02", "yearly") == "-5.98"
    # March has an hour less: 743 h × 0.2 kW = 148.6 kWh, all in the second tier: 46.41 (46.40778), less 37.15
    assert await saved("2026-03", "yearly") == "9.26"
    # Peaks of earlier months count as well: in March (0.4 + 0.2) / 2 = 0.3 kW × 1.50 = 0.45, less 37.15
    assert await saved("2026-03", "peaks") == "-36.70"
    # It is the same in the row of what would have been paid, which begins in the middle of that year: 37.15 − 46.41
    found = (await home.ask("POST", "/contracts/home/what-if", {"tariff": "yearly", "start": "2026-03-01"})).data
    assert (found["would"], found["saving"]) == ("46.41", "-9.26")


async def test_against_its_own_tariff_nothing_is_saved(home: BilledHouse) -> None:
    home.tariff("tiers", {"type": "tiers", "name": "energy", "period": "year", "tiers": [{"up_to": 400, "price": "0.20"}, {"price": "0.30"}]})
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.contract(tariff=[{"from": "2026-01-01", "tariff": "flat"}, {"from": "2026-02-01", "tariff": "tiers"}])
    home.fill("grid_import", "2026-01-01T00:00", "2026-04-01T00:00", 100_000)
    found = await home.get("/contracts/home/savings", period="2026-03", tariff="tiers")
    # February's 268.8 kWh count, January's do not, as it had another tariff: 131.2 × 0.20 + 166 × 0.30 = 26.24 + 49.80
    assert (found["total"], found["savings"]["tariff"]["amount"]) == ("76.04", "0.00")
    assert (await home.ask("POST", "/contracts/home/what-if", {"tariff": "tiers", "start": "2026-03-01"})).data["saving"] == "0.00"


async def test_a_house_without_roof_and_battery_saves_nothing_by_them(home: BilledHouse) -> None:
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.contract()
    home.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
    savings: dict[str, Any] = (await home.get("/contracts/home/savings", period="2026-03"))["savings"]
    assert {name: each["amount"] for name, each in savings.items()} == {"pv": None, "battery": None, "load_shifting": "0.00", "tariff": None}


async def test_changed_intervals_have_their_worth(home: BilledHouse) -> None:
    home.tariff("tiers", {"type": "tiers", "period": "month", "tiers": [{"up_to": 100, "price": "0.10"}, {"price": "0.30"}]})
    await home.contract(tariff="tiers")
    home.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
    [before] = (await home.ledger.sheets(["grid_import"], at("2026-03-31T23:30"), at("2026-04-01T00:30")))["grid_import"]
    home.ledger.lay("grid_import", at("2026-03-31T23:30"), [1_100_000, 100_000, 500_000, 0])
    [after] = (await home.ledger.sheets(["grid_import"], at("2026-03-31T23:30"), at("2026-04-01T00:30")))["grid_import"]
    [worth] = await home.billing.valuer.value([Changed("grid_import", [before], [after])])
    # March: 297.2 kWh = 10 + 59.16, with 1 kWh more in the second tier 0.30; April: 0.5 kWh in the first tier 0.05
    assert (worth.contract, worth.before, worth.after - worth.before) == ("home", Fraction("69.16"), Fraction("0.35"))
    assert await home.billing.valuer.value([Changed("grid_export", [before], [after])]) == []
