"""The architecture as a table: imports only go down, and rooms on one floor do not import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "ohmstead"
FLOORS = {  # room -> floor; a file belongs to the longest room it begins with
    "core": 0,
    "plugins.storage": 1, "plugins.protocols": 1,
    "plugins.devices": 2, "plugins.jobs": 2, "plugins.tariffs": 2, "plugins.people": 2, "plugins.audit": 2,
    "plugins.history": 3, "plugins.ledger": 3, "plugins.notifiers": 3, "integrations": 3,
    "plugins.billing": 4, "plugins.rules": 4,
    "plugins.analytics": 5, "plugins.reports": 5, "plugins.support": 5,
    "web": 6,
    "config": 7,
}  # fmt: skip
ALLOWED = {  # library -> the rooms that may import it
    "sqlalchemy": ("plugins",), "alembic": ("plugins.storage", "plugins.devices.migrations", "plugins.jobs.migrations", "plugins.tariffs.prices.migrations",
                "plugins.ledger.migrations", "plugins.billing.migrations", "plugins.billing.reconcile.migrations", "plugins.analytics.migrations",
                "plugins.people.migrations", "plugins.audit.migrations", "plugins.notifiers.migrations", "plugins.rules.migrations",
                "plugins.support.migrations"),
    "aiosqlite": ("plugins.storage",), "asyncpg": ("plugins.storage",), "sqlite3": ("plugins.storage", "integrations.home_assistant"),
    "aiomqtt": ("plugins.protocols.mqtt", "integrations.demo_house"), "paho": ("plugins.protocols.mqtt", "integrations.demo_house"),
    "amqtt": ("plugins.protocols.broker",), "pymodbus": ("plugins.protocols.modbus",), "zeroconf": ("plugins.protocols.discovery",),
    "aiohttp": ("plugins.protocols.http", "web"), "yaml": ("config",), "click": ("config",), "tqdm": ("config",),
    "prometheus_client": ("web",), "cronsim": ("plugins.jobs",),
}  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.py") if "scaffold" not in path.parts)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str | None:
    return max((name for name in FLOORS if f"{module}.".startswith(f"{name}.")), key=len, default=None)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module if node.module.count(".") > 2 else f"{node.module}.{node.names[0].name}"


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_imports_only_go_down(path: Path) -> None:
    here = dotted(path)
    for target in imports(path):
        if target.startswith("ohmstead."):
            there, mine = room(target.removeprefix("ohmstead.")), room(here)
            if there is None or mine is None or (there == mine and (mine != "integrations" or same_product(here, target))):
                continue
            assert there != mine, f"{here} imports its neighbour {target}"
            assert FLOORS[there] < FLOORS[mine], f"{here} imports {target}, which is not below it"
            assert mine != "integrations" or there in ("core", "plugins.protocols"), f"{here} imports {target}"
        else:
            rooms = ALLOWED.get(target.split(".")[0])
            assert rooms is None or any(f"{here}.".startswith(f"{r}.") for r in rooms), f"{here} imports {target}"


def same_product(here: str, target: str) -> bool:
    return here.split(".")[1:2] == target.removeprefix("ohmstead.").split(".")[1:2] or here == "integrations"


def test_core_knows_only_its_few_libraries() -> None:
    import sys

    known = {*sys.stdlib_module_names, "pluggy", "voluptuous", "msgspec", "ohmstead"}
    for path in (ROOT / "core").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= known, path
