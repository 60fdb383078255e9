"""CSV files into readings: real files with known totals, and every way a file can be wrong."""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import voluptuous as vol
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core import validate
from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import ImportRow
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.csv_file import SCHEMA, CsvFile

IMPORTER, *_ = CsvFile(Quantities()).ohmstead_importers()
DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[4] / "shared" / "data"))


def read(path: Path, **options: Any) -> tuple[list[ImportRow], list[str]]:
    found = list(IMPORTER.read(path, validate.options(SCHEMA, options)))
    return [x for x in found if isinstance(x, ImportRow)], [x for x in found if isinstance(x, str)]


def data(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {DATA}; set OHMSTEAD_DATA to where it is")
    return path


def write(folder: Path, text: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_a_year_and_more_of_a_household() -> None:
    path = data("household_hourly_2006_2008.csv.gz")
    rows, mistakes = read(path, device="house", zone="+01:00", period="1h", columns=[
        "energy=active_energy_kwh", "voltage=voltage_v_mean", "kitchen.energy=sub_metering_1_wh:Wh",
    ])  # fmt: skip
    assert not mistakes
    assert len(rows) == 3 * 17_911
    years: dict[int, float] = defaultdict(float)
    house = [row for row in rows if row.device == "house" and row.quantity == "energy"]
    for row in house:
        assert row.from_ms is not None
        years[(from_ms(row.from_ms) + timedelta(hours=1)).year] += row.value
        assert row.at_ms - row.from_ms == 3_600_000
    assert years == pytest.approx(
        {2006: 697.113, 2007: 9759.073, 2008: 9418.450}, abs=0.0006)  # fmt: skip
    largest = max(house, key=lambda row: row.value)
    assert (largest.value, from_ms(largest.from_ms or 0)) == (6.56053, datetime(2008, 11, 23, 17, tzinfo=UTC))


def test_a_factory_whose_midnight_is_the_end_of_its_day() -> None:
    path = data("factory_15min_2018.csv.gz")
    rows, mistakes = read(path, device="works", zone="Asia/Seoul", columns="energy=usage_kwh", period="15m", label="end",
                          time_format="%d/%m/%Y %H:%M", midnight="end_of_day")  # fmt: skip
    assert not mistakes
    assert len({row.at_ms for row in rows}) == 35_040
    assert sum(row.value for row in rows) == pytest.approx(959_636.71, abs=1e-6)
    ends = [row.at_ms for row in rows]
    assert all(b - a == 900_000 for a, b in pairwise(ends))
    largest = max(rows, key=lambda row: row.value)
    assert (largest.value, from_ms(largest.at_ms).astimezone(ZoneInfo("Asia/Seoul")).isoformat()) == (157.18, "2018-11-22T09:45:00+09:00")


def test_a_photovoltaic_plant_with_gaps() -> None:
    path = data("pv_15min_2012.csv.gz")
    rows, mistakes = read(path, columns="pv.power=ac_power_w", time="interval_start", kind="gauge")
    assert not mistakes
    assert len(rows) == 35_136 - 1701
    assert sum(row.value for row in rows) * 0.25 / 1000 == pytest.approx(4989.245, abs=0.001)
    assert from_ms(rows[0].at_ms) == datetime(2012, 1, 1, 7, tzinfo=UTC)
    _, mistakes = read(path, columns="pv.power=ac_power_w", skip_empty=False)
    assert len(mistakes) == 1701


def test_a_home_and_its_bills() -> None:
    rows, mistakes = read(data("simulated_home_hourly_2015_2018.csv.gz"), device="home", columns="energy=value", period="1h")
    assert not mistakes
    assert len(rows) == 19_417
    assert sum(row.value for row in rows) == pytest.approx(21_927.13)
    bills, mistakes = read(data("simulated_home_bills_monthly.csv"), device="home", columns="energy=value", period="next")
    assert not mistakes
    assert len(bills) == 26
    for bill in bills:
        hours = sum(row.value for row in rows if bill.from_ms <= row.from_ms < bill.at_ms)
        assert bill.value == pytest.approx(hours, abs=0.16)  # the bills are rounded


def test_counters_units_decimal_commas_and_other_delimiters(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffZeit;Zähler;Außen °F;Modus\r\n01.02.2026 12:00;1234,5;50;auto\r\n01.02.2026 13:00;1 234;1.5;\r\n")
    rows, mistakes = read(path, device="m", zone="Europe/Berlin", delimiter=";", decimal=",", time_format="%d.%m.%Y %H:%M", kind="counter",
                          columns={"energy_import": {"column": "Zähler", "unit": "Wh"}})  # fmt: skip
    assert [(row.device, row.quantity, row.value, row.place) for row in rows] == [("m", "energy_import", 1.2345, "line 2")]
    assert from_ms(rows[0].at_ms) == datetime(2026, 2, 1, 11, tzinfo=UTC)
    assert mistakes == ["line 3: energy_import is no number: '1 234'"]
    rows, mistakes = read(path, device="m", zone="UTC", delimiter=";", decimal=",", time_format="%d.%m.%Y %H:%M",
                          columns={"temperature": {"column": "Außen °F", "unit": "°F"}, "mode": "Modus"})  # fmt: skip
    assert [row.value for row in rows] == [pytest.approx(10), "auto"]
    assert mistakes == ["line 3: temperature is no number: '1.5'"]


def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(gzip.compress(b"t,v\n2026-01-01T00:00:00Z,1\n"))
    assert read(path, columns="d.power=v")[0][0].value == 1
    path.write_bytes(gzip.compress(b"t,v\n2026-01-01T00:00:00Z,1\n" * 5000)[:60])
    with pytest.raises(Invalid, match="cut short"):
        read(path, columns="d.power=v")
    path.write_bytes(b"\x1f\x8b" + b"x" * 50)
    with pytest.raises(Invalid, match="broken"):
        read(path, columns="d.power=v")


def test_bad_rows_are_told_by_line_and_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "t,dev,v\n2026-01-01T00:00Z,a,1\nyesterday,a,2\n2026-01-01T00:10Z,a\n\n2026-01-01T00:20Z,a,lots\n2026-01-01T00:30Z,a/b,4\n"
                           '2026-01-01T00:40Z,a,inf\n2026-01-01T00:50,a,6\n2026-01-01T01:00Z,b,1_0\n"2026-01-01T02:00Z",b,7\n')  # fmt: skip
    rows, mistakes = read(path, columns="power=v", device_column="dev")
    assert [(row.device, row.value, row.place) for row in rows] == [("a", 1, "line 2"), ("b", 7, "line 11")]
    assert [m.partition(":")[0] for m in mistakes] == [f"line {n}" for n in (3, 4, 6, 7, 8, 9, 10)]
    assert "2 cells, expected 3" in mistakes[1]
    assert "give the zone" in mistakes[5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "d.powr=v"}, "unknown quantity 'powr'.*power"),
        ({"columns": "d.power=w"}, "no column 'w'; there are t, v"),
        ({"columns": "d.power=v:kWh"}, "kWh cannot be turned into W"),
        ({"columns": "d.power=v", "time": "when"}, "no column 'when'"),
        ({"columns": "power=v"}, "which device"),
        ({"columns": "d.energy=v"}, "say how long"),
        ({"columns": "d.power=v", "kind": "delta"}, "power is a gauge, not a delta; the energy of a period is energy"),
    ],
)  # fmt: skip
def test_what_makes_a_file_unreadable_is_told_at_once(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        read(write(tmp_path, "t,v\n2026-01-01T00:00Z,1\n"), **options)


def test_an_empty_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="empty"):
        read(write(tmp_path, ""), columns="d.power=v")


