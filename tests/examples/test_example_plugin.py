"""The example package installs, is found by its entry point, and runs in a house, apart from the built-in ones."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmstead.core.bus import Bus
from ohmstead.core.loader import Loader
from ohmstead.core.plugin import Integration
from ohmstead.plugins.protocols.trial import answering
from tests.fakes.house import until
from tests.fakes.street import Street

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ohmstead-example-plugin"
STATUS = {"model": "B1", "heating": True, "power": 2000, "energy": 12054, "water": 140, "scale": 3}
INSTALL = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]


def install(source: Path, target: Path) -> Path:
    run = subprocess.run(
        [sys.executable, *INSTALL, "--target", str(target), str(source)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(EXAMPLE, tmp_path_factory.mktemp("site"))


@pytest.fixture
def loader(installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Loader]:
    monkeypatch.syspath_prepend(str(installed))
    loader = Loader(Bus())
    loader.discover(tmp_path)
    yield loader
    sys.modules.pop("ohmstead_example_boiler", None)


def integration(loader: Loader) -> Integration:
    (found,) = (thing for plugin, thing in loader.collect("ohmstead_integrations") if plugin.name == "example_boiler")
    assert isinstance(found, Integration)
    return found


def test_it_is_found_by_its_entry_point(loader: Loader) -> None:
    plugin = loader.get("example_boiler")
    assert plugin is not None
    assert (plugin.origin, plugin.shipped, plugin.quarantined) == ("package ohmstead-example-plugin 0.1.0", False, None)
    assert integration(loader).type == "example_boiler"
    assert [quantity.name for _, quantity in loader.collect("ohmstead_quantities")] == ["scale"]


async def test_it_runs_in_a_house_on_the_second_loop(loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    boiler = integration(loader)
    answers = {"/status": STATUS, "/heating": {}}
    async with answering(answers) as port, Street() as street:
        for _, quantity in loader.collect("ohmstead_quantities"):
            street.hub.quantities.add(quantity)
        await street.run(boiler, foreign="example_boiler", boiler={"host": "127.0.0.1", "port": port, "every": 0.1})
        await until(lambda: street.values("boiler_water"))
        assert street.values("boiler") == {"switch": "on", "power": 2000, "energy_import": 12.054, "scale": 3}
        assert street.values("boiler_water") == {"temperature": 60}
        assert street.infos()["boiler_water"].via == "boiler"
        answers["/status"] = {**STATUS, "heating": False}
        await street.switch("boiler", "off")
        await until(lambda: street.values("boiler")["switch"] == "off")


@pytest.mark.parametrize("folder", [EXAMPLE], ids=lambda folder: folder.name)
def test_its_own_tests_pass(folder: Path, installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder / "tests")]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "2 passed" in run.stdout, run.stdout + run.stderr
