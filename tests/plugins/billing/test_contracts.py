"""Contracts: over the API, from the YAML, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.billing.schemas import CONTRACT
from ohmstead.plugins.ledger.points.points import Role
from tests.fakes.billed_house import BilledHouse

FLAT = {"type": "flat", "price": "0.30"}


async def test_a_contract_is_made_changed_and_removed(house: BilledHouse) -> None:
    house.tariff("flat", FLAT)
    made = await house.contract(export="grid_export", supplier="Stadtwerke", start="2026-01-01", cycle={"day": 15, "at": "06:00"})
    assert made["currency"] == "EUR"
    assert made["starts_at"] == "2026-01-01T05:00:00Z"  # 06:00 in Berlin
    assert made["cycle"] == {"day": 15, "months": 1, "at": "06:00", "clock": "local"}
    assert made["problems"] == []

    again = await house.ask("PUT", "/contracts/home", {"import": ["grid_import"], "tariff": "flat", "cycle": {"first": "2026-02", "months": 3}})
    assert again.data["cycle"]["first"] == "2026-02"
    await house.billing.contracts.open()  # what is stored reads back
    assert await house.get("/contracts/home") == again.data
    assert [each["id"] for each in await house.walk("/contracts", limit=1)] == ["home"]

    assert (await house.ask("DELETE", "/contracts/home")).data == {"id": "home", "removed": True}
    with pytest.raises(NotFound, match="there is no contract 'home'"):
        await house.get("/contracts/home")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"import": "grid_imprt"}, "there is no meter point 'grid_imprt'. Did you mean \"grid_import\"?"),
        ({"tariff": "flt"}, "there is no tariff 'flt'"),
        ({"currency": "CHF"}, "tariff 'flat' is in EUR, the contract in CHF; a contract has one currency"),
        ({"location": "cellar"}, "there is no location 'cellar'"),
        ({"start": "2026-02-01", "end": "2026-02-01"}, "lies before the start, or on it"),
        ({"import": [], "export": []}, "expected at least one meter point"),
        ({"export": "grid_import"}, "grid_import is named twice"),
        ({"import": ["grid_import", "gas"]}, "measure different things, m³ and kWh"),
        ({"tariff": [{"from": "2026-01-01", "tariff": "flat"}, {"from": "2026-03-01", "tariff": "francs"}]}, "tariff 'francs' is in CHF"),
    ],
)
async def test_what_cannot_be_is_refused(home: BilledHouse, given: dict[str, Any], words: str) -> None:
    home.tariff("flat", FLAT)
    home.tariff("francs", FLAT, currency="CHF")
    home.ledger.point("gas", Role.GAS)
    with pytest.raises(Invalid, match=words.replace("?", r"\?")):
        await home.contract(**given)
    assert [*home.billing.contracts] == []


async def test_two_contracts_do_not_bill_a_meter_point_at_once(home: BilledHouse) -> None:
    home.tariff("flat", FLAT)
    await home.contract("old", end="2026-03-01")
    with pytest.raises(Invalid, match="contract 'old' bills grid_import at the same time"):
        await home.contract("new", start="2026-02-01")
    await home.contract("new", start="2026-03-01")
    with pytest.raises(Conflict, match="exists already"):
        await home.contract("new", start="2026-03-01")


async def test_the_yaml_is_read_only_over_the_api(home: BilledHouse) -> None:
    home.tariff("flat", FLAT)
    contracts = home.billing.contracts
    await contracts.apply({"home": vol.Schema(CONTRACT)({"import": "grid_import", "tariff": "flat"})})
    for method, body in (("PUT", {"tariff": "flat"}), ("DELETE", None)):
        with pytest.raises(Conflict, match="is defined in the configuration file"):
            await home.ask(method, "/contracts/home", body)
    assert (await home.get("/contracts/home"))["origin"] == "yaml"


async def test_the_yaml_may_name_a_meter_point_that_is_not_there_yet(home: BilledHouse) -> None:
    schema = vol.Schema({str: CONTRACT})
    sections: dict[str, Any] = {
        "tariffs": {"flat": {"currency": "EUR"}}, "locations": {}, "home": {"time_zone": "Europe/Berlin"},
        "contracts": schema({
            "a": {"import": "later", "tariff": "flat"},
            "b": {"import": "later", "tariff": "flt"},
            "c": {"import": "other", "tariff": "flat", "currency": "USD", "location": "attic"},
        }),
    }  # fmt: skip
    assert list(home.billing.contracts.yaml_problems(sections)) == [
        (("a", "import"), "contract 'b' bills later at the same time; end one of them before the other starts"),
        (("b", "tariff"), "there is no tariff 'flt'. Did you mean \"flat\"?"),
        (("b", "import"), "contract 'a' bills later at the same time; end one of them before the other starts"),
        (("c", "location"), "there is no location 'attic'."),
        (("c", "tariff"), "tariff 'flat' is in EUR, the contract in USD; a contract has one currency"),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"start": "2026-02-30"}, "expected a day such as 2026-03-01"),
        ({"start": "0001-01-01"}, "expected a day from 1980 to 2200"),
        ({"cycle": {"day": 32}}, "expected a whole number from 1 to 31"),
        ({"cycle": {"months": 10**999}}, "expected a finite number"),
        ({"cycle": {"at": "06:07"}}, "on a quarter of an hour"),
        ({"cycle": {"at": "25:00"}}, "on a quarter of an hour"),
        ({"cycle": {"dates": ["2026-01-01"]}}, "expected at least two days"),
        ({"cycle": {"dates": ["2026-02-01", "2026-01-01"]}}, "2026-01-01 does not come after 2026-02-01"),
        ({"cycle": {"first": "2026-13"}}, "expected a month"),
        ({"tariff": [{"from": "2026-02-01", "tariff": "a"}, {"from": "2026-02-01", "tariff": "b"}]}, "does not come after"),
        ({"tariff": []}, "expected the id of a tariff"),
    ],
)
def test_options_are_checked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(vol.MultipleInvalid, match=words):
        vol.Schema(CONTRACT)({"tariff": "flat", **given})


def test_yaml_reads_a_time_of_day_as_minutes() -> None:
    assert vol.Schema(CONTRACT)({"tariff": "flat", "cycle": {"at": 990}})["cycle"]["at"].isoformat() == "16:30:00"
