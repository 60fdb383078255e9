"""Two years of a simulated home: its 26 monthly bills agree with its hours, and an error put into one is found and named.

The hours are rounded to 0.01 kWh, so a month of them may be off by as much as 0.15 kWh. Bills begin at midnight of the
standard time, which is 01:00 in summer.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ohmstead.core import validate
from ohmstead.core.plugin import InvoiceRow, PeriodRow
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.csv_file import AMOUNTS, INVOICES, CsvFile
from tests.fakes.paper_ledger import SLOT_MS
from tests.fakes.reconciled_house import ReconciledHouse

DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[5] / "shared" / "data"))
_, HOURS, BILLS = CsvFile(Quantities()).ohmstead_importers()
ZONE = "America/Chicago"


def data(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not in {DATA}; set OHMSTEAD_DATA to where it is")
    return DATA / name


@pytest.fixture
async def simulated(sqlite_url: str, tmp_path: Path) -> AsyncIterator[ReconciledHouse]:
    rows = list(HOURS.read(data("simulated_home_hourly_2015_2018.csv.gz"), validate.options(AMOUNTS, {"column": "value", "period": "1h"})))
    async with ReconciledHouse(sqlite_url, tmp_path) as house:
        place = house.devices.locations.get("home")
        house.devices.locations.put(msgspec.structs.replace(place, time_zone=ZONE))
        house.tariff("flat", {"type": "flat", "name": "energy", "price": "0.12"}, currency="USD", vat=0)
        await house.contract()
        for row in rows:
            assert isinstance(row, PeriodRow), row
            quarter, rest = divmod(row.amount, (row.to_ms - row.from_ms) // SLOT_MS)
            house.ledger.lay("grid_import", row.from_ms, [quarter + rest, *[quarter] * 3])
        yield house


def bills() -> list[dict[str, Any]]:
    found = list(BILLS.read(data("simulated_home_bills_monthly.csv"), validate.options(INVOICES, {"columns": "kwh=value"})))
    return [{**row.body, "contract": "home"} for row in found if isinstance(row, InvoiceRow)]


async def check(house: ReconciledHouse, bill: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await house.ask("POST", "/invoices/check", bill, format="json")).data
    return found


async def test_all_26_agree_and_a_seeded_error_is_named(simulated: ReconciledHouse) -> None:
    given = bills()
    assert len(given) == 26
    for bill in given:
        found = await check(simulated, bill)
        assert found["agrees"], found
        assert abs(float(found["figures"][0]["difference"])) <= 0.15

    bill = given[7]  # 2016-06-25T01:00-05:00, in summer
    start, end = found_span = (bill["start"], bill["end"])
    assert found_span == ("2016-06-25T01:00:00-05:00", "2016-07-22T01:00:00-05:00")
    late = await energy(simulated, start, "2016-07-22T06:00:00-05:00")
    found = await check(simulated, {**bill, "kwh": f"{late:.2f}"})
    assert found["causes"][0]["cause"] == "wrong period boundary"
    assert "ends at 2016-07-22 06:00 instead of 2016-07-22 01:00" in found["causes"][0]["text"]

    without = float(bill["kwh"]) - await energy(simulated, "2016-07-04T00:00:00-05:00", "2016-07-05T00:00:00-05:00")
    found = await check(simulated, {**bill, "kwh": f"{without:.2f}"})
    assert found["causes"][0]["cause"] == "missing interval"
    assert "2016-07-04" in found["causes"][0]["text"]

    found = await check(simulated, {**bill, "kwh": f"{float(bill['kwh']) * 10:.1f}"})
    assert [each["cause"] for each in found["causes"]] == ["unexplained"]

    found = await check(simulated, {**bill, "total": f"{float(bill['kwh']) * 0.12 * 1.07:.2f}", "net": f"{float(bill['kwh']) * 0.12:.2f}"})
    assert [each["cause"] for each in found["causes"] if each["cause"] not in ("rounding", "tolerance")] == ["VAT"]
    assert end == bill["end"]


async def energy(house: ReconciledHouse, start: str, end: str) -> float:
    found = await check(house, {"id": "x", "contract": "home", "start": start, "end": end, "kwh": "0"})
    return float(found["expected"]["kwh"])
