"""The wheel holds all the house needs: built, installed into an empty environment, and run there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from tests.fakes.running import free_port

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "ohmstead"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip install .` builds it, with the build tools that are installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel. Its dependencies are those of the tests, by a path."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command says; an error shows all of it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OHMSTEAD_", "PYTHON", "COV_"))}
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd or Path.home(), env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    expected = {
        str(path.relative_to(ROOT)) for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        beside = {name.partition(".dist-info/")[2] for name in archive.namelist() if ".dist-info/" in name}
    assert packed == expected
    assert "licenses/LICENSE" in beside


@pytest.mark.parametrize(
    "pattern",
    [r"ohmstead/py\.typed", r"ohmstead/plugins/\w+/migrations/0001_\w+\.py", r"ohmstead/integrations/eastron/templates/\w+\.yaml",
     r"ohmstead/web/page/index\.html", r"ohmstead/config/scaffold/.+"],
)  # fmt: skip
def test_what_is_no_module_is_there_too(wheel: Path, pattern: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if re.fullmatch(pattern, name)]


def test_the_installed_command_runs_a_house(empty: Path, tmp_path: Path) -> None:
    ohmstead, house = empty / "ohmstead", tmp_path / "house"
    assert run(empty / "python", "-c", "import ohmstead; print(ohmstead.__file__)").startswith(str(empty.parent))
    assert "energy hub" in run(ohmstead, "--help")
    run(ohmstead, "-c", house, "init")
    run(ohmstead, "-c", house, "check")
    assert "shelly" in run(ohmstead, "-c", house, "plugins", "new", "shelly", cwd=tmp_path)

    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        hub = subprocess.Popen([ohmstead, "-c", house, "run", "--port", str(port)], cwd=tmp_path, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not ready(port):
            assert hub.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(15) == 0
    finally:
        hub.kill()
        hub.wait()


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_licence_is_the_apache_licence_unchanged() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.strip().startswith("Apache License\n                           Version 2.0, January 2004")
    assert text.rstrip().endswith("limitations under the License.")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_names_no_server_and_checks_every_package_by_its_hash(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index" not in text.lower().replace("index-", "")
    entries = re.findall(r"^[A-Za-z0-9].*(?:\n {4}.*)*", text, flags=re.MULTILINE)
    assert len(entries) > 30
    for entry in entries:
        assert "==" in entry.split()[0], entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


@pytest.mark.parametrize("script", ["packaging/system-packages", "packaging/make-venv", ".ci/run"])
def test_the_scripts_are_executable_and_their_shell_can_read_them(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    shell = path.read_text().partition("\n")[0].split("/")[-1].split()[-1]
    run(shell, "-n", path)