@pytest.mark.parametrize("columns", ["power", 7, [], {"power": {"unit": "W"}}, "a b.power=v", "power="])
def test_columns_that_cannot_be_meant(columns: Any) -> None:
    with pytest.raises(vol.Invalid):
        validate.options(SCHEMA, {"columns": columns})


def test_a_zone_is_a_place_or_an_offset() -> None:
    for good in ("Europe/Paris", "UTC", "+01:00", "-0330"):
        assert validate.options(SCHEMA, {"columns": "power=v", "zone": good})["zone"]
    for bad in ("Paris", "+25:00", 1):
        with pytest.raises(vol.Invalid):
            validate.options(SCHEMA, {"columns": "power=v", "zone": bad})


def test_the_hour_that_comes_twice_is_told_by_the_order_of_rows(tmp_path: Path) -> None:
    stamps = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    lines = [f"2026-10-25 {stamp},{n}" for n, stamp in enumerate(stamps)]
    for order in (1, -1):
        path = write(tmp_path, "\n".join(["t,v", *lines[::order]]))
        rows, mistakes = read(path, columns="d.power=v", zone="Europe/Berlin")
        assert not mistakes
        times = sorted((row.at_ms, row.value) for row in rows)
        assert [value for _, value in times] == list(range(6)), order
        assert [b[0] - a[0] for a, b in pairwise(times)] == [1_800_000] * 5


