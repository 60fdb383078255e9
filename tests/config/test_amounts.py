"""Amounts of meter points from files, tables out to files, invoices compared: as people do it, with a hub and without one."""

from __future__ import annotations

import json
import os
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from ohmstead.config.cli.amounts import LOOKED_AT, Outcome, Wanted, bring
from ohmstead.config.cli.readings import importers
from ohmstead.core.errors import ConfigError, Invalid
from ohmstead.core.plugin import Into, PeriodRow
from tests.config.conftest import Write
from tests.config.test_cli import command, run
from tests.config.test_house import ask, running
from tests.fakes.espi import METER, block, feed, meter, reading, reading_type
from tests.fakes.recorder import RecorderFile

DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOUSE = """
home: {name: Test, time_zone: Europe/Berlin, currency: EUR}
meter_points:
  grid: {role: grid_import}
  feed: {role: grid_export}
  gas: {role: gas}
  roof: {role: pv}
tariffs:
  flat: {currency: EUR, versions: [{from: "2010-01-01", components: [{type: flat, name: energy, price: "0.30"}], vat: 19}]}
contracts:
  home: {import: grid, tariff: flat}
"""
DAY = 1_767_222_000  # 2026-01-01 00:00 in Berlin
CSV = "start,kwh\n" + "".join(f"2026-01-01T{hour:02}:00:00+01:00,{hour}.25\n" for hour in range(24))
IMPORT = ("--meter-point", "grid", "--column", "kwh", "--period", "1h")


