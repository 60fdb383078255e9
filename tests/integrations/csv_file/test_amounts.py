"""CSV files into exact amounts of a meter point: periods, registers, clocks that change, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Into, PeriodRow, RegisterRow
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.csv_file import AMOUNTS, CsvFile

_, IMPORTER, _ = CsvFile(Quantities()).ohmstead_importers()


def read(folder: Path, text: str, **options: Any) -> tuple[list[Any], list[str]]:
    path = folder / "file.csv"
    path.write_text(text)
    found = list(IMPORTER.read(path, validate.options(AMOUNTS, {"column": "kwh", **options})))
    return [row for row in found if not isinstance(row, str)], [row for row in found if isinstance(row, str)]


def plain(rows: list[PeriodRow]) -> list[tuple[str, int, int]]:
    return [(iso(row.from_ms), (row.to_ms - row.from_ms) // 60_000, row.amount) for row in rows]


def test_it_goes_into_a_meter_point() -> None:
    assert (IMPORTER.into, IMPORTER.layer, IMPORTER.name) == (Into.METER_POINT, "settled", "csv")


def test_periods_by_length_by_end_and_by_the_next_row(tmp_path: Path) -> None:
    text = "t,kwh,end\n2026-01-01T00:00:00Z,1.5,2026-01-01T00:30:00Z\n2026-01-01T00:30:00Z,0.0000005,2026-01-01T01:00:00Z\n"
    first = [("2026-01-01T00:00:00Z", 30, 1_500_000), ("2026-01-01T00:30:00Z", 30, 0)]
    assert plain(read(tmp_path, text, period="30m")[0]) == plain(read(tmp_path, text, end="end")[0]) == first
    assert plain(read(tmp_path, text, period="30m", label="end")[0])[0] == ("2025-12-31T23:30:00Z", 30, 1_500_000)
    rows, mistakes = read(tmp_path, text, period="next")
    assert plain(rows) == first[:1]
    assert mistakes == ["line 3: the last period has no end; add a line with the time of its end, or give its length"]
    assert plain(read(tmp_path, text + "2026-01-01T01:00:00Z,nan,\n", period="next")[0]) == first
    assert plain(read(tmp_path, text, period="next", label="end")[0]) == [("2026-01-01T00:00:00Z", 30, 0)]


def test_days_and_months_of_a_calendar(tmp_path: Path) -> None:
    days = "d,kwh\n2026-03-28,1\n2026-03-29,2\n2026-10-25,3\n"
    rows, _ = read(tmp_path, days, period="day", zone="Europe/Berlin")
    assert [(row.to_ms - row.from_ms) // 3_600_000 for row in rows] == [24, 23, 25]
    rows, _ = read(tmp_path, "d,kwh\n2026-02-01,1\n2026-12-01,2\n", period="month", zone="Europe/Berlin")
    assert plain(rows) == [("2026-01-31T23:00:00Z", 28 * 1440 - 0, 1_000_000), ("2026-11-30T23:00:00Z", 31 * 1440, 2_000_000)]
    assert "no such day" in read(tmp_path, "d,kwh\n2026-01-31,1\n", period="month", zone="Europe/Berlin")[1][0]
    with pytest.raises(Invalid, match="period=month needs the zone"):
        read(tmp_path, "d,kwh\n", period="month")


def test_registers(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "t,kwh\n2026-01-01T00:00:00Z,45321.7\n2026-02-01T00:00:00Z,45400\n", kind="registers")
    assert [(type(row), iso(row.at_ms), row.amount) for row in rows] == [
        (RegisterRow, "2026-01-01T00:00:00Z", 45_321_700_000), (RegisterRow, "2026-02-01T00:00:00Z", 45_400_000_000),
    ]  # fmt: skip


def test_units_and_quality(tmp_path: Path) -> None:
    text = "t,kwh,how\n2026-01-01T00:00:00Z,2,E\n2026-01-01T01:00:00Z,3,ok\n"
    rows, _ = read(tmp_path, text, period="1h", unit="m³", quality="how")
    assert [(row.amount, row.unit, row.estimated) for row in rows] == [(2_000_000, "mL", True), (3_000_000, "mL", False)]
    assert read(tmp_path, text, period="1h", quality="how", estimated="OK")[0][1].estimated
    with pytest.raises(vol.Invalid, match="unknown unit 'litres'"):
        read(tmp_path, text, period="1h", unit="litres")


def test_mean_power_becomes_the_energy_of_its_period(tmp_path: Path) -> None:
    text = "t,kwh\n2026-01-01T00:00:00Z,1000\n2026-01-01T00:15:00Z,0.01\n"
    assert plain(read(tmp_path, text, period="15m", unit="W")[0]) == [
        ("2026-01-01T00:00:00Z", 15, 250_000), ("2026-01-01T00:15:00Z", 15, 2),
    ]  # fmt: skip
    assert read(tmp_path, text, period="15m", unit="kW")[0][0].amount == 250_000_000
    with pytest.raises(Invalid, match="a register shows an energy, not W"):
        read(tmp_path, text, kind="registers", unit="W")


def test_summer_time_is_told_by_the_order_of_the_rows(tmp_path: Path) -> None:
    autumn = "t,kwh\n" + "".join(f"2026-10-25 {hour:02}:00,1\n" for hour in (0, 1, 2, 2, 3))
    rows, mistakes = read(tmp_path, autumn, period="1h", zone="Europe/Berlin")
    assert not mistakes
    assert [row.from_ms for row in rows] == [rows[0].from_ms + n * 3_600_000 for n in range(5)]


def test_the_wrong_zone_is_found_on_both_days(tmp_path: Path) -> None:
    spring = "t,kwh\n2026-03-29 01:00,1\n2026-03-29 02:00,1\n"
    _, mistakes = read(tmp_path, spring, period="1h", zone="Europe/Berlin")
    assert mistakes == ["line 3: 2026-03-29 02:00:00 does not exist in Europe/Berlin: the clocks were put forward"]
    autumn = "t,kwh\n" + "".join(f"2026-10-25 {text},1\n" for text in ("02:00", "02:30", "02:00", "02:30", "03:00"))
    for zone in ("+01:00", "UTC"):
        _, mistakes = read(tmp_path, autumn, period="30m", zone=zone)
        assert len(mistakes) == 1
        assert mistakes[0].startswith("line 4: 2026-10-25 02:00 is not after the row before, and UTC")
    assert "has no offset; give the zone of the file" in read(tmp_path, autumn, period="30m")[1][0]


@pytest.mark.parametrize(("cell", "why", "options"), [
    ("1,5", "3 cells, expected 2; is the comma its decimal sign? Then give its delimiter", {}),
    ('"1,5"', "'1,5' has a comma where the point is the decimal sign", {}),
    ("1.5", "'1.5' has a point where the comma is the decimal sign", {"decimal": ","}),
    ('"1.234,5"', "has a point where", {"decimal": ","}),
    ("10^999999", "'10^999999' is no number", {}), ("1e99", "is more than 9 TWh", {}), ("-1", "negative; the other direction", {}),
    ("Infinity", "is no number", {}), ("", "the amount is empty", {"skip_empty": False}),
])  # fmt: skip
def test_numbers_that_are_refused_with_their_line(tmp_path: Path, cell: str, why: str, options: dict[str, Any]) -> None:
    rows, mistakes = read(tmp_path, f"t,kwh\n2026-01-01T00:00:00Z,{cell}\n", period="1h", **options)
    assert not rows
    assert mistakes[0].startswith("line 2: ")
    assert why in mistakes[0]


def test_periods_that_cannot_be(tmp_path: Path) -> None:
    text = "t,kwh,end\n2026-01-02T00:00:00Z,1,2026-01-01T00:00:00Z\n2026-01-01T00:00:00Z,1,2026-01-01T00:00:00Z\n2026-01-01T00:00:00Z,1,2028-01-01T00:00:00Z\n"
    assert read(tmp_path, text, end="end")[1] == [
        "line 2: the period ends before it begins", "line 3: the period has no length", "line 4: the period is longer than 400 days",
    ]  # fmt: skip
    for options in ({}, {"end": "end", "period": "1h"}):
        with pytest.raises(Invalid, match="say how long a period is"):
            read(tmp_path, text, **options)
    with pytest.raises(Invalid, match="there is no column 'kw'"):
        read(tmp_path, text, column="kw", period="1h")
    with pytest.raises(Invalid, match="is empty"):
        read(tmp_path, "", period="1h")
