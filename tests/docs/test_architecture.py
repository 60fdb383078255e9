"""The page that says where everything is names every module there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "architecture.md").read_text()
ROOMS = ["core", "plugins/storage", "plugins/protocols", "plugins/devices", "plugins/jobs", "plugins/history", "plugins/tariffs", "plugins/ledger",
         "plugins/billing", "plugins/reports", "plugins/analytics", "plugins/people", "plugins/notifiers", "plugins/audit", "plugins/support", "web", "integrations", "config"]


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_room_is_on_its_table(room: str) -> None:
    table = next(part for part in PAGE.split("### Inside ")[1:] if f"`{room}/`" in part.partition("\n")[0]).partition("\n## ")[0]
    named = {Path(name).name for name in re.findall(r"`([\w/]+\.py)`", table)}
    modules = {path.name for path in (HOUSE / "ohmstead" / room).rglob("*.py") if not {"migrations", "scaffold"} & {*path.parts}}
    assert modules - named <= {"__init__.py"}
    if "` and `" not in table.partition("\n")[0]:
        assert named <= modules
