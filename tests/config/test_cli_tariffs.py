"""`ohmstead tariffs | price | import prices` over a house that nobody runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ohmstead.config.cli import cli
from ohmstead.core.errors import ConfigError, Invalid
from tests.config.conftest import Write

YAML = """
home: {time_zone: Europe/Berlin}
tariffs:
  spot: {currency: EUR, components: [{type: dynamic, series: epex, adder: 0.1}]}
"""
CSV = "start;price\n2026-10-25 00:00;100\n2026-10-25 01:00;90\n2026-10-25 02:00;80\n2026-10-25 02:00;70\n2026-10-25 03:00;-60\n"
RATE = {"label": "x", "utility": "U", "name": "R", "startdate": 1_767_225_600, "energyratestructure": [[{"rate": 0.1, "max": 300}, {"rate": 0.2}]]}
BRING = ("--series", "epex", "--currency", "EUR", "--unit", "MWh", "--zone", "Europe/Berlin")


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(folder), *arguments], catch_exceptions=False)


def test_own_prices_come_in_once_and_are_shown(folder: Write, tmp_path: Path) -> None:
    there = folder(YAML)
    (tmp_path / "own.csv").write_text(CSV)
    own = str(tmp_path / "own.csv")
    assert run(there, "import", "prices", own, *BRING, "--dry-run").output == "5 of 5 prices would be new\n"
    done = json.loads(run(there, "import", "prices", own, *BRING, "--json").output)
    assert (done["number"], done["start"], done["end"]) == (1, "2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z"), "the hour that comes twice"
    assert run(there, "import", "prices", own, *BRING).output == "0 of 5 prices are new\n"
    (tmp_path / "far.yaml").write_text("prices:\n  - {start: 2020-01-01T00:00+01:00, end: 2090-01-01T00:00+01:00, price: 0.25}\n")
    assert "1 of 1" in run(there, "import", "prices", str(tmp_path / "far.yaml"), "--series", "fixed", "--currency", "EUR").output
    shown = run(there, "price")
    assert "spot now: no price" in shown.output
    (tmp_path / "far.yaml").write_text("prices:\n  - {start: 2026-10-26T00:00+01:00, end: 2090-01-01T00:00+01:00, price: 0.25}\n")
    run(there, "import", "prices", str(tmp_path / "far.yaml"), "--series", "epex", "--currency", "EUR")
    found = json.loads(run(there, "price", "--tariff", "spot", "--json").output)
    assert (found["price"], found["changes"], found["cheapest"]["price"]) == ("0.35", None, "0.350000")
    assert "spot now: 0.35 EUR/kWh\n" in run(there, "price").output


@pytest.mark.parametrize(("name", "text", "reason"), [
    ("a.csv", "start,price\n2026-03-29 02:30,0.3\n2026-03-29 x,1\n", "line 2: .*does not exist"),
    ("a.csv", "when,price\n", "expected the columns start and price"),
    ("a.csv", "start,price\n2026-03-28T00:00Z\n", "line 2: 1 cells, expected 2"),
    ("a.csv", 'start,price\n2026-03-28T00:00Z,"0,25"\n2026-03-28T01:00Z,1\n', "line 2: '0,25' is no number"),
    ("a.csv", "start,end,price\n2026-03-28T00:00Z,2026-03-28T01:00Z,1\n2026-03-28T02:00Z,2026-03-28T03:00Z,1\n", "line 3: no price from"),
    ("a.yaml", "- 1\n", "expected"), ("a.yaml", "prices: [{start: 2026-01-01T00:00Z}]\n", "line 1: expected start, price"), ("a.yaml", "a: [\n", "a.yaml"),
])  # fmt: skip
def test_wrong_files_are_refused_with_their_places(folder: Write, tmp_path: Path, name: str, text: str, reason: str) -> None:
    there = folder(YAML)
    (tmp_path / name).write_text(text)
    with pytest.raises((ConfigError, Invalid), match=reason):
        run(there, "import", "prices", str(tmp_path / name), "--series", "epex", "--currency", "EUR", "--zone", "Europe/Berlin")


def test_tariffs_and_a_rate_of_the_database(folder: Write, tmp_path: Path) -> None:
    there, file = folder(YAML), tmp_path / "rate.json"
    file.write_text(json.dumps({"items": [{**RATE, "demandratchetpercentage": [0.8]}]}))
    with pytest.raises(ConfigError, match="demandratchetpercentage: this cannot be priced"):
        run(there, "tariffs", "import-urdb", str(file))
    file.write_text(json.dumps({"items": [RATE]}))
    assert run(there, "tariffs", "import-urdb", str(file), "--id", "us", "--dry-run").output == "would make tariff us (U R): energy\n"
    assert "us" not in run(there, "tariffs").output
    assert run(there, "tariffs", "import-urdb", str(file), "--id", "us").output == "made tariff us (U R): energy\n"
    assert [each["id"] for each in json.loads(run(there, "tariffs", "--json").output)] == ["spot", "us"]
    assert json.loads(run(there, "tariffs", "show", "us").output)["versions"][0]["from"] == "2026-01-01"
    assert "which tariff? Give --tariff: spot, us" in CliRunner().invoke(cli, ["-c", str(there), "price"]).output
