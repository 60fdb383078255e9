"""Files into the house: through the hub that runs, or straight into the database; again, interrupted, and wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmstead.config.cli.readings import Notebook, Progress, bring, checked, choose, importers
from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.core.plugin import Importer, ImportRow
from tests.config.conftest import Write
from tests.config.test_cli import command, run
from tests.config.test_house import ask, running

CSV = "time,kwh,watts\n" + "".join(f"2026-01-01T{hour:02}:00:00Z,{hour / 10},{hour * 100}\n" for hour in range(24))
COLUMNS = ("--columns", "meter.energy=kwh,meter.power=watts", "--period", "1h")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "meter.csv"
    path.write_text(CSV)
    return path


def test_without_the_hub_and_the_same_again(folder: Write, file: Path) -> None:
    there = folder()
    first = json.loads(run(there, "import", "readings", str(file), *COLUMNS, "--json").output)
    assert first == {"accepted": 48, "rejected": 0, "mistakes": []}
    assert run(there, "import", "readings", str(file), *COLUMNS).output == "48 readings are stored, 0 were refused\n"
    assert not list((there / "data" / "imports").iterdir()), "nothing is kept of an import that is complete"


async def test_through_the_hub_it_is_stored_and_moves_no_live_state(folder: Write, file: Path) -> None:
    there = folder()
    async with running(there) as house:
        assert "48 readings are stored" in (await command(there, "import", "readings", str(file), *COLUMNS)).output
        assert (await ask(house, "GET", "/states?device=meter"))["data"] == []
        found = await ask(house, "GET", "/devices/meter/energy/readings?quantity=power&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z")
        assert [reading["value"] for reading in found["data"]] == [hour * 100 for hour in range(24)]


def test_what_is_wrong_is_told_and_the_rest_is_stored(folder: Write, file: Path) -> None:
    file.write_text("time,watts\n2026-01-01T00:00:00Z,5\nyesterday,6\n2026-01-01T01:00:00Z,1e30\n2026-01-01T00:00:00Z,7\n")
    done = run(folder(), "import", "readings", str(file), "--columns", "power=watts", "--device", "meter")
    assert done.exit_code == 0
    assert done.output.startswith("1 readings are stored, 3 were refused\n")
    assert "line 3" in done.output
    assert "is outside" in done.output
    assert "meter.power has another value at that instant already" in done.output


def test_when_nothing_is_taken_the_exit_is_2(folder: Write, file: Path) -> None:
    file.write_text("time,watts\nyesterday,6\n")
    assert run(folder(), "import", "readings", str(file), "--columns", "power=watts", "--device", "m").exit_code == 2


def test_line_protocol_packed(folder: Write, tmp_path: Path) -> None:
    path = tmp_path / "export.lp.gz"
    path.write_bytes(gzip.compress(b"kettle power=2140 1767225600000000000\nkettle power=2150 1767225660000000000\n"))
    assert "2 readings are stored" in run(folder(), "import", "readings", str(path)).output


def test_options_are_checked_by_the_format(folder: Write, file: Path, tmp_path: Path) -> None:
    known = importers(folder())
    assert {importer.name for importer in known} == {"csv", "line_protocol"}
    with pytest.raises(ConfigError, match="--format: there is no 'xml'; there are line_protocol, csv"):
        choose(known, file, "xml")
    with pytest.raises(ConfigError, match="what is in it"):
        choose(known, tmp_path / "x.bin", None)
    with pytest.raises(ConfigError) as error:
        checked(choose(known, file, None), {"time_fromat": "x"})
    assert error.value.problems[0] == '--time-fromat: unknown option. Did you mean "time_format"?'
    assert "--columns" in run(folder(), "import", "readings", str(file), "--options").output


def test_a_file_that_cannot_be_read(folder: Write, tmp_path: Path, file: Path) -> None:
    broken = tmp_path / "x.lp.gz"
    broken.write_bytes(gzip.compress(b"a power=1 1\n" * 1000)[:-20])
    with pytest.raises(ConfigError, match="broken or cut short"):
        run(folder(), "import", "readings", str(broken))
    with pytest.raises(ConfigError, match="meter.csv: "):
        run(folder(), "import", "readings", str(file), "--columns", "power=wats", "--device", "m")


class Flaky:
    """An API that goes away after a few portions."""

    def __init__(self, portions: int) -> None:
        self.left = portions
        self.taken: list[list[object]] = []

    def call(self, method: str, path: str, query: object = None, body: object = None) -> object:
        if not self.left:
            raise Unavailable("gone")
        self.left -= 1
        rows = body["rows"]  # type: ignore[index]
        self.taken += rows
        return {"accepted": len(rows), "rejected": 0, "items": []}


def rows(count: int) -> Iterator[ImportRow | str]:
    for number in range(count):
        yield f"line {number}: odd" if number % 1000 == 999 else ImportRow("d", "power", float(number), number)


def test_an_interrupted_import_goes_on_where_it_was(tmp_path: Path, file: Path) -> None:
    first = Flaky(2)
    notebook = Notebook.open(tmp_path, file, "csv", {"a": "1"})
    with pytest.raises(Unavailable):
        list(bring(first, file, rows(17_000), notebook))  # type: ignore[arg-type]
    again = Notebook.open(tmp_path, file, "csv", {"a": "1"})
    assert (again.progress.taken, again.progress.accepted, again.progress.rejected) == (10_000, 9_990, 10)
    assert Notebook.open(tmp_path, file, "csv", {"a": "2"}).progress == Progress(), "other options are another import"
    second = Flaky(9)
    *_, done = bring(second, file, rows(17_000), again)  # type: ignore[arg-type]
    assert (done.taken, done.accepted, done.rejected) == (17_000, 16_983, 17)
    assert len(first.taken) + len(second.taken) == 16_983
    assert not again.path.exists()
    again.path.write_text("{")
    assert Notebook.open(tmp_path, file, "csv", {"a": "1"}).progress == Progress()


def test_an_empty_portion_is_not_sent(tmp_path: Path, file: Path) -> None:
    api = Flaky(0)
    (done,) = bring(api, file, iter(["line 1: no"]), Notebook.open(tmp_path, file, "csv", {}))  # type: ignore[arg-type]
    assert done.rejected == 1


async def test_a_device_that_may_not_come_in_refuses_its_rows(folder: Write) -> None:
    async with running(folder("registry: {auto: false}\ndevices: {known: {}}\n")) as house:
        body = {"file": "x", "rows": [["known", "power", 1.0, 1], ["stranger", "power", 1.0, 1], ["known", "nothing", 1.0, 1, None, "line 3"]] + [["known", "power", 2.0, 10 + n] for n in range(1100)]}
        answer = (await ask(house, "POST", "/imports/readings", json=body))["data"]
        assert (answer["accepted"], answer["rejected"]) == (1101, 2)
        assert answer["items"][0].startswith("row 2: ")
        assert answer["items"][1].startswith("line 3: unknown quantity")
        wrong = await ask(house, "POST", "/imports/readings", json={"file": "x", "rows": [["known"]]})
        assert wrong["error"]["code"] == "VALIDATION_ERROR"


def test_the_importers_declaration_is_enough(tmp_path: Path) -> None:
    importer = Importer("x", (".x",), {}, lambda path, options: iter(()))
    assert choose([importer], tmp_path / "A.X", None) is importer
    assert checked(importer, {}) == {}
