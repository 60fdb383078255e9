"""Export against import, worked out by hand."""

from __future__ import annotations

import json
from typing import Any

from ohmstead.plugins.tariffs.lines import Priced
from ohmstead.plugins.tariffs.usage import Usage
from tests.fakes.tariffs import ms, priced, sheet, tariff, told

PRICES = """
components:
  - {type: flat, name: energy, price: 0.30}
  - {type: flat, name: feed-in, direction: export, price: 0.08}
"""
KWH = 1_000_000


def both(start: str, imported: list[int], exported: list[int]) -> Usage:
    return Usage([sheet(ms(start), [each * KWH for each in imported])], [sheet(ms(start), [each * KWH for each in exported])])


def net(netting: str, usage: Usage, start: str = "2026-01-01", end: str = "2026-02-01", prices: str = PRICES, **more: Any) -> Priced:
    return priced(f"{prices}\nnetting: {netting}" if netting else prices, start, end, usage, **more)


def test_without_netting_both_are_priced_whole() -> None:
    assert told(net("", both("2026-01-01", [3, 1], [1, 4]))) == ["energy: 4 kWh × 0.3 = 1.2", "feed-in: 5 kWh × -0.08 = -0.4"]


def test_by_the_slot() -> None:
    # 3 - 1 = 2 imported, 4 - 1 = 3 exported
    found = net("{over: slot}", both("2026-01-01", [3, 1], [1, 4]))
    assert told(found) == ["energy: 2 kWh × 0.3 = 0.6", "feed-in: 3 kWh × -0.08 = -0.24"]
    assert found.netted[0][2:5] == (4 * KWH, 5 * KWH, 2 * KWH)


def test_by_the_hour_of_local_time() -> None:
    # first hour 4 - 3 = 1 imported, shared 3 : 1 over its slots; second hour 2 - 6 = 4 exported
    found = net("{over: hour}", both("2026-01-01", [3, 1, 0, 0, 2, 0, 0, 0], [0, 0, 3, 0, 0, 6, 0, 0]))
    assert told(found) == ["energy: 1 kWh × 0.3 = 0.3", "feed-in: 4 kWh × -0.08 = -0.32"]
    assert [float(each.quantity) for each in found.lines[0].opened()] == [0.75, 0.25, 0, 0, 0, 0, 0, 0]


def test_over_the_bill() -> None:
    # 4 - 1 = 3 imported; or 4 - 5 = 1 exported
    assert told(net("{over: bill}", both("2026-01-01", [3, 1], [1, 0]))) == ["energy: 3 kWh × 0.3 = 0.9", "feed-in: 0 kWh × -0.08 = 0"]
    assert told(net("{over: bill}", both("2026-01-01", [3, 1], [1, 4]))) == ["energy: 0 kWh × 0.3 = 0", "feed-in: 1 kWh × -0.08 = -0.08"]


def test_grid_fees_may_be_of_all_that_was_imported() -> None:
    prices = "components: [{type: flat, name: energy, price: 0.30}, {type: flat, name: grid, price: 0.10, gross: true}]"
    assert told(net("{over: bill}", both("2026-01-01", [4], [3]), prices=prices)) == ["energy: 1 kWh × 0.3 = 0.3", "grid: 4 kWh × 0.1 = 0.4"]


def test_kwh_are_carried_over_and_expire() -> None:
    rule = "{over: bill, carry: kwh, expires_months: 2}"
    january = net(rule, both("2026-01-01", [2], [5]))  # 3 kWh into the bank, earned on 1 February
    assert told(january)[0] == "energy: 0 kWh × 0.3 = 0"
    february = net(rule, both("2026-02-01", [2], [0]), "2026-02-01", "2026-03-01", carry=january.carry)  # 2 of them drawn
    assert told(february)[0] == "energy: 0 kWh × 0.3 = 0"
    assert (february.netted[0].drawn, february.netted[0].balance) == (2 * KWH, KWH)
    march = net(rule, both("2026-03-01", [2], [0]), "2026-03-01", "2026-04-01", carry=february.carry)  # 1 drawn, 1 imported
    assert told(march)[0] == "energy: 1 kWh × 0.3 = 0.3"
    april = net(rule, both("2026-04-01", [2], [0]), "2026-04-01", "2026-05-01", carry=february.carry)  # had it waited until April:
    assert (told(april)[0], april.netted[0].expired) == ("energy: 2 kWh × 0.3 = 0.6", KWH)


def test_a_true_up_pays_what_is_left_or_forfeits_it() -> None:
    rule = "{over: bill, carry: kwh, true_up: {on: 04-01, price: 0.05}}"
    february = net(rule, both("2026-02-01", [0], [7]), "2026-02-01", "2026-03-01")
    march = net(rule, both("2026-03-01", [1], [4]), "2026-03-01", "2026-04-01", carry=february.carry)  # 7 + 3 = 10 kWh × 0.05
    assert told(march)[-1] == "netting true-up: 10 kWh × -0.05 = -0.5"
    assert march.carry.get("netting", {}) == {}
    forfeited = net(rule.replace(", price: 0.05", ""), both("2026-03-01", [1], [4]), "2026-03-01", "2026-04-01", carry=february.carry)
    assert len(forfeited.lines) == 2
    assert forfeited.carry.get("netting", {}) == {}


