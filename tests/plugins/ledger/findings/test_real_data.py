"""Real data: a household with its sub-meters and a factory give no findings, a PV system just the gaps it has."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ohmstead.core.clock import to_ms
from tests.fakes.corrected_house import HOUR, MINUTE, CorrectedHouse

DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[5] / "shared" / "data"))
QUARTER = 15 * MINUTE


def rows(name: str, column: str, beginnings: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a file whose column begins with one of these."""
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not in {DATA}; set OHMSTEAD_DATA to where it is")
    with gzip.open(DATA / name, "rt") as file:
        yield from (row for row in csv.DictReader(file) if row[column].startswith(beginnings))


async def metered(house: CorrectedHouse, slug: str, role: str, periods: list[tuple[int, int, float]], **given: object) -> None:
    """A meter point with energies of periods."""
    await house.point(slug, role, "energy", **given)
    batch = house.ingest.batch("test", "test")
    for from_ms, to_ms_, kwh in periods:
        assert batch.add(batch.feed(slug), "energy", kwh, to_ms_, from_ms) is None
    await house.ingest.store(batch)
    await house.settle()


async def test_a_household_and_its_sub_meters(sqlite_url: str, tmp_path: Path) -> None:
    found = list(rows("household_hourly_2006_2008.csv.gz", "hour_start_local", ("2007-02", "2007-03")))
    zone = timezone(timedelta(hours=1))
    starts = [to_ms(datetime.fromisoformat(row["hour_start_local"]).replace(tzinfo=zone)) for row in found]
    async with CorrectedHouse(sqlite_url, tmp_path) as house:
        energies = [float(row["active_energy_kwh"]) for row in found]
        await metered(house, "grid", "grid_import", [(at, at + HOUR, kwh) for at, kwh in zip(starts, energies, strict=True)])
        for number in (1, 2, 3):
            parts = [float(row[f"sub_metering_{number}_wh"]) / 1000 for row in found]
            await metered(house, f"sub{number}", "load", [(at, at + HOUR, kwh) for at, kwh in zip(starts, parts, strict=True)])
        assert await house.found() == []


async def test_a_factory_with_its_own_plausible_maximum(sqlite_url: str, tmp_path: Path) -> None:
    found = list(rows("factory_15min_2018.csv.gz", "date_dmy_hm", tuple(f"{day}/11/2018" for day in range(1, 31))))
    periods = []
    for row in found:
        end = datetime.strptime(row["date_dmy_hm"], "%d/%m/%Y %H:%M").replace(tzinfo=timezone(timedelta(hours=9)))
        end_ms = to_ms(end + timedelta(days=(end.hour, end.minute) == (0, 0)))
        periods.append((end_ms - QUARTER, end_ms, float(row["usage_kwh"])))
    async with CorrectedHouse(sqlite_url, tmp_path) as house:
        await metered(house, "factory", "grid_import", periods, plausible_max=700)
        assert await house.found() == []


async def test_a_pv_system_has_just_the_gaps_it_has(sqlite_url: str, tmp_path: Path) -> None:
    found = rows("pv_15min_2012.csv.gz", "interval_start", ("2012-08", "2012-09", "2012-10"))
    powers = [(to_ms(datetime.fromisoformat(row["interval_start"])), float(row["ac_power_w"])) for row in found if row["ac_power_w"]]
    async with CorrectedHouse(sqlite_url, tmp_path) as house:
        await metered(house, "pv", "pv", [(at, at + QUARTER, max(0, watts) / 4000) for at, watts in powers])
        await house.point("inverter", role="custom", quantity="power")
        await house.store_all("inverter", "power", powers)
        gaps = await house.found()
        assert {gap["cause"] for gap in gaps} == {"gap"}
        by_point = {slug: sorted(gap["start"] for gap in gaps if gap["meter_point"] == slug) for slug in ("pv", "inverter")}
        assert by_point["pv"] == ["2012-09-24T20:15:00Z", "2012-10-23T22:15:00Z"]
        assert by_point["inverter"] == ["2012-09-24T21:00:00Z", "2012-10-23T23:00:00Z"]  # a value holds, at most for an hour
        assert all(gap["proposal"]["correction"]["kind"] == "spread" for gap in gaps)
