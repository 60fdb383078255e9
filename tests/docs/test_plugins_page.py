"""docs/plugins.md cannot rot: what is generated is compared, what is code is run, what is YAML is read by the code."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from ohmstead.core.bus import Bus
from ohmstead.core.loader import Loader
from ohmstead.core.plugin import Hooks
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.protocols.registers import template

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "plugins.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_up_to_date(generate: ModuleType) -> None:
    for name in generate.PAGES:
        text = (DOCS / name).read_text(encoding="utf-8")
        assert generate.page(text) == text, "run: python docs/generate.py"


def test_every_hook_is_on_the_page() -> None:
    for name in (name for name in vars(Hooks) if name.startswith("ohmstead_")):
        assert f"**`{name}(" in PAGE


def test_every_hook_says_when_what_and_what_if() -> None:
    for name, hook in vars(Hooks).items():
        if name.startswith("ohmstead_"):
            assert re.search(r"Called .*\. Returns? .*rais.*Example: `.+`", " ".join(hook.__doc__.split())), name


def test_all_python_is_python() -> None:
    for code in blocks("python"):
        ast.parse(code)
    assert len(blocks("python")) >= 5


def test_the_ten_minutes_work(tmp_path: Path) -> None:
    plugin, test = (code for code in blocks("python") if code.startswith(("# ohmstead-config/", "# test_toaster")))
    plugins = tmp_path / "ohmstead-config" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "toaster.py").write_text(plugin)
    (tmp_path / "test_toaster.py").write_text(test)
    loader = Loader(Bus())
    loader.discover(plugins)
    assert [integration.type for _, integration in loader.collect("ohmstead_integrations")] == ["toaster"]
    environment = {**os.environ, "PYTHONPATH": str(plugins), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_toaster.py"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_the_template_is_one() -> None:
    (text,) = (text for text in blocks("yaml") if "registers:" in text)
    made = template(yaml.safe_load(text), Quantities())
    assert made.requests() == [(0, 2), (0x1E, 2), (0x48, 2)]