YEARLY = "{over: year, carry: kwh, true_up: {on: 01-01, price: 0.05}}"


def test_over_a_year_of_monthly_bills() -> None:
    # January: 100 kWh × 0.30 = 30.00. July: 160 exported, 20 imported: the surplus of 140 meets the 100 of January, paid back
    # at 0.30; 40 are kept. December: 10 imported, met by 10 of the 40. The year ends: 30 × 0.05 = 1.50.
    # In all 130 imported, 160 exported: nothing is paid for energy, and 30 kWh are trued up.
    january = net(YEARLY, both("2026-01-10", [100], [0]))
    assert told(january)[0] == "energy: 100 kWh × 0.3 = 30"
    july = net(YEARLY, both("2026-07-10", [20], [160]), "2026-07-01", "2026-08-01", carry=json.loads(json.dumps(january.carry)))
    assert told(july)[2:] == ["netting import of this year met by export: 100 kWh × -0.3 = -30"]
    assert july.netted[0].balance == 40 * KWH
    december = net(YEARLY, both("2026-12-10", [10], [0]), "2026-12-01", "2027-01-01", carry=july.carry)
    assert told(december) == ["energy: 0 kWh × 0.3 = 0", "feed-in: 0 kWh × -0.08 = 0", "netting true-up: 30 kWh × -0.05 = -1.5"]
    assert sum(each.total for each in (january, july, december)) == -15 / 10


def test_a_year_on_one_bill_carries_over_into_the_next() -> None:
    # 2026: 4000 imported, 4500 exported: nothing to pay, 500 carried. 2027: 4000 imported, 3200 exported: 800 - 500 = 300 × 0.30.
    rule = "{over: bill, carry: kwh}"
    first = net(rule, both("2026-06-01", [4000], [4500]), "2026-01-01", "2027-01-01")
    second = net(rule, both("2027-06-01", [4000], [3200]), "2027-01-01", "2028-01-01", carry=first.carry)
    assert (first.total, told(second)[0]) == (0, "energy: 300 kWh × 0.3 = 90")
    # the same by a rule over the year, which goes on from year to year when nothing says that it is trued up
    first = net("{over: year, carry: kwh}", both("2026-06-01", [4000], [4500]), "2026-01-01", "2027-01-01")
    second = net("{over: year, carry: kwh}", both("2027-06-01", [4000], [3200]), "2027-01-01", "2028-01-01", carry=first.carry)
    assert (first.total, told(second)[0]) == (0, "energy: 300 kWh × 0.3 = 90")


def test_import_of_last_year_is_not_paid_back() -> None:
    december = net(YEARLY, both("2026-12-10", [100], [0]), "2026-12-01", "2027-01-01")
    january = net(YEARLY, both("2027-01-10", [0], [50]), "2027-01-01", "2027-02-01", carry=december.carry)
    assert (january.total, january.netted[0].balance) == (0, 50 * KWH)


def test_money_is_carried_over() -> None:
    # January: 10 × 0.30 - 50 × 0.08 = -1.00, carried. February: 2 × 0.30 = 0.60, all of it met; 0.40 is left.
    # March: 3 × 0.30 = 0.90 - 0.40 = 0.50.
    rule = "{carry: money}"
    january = net(rule, both("2026-01-10", [10], [50]))
    assert told(january)[2:] == ["netting carried over to later bills: 1 bill × 1 = 1"]
    assert january.total == 0
    february = net(rule, both("2026-02-10", [2], [0]), "2026-02-01", "2026-03-01", carry=january.carry)
    assert told(february)[2:] == ["netting credit of earlier bills: 1 bill × -0.6 = -0.6"]
    march = net(rule, both("2026-03-10", [3], [0]), "2026-03-01", "2026-04-01", carry=february.carry)
    assert march.total == 5 / 10
    # with a true-up on 1 April the rest would have been paid out with the bill of March, had there been no import
    paid = net("{carry: money, true_up: {on: 04-01}}", both("2026-03-10", [0], [0]), "2026-03-01", "2026-04-01", carry=february.carry)
    assert told(paid)[2:] == ["netting true-up: 1 bill × -0.4 = -0.4"]


def test_a_change_of_price_does_not_begin_the_netting_anew() -> None:
    # 6 imported in the first half, 4 exported in the second: 2 are left of the 6, all at the price of the first version
    found = priced(tariff("""
    versions:
      - {from: 2026-01-01, netting: {over: bill}, components: [{type: flat, price: 0.30}]}
      - {from: 2026-01-16, netting: {over: bill}, components: [{type: flat, price: 0.40}]}
    """), "2026-01-01", "2026-02-01", Usage([sheet(ms("2026-01-02"), [6 * KWH])], [sheet(ms("2026-01-20"), [4 * KWH])]))  # fmt: skip
    assert [line for line in told(found) if "0 kWh" not in line] == ["flat: 2 kWh × 0.3 = 0.6"]
