"""A house that stands by has loaded nothing that it does not need yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fakes.running import free_port

LATER = {  # what it is loaded for, once that comes
    "alembic": "a database of another version", "amqtt": "an embedded broker", "aiomqtt": "a broker", "paho": "a broker",
    "pymodbus": "a device on Modbus", "zeroconf": "discovery", "asyncpg": "PostgreSQL", "cryptography": "a secret",
    "apprise": "a channel", "requests": "a channel", "pywebpush": "a browser", "py_vapid": "a browser", "jinja2": "a template",
    "duckdb": "an archive", "pyarrow": "a file", "openpyxl": "a file", "xlsxwriter": "a report", "lxml": "a file", "tqdm": "a command",
    "prometheus_client": "/metrics", "voluptuous_openapi": "the API document",
}  # fmt: skip
COMMANDS = {"ohmstead.config.cli", "ohmstead.config.cli.run", "ohmstead.config.cli.output"}
HOUSE = """
locations: {house: {name: House, kind: home}}
devices: {heatpump: {name: Heat pump, kind: load, location: house}}
"""
RUN = """
import os, signal, sys
from pathlib import Path
from ohmstead.config.cli import cli

cli.get_command(None, "run")
from ohmstead.config.service import serve

def started(house):
    print(*sys.modules, sep="\\n")
    os.kill(os.getpid(), signal.SIGTERM)

serve(Path(sys.argv[1]), {"port": sys.argv[2]}, started)
"""


def loaded(folder: Path) -> set[str]:
    """The modules of a hub that was just started, and stopped again."""
    run = subprocess.run([sys.executable, "-c", RUN, folder, str(free_port())], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_what_is_only_needed_later_is_loaded_later(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text(HOUSE)
    loaded(tmp_path)  # makes the database, which takes alembic
    modules = loaded(tmp_path)
    assert LATER.keys() & {name.partition(".")[0] for name in modules} == set()
    assert "sqlalchemy.orm" not in modules
    assert {name for name in modules if name.startswith("ohmstead.config.cli")} == COMMANDS
    assert [name for name in modules if name.startswith("ohmstead.") and ".migrations." in name] == []
