"""docs/import.md names every option as the schemas do, and its examples import what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.csv_file import CsvFile
from ohmstead.integrations.green_button import GreenButton
from ohmstead.integrations.home_assistant import HomeAssistant
from ohmstead.integrations.line_protocol.file import importer

PAGE = (Path(__file__).parents[3] / "docs" / "import.md").read_text()
GREEN_BUTTON, _ = GreenButton().ohmstead_importers()
HOME_ASSISTANT = HomeAssistant().ohmstead_importers()
CSV, AMOUNTS, _ = CsvFile(Quantities()).ohmstead_importers()
COMMANDS = re.findall(r"^ohmstead import readings (?:.*\\\n)*.*$", PAGE, re.MULTILINE)
AMOUNT_COMMANDS = [c for c in re.findall(r"^ohmstead import (?!readings)(?:.*\\\n)*.*$", PAGE, re.MULTILINE) if " FILE " not in c]


def test_the_tables_of_options_are_those_of_the_schemas() -> None:
    rows = {tuple(cell.strip() for cell in line.strip("|").replace("\\|", "¦").split("|")) for line in PAGE.splitlines() if line.startswith("| `")}
    rows = {tuple(cell.replace("¦", "|") for cell in row) for row in rows}
    for schema in (CSV.schema, importer().schema, AMOUNTS.schema, GREEN_BUTTON.schema, HOME_ASSISTANT.schema):
        for marker in schema:
            default = marker.default() if callable(marker.default) else "required" if isinstance(marker, vol.Required) else ""
            assert (f"`{marker.schema}`", str(default).lower() if isinstance(default, bool) else str(default), marker.description) in rows


@pytest.mark.parametrize("command", [c for c in COMMANDS if "FILE" not in c], ids=lambda c: c.split()[3])
def test_the_options_of_every_example_are_good(command: str) -> None:
    words = shlex.split(command.replace("\\\n", " "))[3:]
    file, options = words[0], {flag.removeprefix("--").replace("-", "_"): value for flag, value in zip(words[1::2], words[2::2], strict=True)}
    validate.options((CSV if ".csv" in file else importer()).schema, options)


@pytest.mark.parametrize("command", AMOUNT_COMMANDS, ids=lambda c: c.split()[3])
def test_the_options_of_every_example_of_amounts_are_good(command: str) -> None:
    name, _, *words = shlex.split(command.replace("\\\n", " "))[2:]
    options = {flag.removeprefix("--").replace("-", "_"): value for flag, value in zip(words[::2], words[1::2], strict=True)}
    importer_of = {"csv": AMOUNTS, "green-button": GREEN_BUTTON, "home-assistant": HOME_ASSISTANT}[name]
    validate.options(importer_of.schema, {key: value for key, value in options.items() if key not in ("meter_point", "layer")})