def test_two_devices_in_one_file_each_have_their_own_second_hour(tmp_path: Path) -> None:
    lines = [f"2026-10-25 {stamp},{device},1" for stamp in ("02:00", "02:30", "02:00", "02:30") for device in ("a", "b")]
    rows, _ = read(write(tmp_path, "\n".join(["t,d,v", *lines])), columns="power=v", device_column="d", zone="Europe/Berlin")
    assert len({(row.device, row.at_ms) for row in rows}) == 8


def test_a_time_that_never_was_is_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, "t,v\n2026-03-29 01:59,1\n2026-03-29 02:00,2\n2026-03-29 02:59,3\n2026-03-29 03:00,4\n")
    rows, mistakes = read(path, columns="d.power=v", zone="Europe/Berlin")
    assert [row.value for row in rows] == [1, 4]
    assert rows[1].at_ms - rows[0].at_ms == 60_000
    assert mistakes[0] == "line 3: 2026-03-29 02:00:00 does not exist in Europe/Berlin: the clocks were put forward"


@given(st.sampled_from(["Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]), st.integers(2010, 2030),
       st.integers(0, 360), st.sampled_from([15, 30, 60]))  # fmt: skip
def test_local_times_in_order_come_back_as_what_they_were(tmp_path_factory: Any, zone: str, year: int, day: int, minutes: int) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day)
    instants = [start + timedelta(minutes=minutes * n) for n in range(5 * 24 * 60 // minutes)]
    lines = [f"{at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)},1" for at in instants]
    path = write(tmp_path_factory.getbasetemp(), "\n".join(["t,v", *lines]), "round.csv")
    rows, mistakes = read(path, columns="d.power=v", zone=zone)
    assert not mistakes
    assert [row.at_ms for row in rows] == [to_ms(at) for at in instants]


def test_periods_until_the_next_row(tmp_path: Path) -> None:
    path = write(tmp_path, "t,v\n2026-01-01T00:00Z,10\n2026-02-01T00:00Z,\n2026-03-01T00:00Z,30\n2026-03-01T00:00Z,31\n2026-04-01T00:00Z,40\n")
    rows, mistakes = read(path, columns="d.energy=v", period="next")
    assert [(row.value, from_ms(row.from_ms or 0).month, from_ms(row.at_ms).month) for row in rows] == [(10, 1, 2)]
    assert mistakes == ["line 5: the time does not come after the row before", "line 6: the last energy of d has no end; it was left out"]
    rows, mistakes = read(path, columns="d.energy=v", period="next", label="end")
    assert [(row.value, from_ms(row.from_ms or 0).month, from_ms(row.at_ms).month) for row in rows] == [(30, 2, 3), (40, 3, 4)]


def test_unix_times(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path, "t,v\n1700000000.5,1\n"), columns="d.power=v", time_format="unix")
    assert rows[0].at_ms == 1_700_000_000_500


def test_a_cell_too_large_is_one_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path, "t,v\n2026-01-01T00:00Z," + "9" * 200_000 + "\n2026-01-01T00:01Z,2\n")
    rows, mistakes = read(path, columns="d.power=v")
    assert [row.value for row in rows] == [2]
    assert len(mistakes) == 1
