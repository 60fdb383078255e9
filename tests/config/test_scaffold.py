"""A scaffolded plugin installs, loads and passes its own test before anybody changed a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ohmstead.config.scaffold import FILES, scaffold
from ohmstead.core.errors import ConfigError

INSTALL = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
LOAD = """
from pathlib import Path
from ohmstead.core.bus import Bus
from ohmstead.core.loader import Loader
loader = Loader(Bus())
loader.discover(Path("nowhere"))
print([(p.name, p.origin, i.type) for p, i in loader.collect("ohmstead_integrations")])
"""


def run(*command: str, cwd: Path, path: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_scaffold_works_from_the_first_minute(tmp_path: Path) -> None:
    root, site = scaffold("heat_pump", tmp_path), tmp_path / "site"
    assert root == tmp_path / "ohmstead-heat-pump"
    run(*INSTALL, "--target", str(site), str(root), cwd=tmp_path, path=site)
    assert "('heat_pump', 'package ohmstead-heat-pump 0.1.0', 'heat_pump')" in run("-c", LOAD, cwd=tmp_path, path=site)
    assert "2 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=root, path=site)


def test_nothing_is_left_to_fill_in(tmp_path: Path) -> None:
    root = scaffold("toaster", tmp_path)
    texts = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert set(texts) == {"pyproject.toml", "README.md", "ohmstead_toaster.py", "tests/test_toaster.py"}
    assert len(FILES) == len(texts)
    assert not [place for place, text in texts.items() if "$" in text]


@pytest.mark.parametrize("name", ["", "1st", "Heat", "heat-pump", "../etc", "a" * 60, "x y"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a plugin"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    scaffold("toaster", tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        scaffold("toaster", tmp_path)