def data(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not in {DATA}; set OHMSTEAD_DATA to where it is")
    return DATA / name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "meter.csv"
    path.write_text(CSV)
    return path


def test_previewed_committed_and_the_same_again_is_nothing(folder: Write, file: Path) -> None:
    there = folder(HOUSE)
    dry = json.loads(run(there, "import", "csv", str(file), *IMPORT, "--dry-run", "--json").output)
    assert (dry["rows"], dry["committed"], dry["preview"]["kwh"], dry["preview"]["after_kwh"]) == (24, False, "282.000000", "282.000000")
    assert run(there, "intervals", "grid", "--start", "2026-01-01", "--end", "2026-01-02", "--json").output.count('"settled"') == 0
    done = run(there, "import", "csv", str(file), *IMPORT)
    assert "24 rows from 2025-12-31T23:00:00Z to 2026-01-01T23:00:00Z, 282.000000 kWh" in done.output
    assert "import 2 counts" in done.output
    assert run(there, "import", "csv", str(file), *IMPORT).output == "this file is import 2 already; it changes nothing\n"
    found = json.loads(run(there, "intervals", "grid", "--start", "2026-01-01", "--end", "2026-01-02", "--json").output)
    assert (len(found), found[0]["source"], found[4]["kwh"]) == (96, "settled", "0.312500")
    file.write_text(CSV.replace("5.25", "7.25"))
    again = run(there, "import", "csv", str(file), *IMPORT)
    assert "differ from import 2, by 4.000000 kWh in all; this one wins" in again.output


def test_the_preview_says_what_would_become_of_it(folder: Write, file: Path) -> None:
    """Word for word, in the unit of the meter point, and nothing is not 0."""
    there = folder(HOUSE)
    span = "from 2025-12-31T23:00:00Z to 2026-01-01T23:00:00Z"
    assert run(there, "import", "csv", str(file), *IMPORT, "--dry-run").output == (
        f"24 rows {span}, 282.000000 kWh\n"
        "  before: nothing, after: 282.000000 kWh; slots that change: 96\n"
        "nothing was changed\n"
    )  # fmt: skip
    assert run(there, "import", "csv", str(file), *IMPORT).output.endswith("slots that change: 96\nimport 2 counts\n")
    file.write_text(CSV.replace(",5.25", ",7.25").replace(",6.25", ",x"))
    assert run(there, "import", "csv", str(file), *IMPORT, "--dry-run", "--skip-mistakes").output == (
        f"23 rows {span}, 277.750000 kWh\n"
        "  before: 282.000000 kWh, after: 284.000000 kWh; slots that change: 4\n"
        "  1 period differs from import 2, by 2.000000 kWh in all; this one wins\n"
        "  passed over: line 8: 'x' is no number\n"
        "nothing was changed\n"
    )  # fmt: skip
    gas = ("--meter-point", "gas", "--column", "m3", "--unit", "m³")
    file.write_text("start,m3\n2026-01-01T10:00:00+01:00,1.5\n")
    assert run(there, "import", "csv", str(file), *gas, "--period", "1h", "--dry-run").output == (
        "1 row from 2026-01-01T09:00:00Z to 2026-01-01T10:00:00Z, 1.500000 m³\n"
        "  before: nothing, after: 1.500000 m³; slots that change: 4\n"
        "nothing was changed\n"
    )  # fmt: skip
    file.write_text("start,m3\n2026-01-01T10:00:00+01:00,100.5\n2026-01-01T11:00:00+01:00,102.25\n")
    assert run(there, "import", "csv", str(file), *gas, "--kind", "registers", "--dry-run").output == (
        "2 rows from 2026-01-01T09:00:00Z to 2026-01-01T10:00:00Z\n"
        "  before: nothing, after: 1.750000 m³; slots that change: 4\n"
        "nothing was changed\n"
    )  # fmt: skip
    file.write_text("start,m3\n2026-01-01T10:00:00+01:00,100.5\n")
    assert run(there, "import", "csv", str(file), *gas, "--kind", "registers", "--dry-run").output == (
        "1 row at 2026-01-01T09:00:00Z\n"
        "  before: nothing, after: nothing; slots that change: 0\n"
        "nothing was changed\n"
    )  # fmt: skip


async def test_through_the_hub_and_out_again(folder: Write, file: Path, tmp_path: Path) -> None:
    there = folder(HOUSE)
    async with running(there) as house:
        assert "import 1 counts" in (await command(there, "import", "csv", str(file), *IMPORT)).output
        span = ("--meter-point", "grid", "--start", "2026-01-01", "--end", "2026-01-02")
        text = (await command(there, "export", "intervals", *span)).output.splitlines()
        assert text[0] == "meter_point,start,end,kwh,m3,quality,covered_s,source"
        assert text[5] == "grid,2026-01-01T00:00:00Z,2026-01-01T00:15:00Z,0.3125,,estimated,900.0,settled"
        assert "wrote" in (await command(there, "export", "intervals", *span, "-o", str(tmp_path / "x.parquet"))).output
        with duckdb.connect() as connection:
            assert connection.execute(f"SELECT count(*), sum(kwh)::VARCHAR FROM '{tmp_path / 'x.parquet'}'").fetchone() == (96, "282.000000")
        days = json.loads((await command(there, "export", "rollups", *span, "--json")).output)
        assert [(day["local"], day["kwh"], day["peak_60_kw"]) for day in days] == [("2026-01-01", "282", "23.25")]
        await command(there, "export", "bill", "home", "--period", "2026-01", "-o", str(tmp_path / "bill.xlsx"))
        with zipfile.ZipFile(tmp_path / "bill.xlsx") as book:
            assert "<v>100.67</v>" in book.read("xl/worksheets/sheet1.xml").decode()
        with pytest.raises(Invalid, match="there is no meter point 'grit'"):
            await command(there, "export", "intervals", "--meter-point", "grit")
        ever = ("--start", "0002-01-01", "--end", "9998-12-31")
        months = (await command(there, "export", "intervals", "--meter-point", "grid", *ever)).output.splitlines()
        assert (months[1][:25], len(months)) == ("grid,2025-12-31T23:00:00Z", 1 + 31 * 96)  # the months that anything is known of
        with pytest.raises(Invalid, match="more than 100,000: ask for a shorter span"):
            await command(there, "intervals", "grid", *ever)
        with pytest.raises(ConfigError, match="none/x.csv: cannot be written: No such file or directory; choose another place with -o"):
            await command(there, "export", "intervals", *span, "-o", str(tmp_path / "none" / "x.csv"))
        for what in ("corrections undo", "findings show"):
            reason = ("--reason", "x") if "undo" in what else ()
            with pytest.raises(Invalid, match=f"there is no {what.split('s ')[0]} 99999999999999999999"):
                await command(there, *what.split(), "99999999999999999999", *reason)
        await with_bad_query(house)


async def with_bad_query(house: object) -> None:
    for query, text in (("what=everything", "expected readings"), ("what=bill", "say which bill"), ("what=rollups&start=2026-01-02&end=2026-01-01", "before")):
        answer = await ask(house, "GET", f"/exports?{query}")  # type: ignore[arg-type]
        assert text in str(answer["error"])
    answer = await ask(house, "GET", "/meter-points/grid/intervals?cursor=-9007199254740991")  # type: ignore[arg-type]
    assert answer["error"]["details"][0]["path"] == "cursor"


def test_a_very_large_file_is_looked_at_only_when_asked(folder: Write, file: Path) -> None:
    there = folder(HOUSE)
    importer = next(each for each in importers(there, Into.METER_POINT) if each.name == "csv")
    rows = [PeriodRow((DAY + n) * 1000, (DAY + n + 1) * 1000, 1) for n in range(LOOKED_AT + 1)]
    asked: list[str] = []

    class Hub:
        """Answers as the hub does."""

        def call(self, method: str, path: str, query: object = None, body: object = None) -> dict[str, object]:
            asked.append(f"{method} {path}")
            return {"number": 7, "known": False, "start": "a", "end": "b", "caught_up": True}

    for dry_run in (False, True):
        outcome = Outcome()
        list(bring(Hub(), Wanted(importer, file, "grid", "settled", {}, dry_run), iter(rows), outcome))  # type: ignore[arg-type]
        assert ("GET /imports/7/preview" in asked) == dry_run
        assert (outcome.committed, outcome.start) == (not dry_run, None if dry_run else "a")
    assert asked[-1] == "DELETE /imports/7"


def test_a_file_with_mistakes_is_refused_whole_unless_they_are_passed_over(folder: Write, file: Path) -> None:
    there = folder(HOUSE)
    file.write_text(CSV.replace("3.25", '"3,25"', 1))
    with pytest.raises(ConfigError, match=r"line 5: '3,25' has a comma where .*\nnothing was brought in"):
        run(there, "import", "csv", str(file), *IMPORT)
    assert json.loads(run(there, "intervals", "grid", "--start", "2026-01-01", "--end", "2026-01-02", "--json").output)[0]["kwh"] is None
    done = run(there, "import", "csv", str(file), *IMPORT, "--skip-mistakes")
    assert "passed over: line 5" in done.output
    assert "counts" in done.output


def test_the_role_says_which_way(folder: Write, tmp_path: Path) -> None:
    there, path, other = folder(HOUSE), tmp_path / "usage.xml", f"{METER}2"
    path.write_text(feed(
        reading_type("ReadingType/1"), reading_type("ReadingType/2", flowDirection=19), meter(kind="ReadingType/1"), meter(other, "ReadingType/2"),
        block(reading(DAY, 7000)), block(reading(DAY, 9000), up=f"{other}/IntervalBlock"),
    ))  # fmt: skip
    for point, kwh in (("grid", "7.000000"), ("feed", "9.000000")):
        assert kwh in run(there, "import", "green-button", str(path), "--meter-point", point, "--dry-run").output
    with pytest.raises(ConfigError, match="choose with --flow"):
        run(there, "import", "green-button", str(path), "--meter-point", "roof")
    with pytest.raises(Invalid, match="is in kWh, and the meter point counts m³; state the unit of the file"):
        run(there, "import", "green-button", str(path), "--meter-point", "gas", "--flow", "forward")


def test_home_assistants_past_is_live(folder: Write, tmp_path: Path) -> None:
    there, recorder = folder(HOUSE), RecorderFile(tmp_path / "home-assistant_v2.db")
    recorder.add("sensor.grid", "kWh", [(DAY + n * 3600, 100 + n) for n in range(25)])
    assert "counts" in run(there, "import", "home-assistant", str(recorder.path), "--meter-point", "grid").output
    found = json.loads(run(there, "intervals", "grid", "--start", "2026-01-01", "--end", "2026-01-02", "--json").output)
    assert {(slot["source"], slot["kwh"]) for slot in found[4:]} == {("live", "0.250000")}


def test_what_is_not_there_is_said(folder: Write, file: Path) -> None:
    there = folder(HOUSE)
    with pytest.raises(Invalid, match="there is no meter point 'grit'"):
        run(there, "import", "csv", str(file), "--meter-point", "grit", "--column", "kwh", "--period", "1h")
    assert "there is no 'xls'; there are readings, csv, green-button, home-assistant" in run(there, "import", "xls", str(file), "--meter-point", "grid").output
    assert "--column " in run(there, "import", "csv", str(file), "--meter-point", "grid", "--options").output
    file.write_text("start,kwh\n")
    with pytest.raises(ConfigError, match="nothing in it is for this meter point"):
        run(there, "import", "csv", str(file), *IMPORT)


def test_a_household_on_a_clock_without_summer_time_meets_its_totals(folder: Write) -> None:
    there = folder(HOUSE.replace("Europe/Berlin", "Etc/GMT-1"))
    run(there, "import", "csv", str(data("household_hourly_2006_2008.csv.gz")), "--meter-point", "roof", "--column", "active_energy_kwh",
        "--period", "1h", "--zone", "+01:00")  # fmt: skip
    assert wh(years(there, "roof")) == {"2006": 697_113, "2007": 9_759_073, "2008": 9_418_450}


DELTAS = """
home: {name: Test, time_zone: ZONE, currency: EUR}
meter_points:
  works: {role: load, series: works.energy, plausible_max: 630}
  sun: {role: pv, series: sun.energy, factor: 0.00025}
"""


@pytest.mark.parametrize(("name", "point", "total", "zone", "options"), [
    ("pv_15min_2012.csv.gz", "sun", {"2012": 4_989_245}, "America/Denver", {"columns": "sun.energy=ac_power_w"}),
    ("factory_15min_2018.csv.gz", "works", {"2018": 959_636_710}, "Asia/Seoul", {"columns": "works.energy=usage_kwh", "label": "end",
     "midnight": "end_of_day", "time-format": "%d/%m/%Y %H:%M", "zone": "Asia/Seoul"}),
])  # fmt: skip
def test_the_same_as_deltas_that_devices_sent(
    folder: Write, name: str, point: str, total: dict[str, int], zone: str, options: dict[str, str]
) -> None:
    """Power times a quarter of an hour is a factor of the binding; a works needs to be believed 630 kW."""
    there = folder(DELTAS.replace("ZONE", zone))
    words = [word for option, value in {"period": "15m", **options}.items() for word in (f"--{option}", value)]
    run(there, "import", "readings", str(data(name)), *words)
    assert {year: each for year, each in wh(years(there, point)).items() if each} == total


def years(there: Path, point: str) -> list[dict[str, str]]:
    span = ("--start", "2000-01-01", "--end", "2030-01-01")
    found: list[dict[str, str]] = json.loads(run(there, "export", "rollups", "--meter-point", point, "--resolution", "year", *span, "--json").output)
    return found


def wh(rollups: list[dict[str, str]]) -> dict[str, int]:
    return {each["local"]: int((Decimal(each["kwh"] or 0) * 1000).quantize(Decimal(1), ROUND_HALF_UP)) for each in rollups}


def test_the_simulated_homes_bills_reconcile_from_the_file(folder: Write) -> None:
    there = folder(HOUSE.replace("Europe/Berlin", "America/Chicago"))
    run(there, "import", "csv", str(data("simulated_home_hourly_2015_2018.csv.gz")), "--meter-point", "grid", "--column", "value", "--period", "1h")
    bills = str(data("simulated_home_bills_monthly.csv"))
    found = json.loads(run(there, "reconcile", bills, "--contract", "home", "--dry-run", "--columns", "kwh=value", "--json").output)
    assert [each["agrees"] for each in found] == [True] * 26


def test_an_invoice_of_yaml_is_kept_and_compared(folder: Write, file: Path, tmp_path: Path) -> None:
    there = folder(HOUSE)
    run(there, "import", "csv", str(file), *IMPORT)
    invoice = tmp_path / "invoice.yaml"
    invoice.write_text("id: X1\ncontract: home\nstart: 2026-01-01\nthrough: 2026-01-01\nkwh: 282\nnet: 84.60\nvat: 16.07\ntotal: 100.67\n")
    assert "It agrees with what was measured." in run(there, "reconcile", str(invoice)).output
    assert run(there, "reconcile", "X1", "-o", str(tmp_path / "x.html")).exit_code == 0
    assert "<table>" in (tmp_path / "x.html").read_text()
    invoice.write_text(invoice.read_text().replace("16.07", "5.92").replace("100.67", "90.52"))
    done = run(there, "reconcile", str(invoice))
    assert done.exit_code == 1
    assert "VAT: VAT of 7 % was charged; expected 19 %" in done.output
    with pytest.raises(Invalid, match="there is no invoice 'X2'"):
        run(there, "reconcile", "X2")
    invoice.write_text("id: X1\ncontract: home\nstart: 2026-01-01\nend: 2025-01-01\nkwh: 12,5\n")
    with pytest.raises(Invalid, match="not right") as refusal:
        run(there, "reconcile", str(invoice))
    assert "with a point for the decimals" in str(refusal.value)
    invoice.write_text("id: X1\ncontract: home\nstart: 2026-01-01\nend: 2026-02-01\nkwh: 1e999999\n")
    with pytest.raises(Invalid, match="kwh: "):
        run(there, "reconcile", str(invoice))
