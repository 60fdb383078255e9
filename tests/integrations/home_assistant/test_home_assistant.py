"""Home Assistant's recorder into exact periods, in every layout of its database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.amount import unit
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import PeriodRow
from ohmstead.integrations.home_assistant import HomeAssistant
from ohmstead.integrations.home_assistant.statistics import _periods
from tests.fakes.recorder import RecorderFile

IMPORTER = HomeAssistant().ohmstead_importers()
HOUR = 3600
BEGIN = 1_650_000_000 // HOUR * HOUR
TOTALS = [(BEGIN + n * HOUR, total) for n, total in enumerate((0.7, 1.1, 1.1, 3.141592653))]


def found(path: Path, **options: Any) -> tuple[list[PeriodRow], list[str]]:
    rows = list(IMPORTER.read(path, options))
    return [row for row in rows if isinstance(row, PeriodRow)], [row for row in rows if isinstance(row, str)]


@pytest.mark.parametrize("version", [22, 31, 49, 53])
def test_every_layout(tmp_path: Path, version: int) -> None:
    file = RecorderFile(tmp_path / "home-assistant_v2.db", version)
    file.add("sensor.grid", "kWh", TOTALS)
    file.add("sensor.power", "W", [(BEGIN, None)], has_sum=False)
    rows, mistakes = found(file.path)
    assert not mistakes
    assert [((row.from_ms // 1000 - BEGIN) // HOUR, row.to_ms - row.from_ms, row.amount) for row in rows] == [
        (1, 3_600_000, 400_000), (2, 3_600_000, 0), (3, 3_600_000, 2_041_593),
    ]  # fmt: skip
    assert IMPORTER.layer == "live"


def test_a_database_in_the_middle_of_its_migration(tmp_path: Path) -> None:
    file = RecorderFile(tmp_path / "ha.db", 31)
    file.add("sensor.grid", "kWh", TOTALS[:2], old=True)
    with closing(sqlite3.connect(file.path)) as db:
        db.executemany("INSERT INTO statistics (metadata_id, start_ts, sum) VALUES (1, ?, ?)", TOTALS[2:])
        db.commit()
    assert [row.amount for row in found(file.path)[0]] == [400_000, 0, 2_041_593]


def test_missing_hours_make_a_longer_period_and_a_falling_total_none(tmp_path: Path) -> None:
    file = RecorderFile(tmp_path / "ha.db", 53)
    file.add("sensor.grid", "Wh", [(BEGIN, 100), (BEGIN + 5 * HOUR, 600), (BEGIN + 6 * HOUR, None), (BEGIN + 7 * HOUR, 50), (BEGIN + 8 * HOUR, 51)])
    rows, mistakes = found(file.path)
    assert [(row.to_ms - row.from_ms, row.amount) for row in rows] == [(5 * 3_600_000, 500_000), (3_600_000, 1000)]
    assert len(mistakes) == 1
    assert "falls by 0.55 kWh" in mistakes[0]


def test_hours_that_are_there_twice_as_old_databases_have_them(tmp_path: Path) -> None:
    file = RecorderFile(tmp_path / "ha.db", 22)
    file.add("sensor.grid", "kWh", [(BEGIN, 1.0), (BEGIN + HOUR, 5.0), (BEGIN + HOUR, 2.0)])
    assert [row.amount for row in found(file.path)[0]] == [1_000_000]


def test_what_is_there_is_told(tmp_path: Path) -> None:
    file = RecorderFile(tmp_path / "ha.db")
    file.add("sensor.grid", "kWh", TOTALS)
    file.add("sensor.gas", "m³", TOTALS)
    file.add("sensor.cost", "EUR", TOTALS)
    with pytest.raises(Invalid, match=r"choose with --statistic; .*\n  sensor.cost \(EUR\)\n  sensor.gas \(m³\)\n  sensor.grid \(kWh\)"):
        found(file.path)
    with pytest.raises(Invalid, match=r"no total 'sensor.grit'. Did you mean \"sensor.grid\"\?"):
        found(file.path, statistic="sensor.grit")
    with pytest.raises(Invalid, match="sensor.cost: unknown unit 'EUR'"):
        found(file.path, statistic="sensor.cost")
    assert {row.unit for row in found(file.path, statistic="sensor.gas")[0]} == {"mL"}


def test_it_is_never_written_and_the_wal_beside_it_is_read(tmp_path: Path) -> None:
    file = RecorderFile(tmp_path / "home ä.db")
    file.add("sensor.grid", "kWh", TOTALS[:2])
    with closing(sqlite3.connect(file.path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("INSERT INTO statistics (metadata_id, start_ts, sum) VALUES (1, ?, 9.7)", (BEGIN + 2 * HOUR,))
        db.commit()
        before = file.path.read_bytes()
        assert [row.amount for row in found(file.path)[0]] == [400_000, 8_600_000]
        assert file.path.read_bytes() == before


def test_what_is_no_such_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Invalid, match=r"x.db cannot be read"):
        found(tmp_path / "x.db")
    with closing(sqlite3.connect(tmp_path / "y.db")) as db:
        db.execute("CREATE TABLE t (a)")
    with pytest.raises(Invalid, match="it has no statistics"):
        found(tmp_path / "y.db")
    file = RecorderFile(tmp_path / "z.db")
    file.add("sensor.grid", "kWh", [(BEGIN, 1e300), (BEGIN + HOUR, 1.0), (10**13, 2.0), (BEGIN + 2 * HOUR, 2.0)])
    rows, mistakes = found(file.path)
    assert [row.amount for row in rows] == [1_000_000]
    assert len(mistakes) == 2


@given(st.lists(st.floats(0, 1e6, allow_nan=False), min_size=2, max_size=20).map(sorted))
def test_periods_add_up_to_the_way_of_the_total(totals: list[float]) -> None:
    ours, factor = unit("kWh")
    rows = list(_periods((((BEGIN + n * HOUR) * 1000, total) for n, total in enumerate(totals)), ours, factor))
    whole = [round(total * 10**6) for total in (totals[0], totals[-1])]
    assert abs(sum(row.amount for row in rows) - (whole[1] - whole[0])) <= 1  # type: ignore[union-attr]
