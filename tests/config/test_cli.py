"""The commands as people use them, over a hub that runs and without one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
import yaml
from click.testing import CliRunner, Result

from ohmstead.config.cli import cli, main
from ohmstead.config.cli.api import remote
from ohmstead.config.cli.files import pairs
from ohmstead.config.lock import Lock
from ohmstead.config.service import play
from ohmstead.core.errors import ConfigError
from tests.config.conftest import Write
from tests.config.test_house import READING, ask, running
from tests.fakes.running import RunningHub, free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(folder: Path, *arguments: str, input: str | None = None) -> Result:  # noqa: A002
    """A command in this process; only what is meant for people is caught."""
    return CliRunner().invoke(cli, ["-c", str(folder), *arguments], catch_exceptions=False, input=input)


async def command(folder: Path, *arguments: str) -> Result:
    """The same while our own loop serves the hub."""
    return await asyncio.to_thread(run, folder, *arguments)


@pytest.fixture
async def house(folder: Write) -> AsyncIterator[Path]:
    """A hub that runs, with one device, one reading and one dead letter."""
    there = folder("devices: {D1: {name: Bulb}}\n")
    async with running(there) as found:
        assert (await ask(found, "POST", "/telemetry", json=READING))["success"]
        await ask(found, "POST", "/telemetry", json={**READING, "timestamp": "2026-02-07T11:27:00Z", "powr": 1})
        yield there


def test_help_is_quick_and_imports_nothing(ohmstead: Run, tmp_path: Path) -> None:
    names = "run demo simulate init check reload token plugins devices discover import dead-letters jobs backup restore"
    done = ohmstead(tmp_path, "--help")
    assert all(name in done.stdout for name in names.split())
    code = """
import sys
from ohmstead.config.cli import MODULES, cli
assert all(cli.get_command(None, name).name == name for name in MODULES)
print(sorted({'sqlalchemy', 'aiohttp', 'asyncio', 'voluptuous', 'yaml'} & set(sys.modules)))
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert seen.stdout == "[]\n"


def test_the_same_commands_with_the_hub_and_without(folder: Write) -> None:
    there = folder("devices: {D1: {name: Bulb}}\n")

    async def with_hub() -> list[str]:
        async with running(there) as house:
            await ask(house, "POST", "/telemetry", json=READING)
            await ask(house, "POST", "/telemetry", json={**READING, "timestamp": "2026-02-07T11:27:00Z", "powr": 1})
            return [(await command(there, *words)).output for words in COMMANDS]

    online = asyncio.run(with_hub())
    offline = [run(there, *words).output for words in COMMANDS]
    for words, one, other in zip(COMMANDS, online, offline, strict=True):
        if "--json" in words:
            assert [item.get("id") or item["name"] for item in json.loads(one)] == [item.get("id") or item["name"] for item in json.loads(other)]
        else:
            assert one.splitlines()[0].split() == other.splitlines()[0].split(), words
    assert "Bulb" in online[0]
    assert "unknown quantity 'powr'" in online[2]
    assert online[2] == offline[2]


COMMANDS = [
    ("devices",), ("devices", "--json"), ("dead-letters",), ("dead-letters", "--json", "--limit", "5"), ("jobs",), ("jobs", "--json"),
    ("plugins",), ("plugins", "--json"),
]  # fmt: skip


async def test_replaying_dead_letters(house: Path) -> None:
    (letter,) = json.loads((await command(house, "dead-letters", "--json")).output)
    assert "0 stored (0 readings), 1 refused again" in (await command(house, "dead-letters", "replay", str(letter["id"]))).output
    done = await command(house, "dead-letters", "replay", "--all", "--json")
    assert json.loads(done.output) == {"replayed": 0, "refused": 1, "readings": 0}
    done = await command(house, "dead-letters", "replay")
    assert (done.exit_code, "name the ids" in done.output) == (2, True)


async def test_running_a_job(house: Path) -> None:
    assert "ok" in (await command(house, "jobs", "run", "retention")).output


def test_a_plugin_in_quarantine_is_shown(folder: Write) -> None:
    there = folder()
    (there / "plugins").mkdir()
    (there / "plugins" / "bad.py").write_text("1 / 0\n")
    assert "quarantined: import failed: ZeroDivisionError" in run(there, "plugins").output


def test_a_new_plugin(tmp_path: Path) -> None:
    assert "ohmstead-heat-pump" in run(tmp_path, "plugins", "new", "heat_pump", "--dir", str(tmp_path)).output
    assert (tmp_path / "ohmstead-heat-pump" / "pyproject.toml").is_file()


@pytest.mark.parametrize("words", [
    "-c {} run --port x", "-c {} nothing", "-c {} jobs run none", "-c {} reload", "simulate --broker ftp://x",
    "-c {}/none run", "-c {}/none token", "-c {}/none devices",
])  # fmt: skip
def test_mistakes_of_the_user_exit_with_2_and_a_sentence(folder: Write, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.format(folder()).split())
    assert ended.value.code == 2
    assert "Error" in (said := capsys.readouterr().err) or "; " in said or ": " in said


def test_no_traceback_for_a_mistake(folder: Write, ohmstead: Run) -> None:
    done = ohmstead(folder("web: {prt: 1}\n"), "run")
    assert (done.returncode, done.stderr) == (2, 'configuration.yaml:1  web → prt: unknown option. Did you mean "port"?\n')


def test_a_bug_shows_itself_and_exits_with_1(folder: Write, ohmstead: Run) -> None:
    there = folder()
    (there / "data").write_text("a file where a folder should be")
    done = ohmstead(there, "devices")
    assert done.returncode == 1


def test_a_hub_that_does_not_answer(folder: Write) -> None:
    there = folder()
    with pytest.raises(SystemExit) as ended:
        main(["-c", str(there), "run", "--port", "0"])
    assert ended.value.code == 2
    lock = Lock(there / "data")
    lock.take()
    assert "does not answer yet" in run_main(there, "devices")
    lock.tell(f"http://127.0.0.1:{free_port()}")
    assert "cannot be read: No such file" in run_main(there, "devices")
    (there / "data" / "owner_token").write_bytes(b"\xa0\x00")
    assert "holds no token; 'ohmstead token --new' makes one" in run_main(there, "devices")
    run(there, "token", "--new")
    assert "does not answer" in run_main(there, "devices")
    lock.release()


def run_main(folder: Path, *arguments: str) -> str:
    """What the whole command prints to stderr."""
    done = subprocess.run([sys.executable, "-m", "ohmstead", "-c", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2)
    return done.stderr


def test_tokens(folder: Write) -> None:
    there = folder()
    first, again = run(there, "token").output, run(there, "token").output
    assert first == again
    assert json.loads(run(there, "token", "--json").output) == {"token": first.strip()}
    assert len(first.strip()) >= 43
    assert run(there, "token", "--new").output != first
    ingest = run(there, "token", "--ingest").output
    assert ingest not in (first, run(there, "token").output)
    assert run(there, "token", "--ingest", "--new").output != ingest
    assert (there / "data" / "owner_token").stat().st_mode & 0o777 == 0o600


def test_init_writes_what_is_not_there(tmp_path: Path) -> None:
    there = tmp_path / "house"
    first = run(there, "init")
    assert "wrote" in first.output
    text = (there / "configuration.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=configuration.schema.json")
    assert yaml.safe_load(text)["home"]["currency"] == "EUR"
    assert json.loads((there / "configuration.schema.json").read_text())["properties"]["home"]
    assert (there / "secrets.yaml").stat().st_mode & 0o777 == 0o600
    assert "no mistakes" in run(there, "check").output
    (there / "configuration.yaml").write_text("mine: 1\n")
    (there / ".gitignore").unlink()
    assert run(there, "init").output.startswith(f"wrote {there / '.gitignore'}\nNext")
    assert (there / "configuration.yaml").read_text() == "mine: 1\n"
    assert "nothing to write" in run(there, "init").output


def test_init_can_be_uncommented(tmp_path: Path) -> None:
    """What the comments propose is right too."""
    there = tmp_path / "house"
    run(there, "init")
    lines = (there / "configuration.yaml").read_text().splitlines()
    begin = lines.index("# mqtt:")
    block = [line.removeprefix("# ").removeprefix("#") for line in lines[begin:]]
    block = [line for line in block if ":" in line and not line[0].isupper()]
    keep = [line for number, line in enumerate(block) if "broker: embedded" not in line and not (line == "mqtt:" and number)]
    (there / "configuration.yaml").write_text("\n".join([*lines[:begin], *keep]))
    (there / "secrets.yaml").write_text("mqtt_password: x\n")
    done = run(there, "check")
    assert done.exit_code == 0, done.output


def test_the_json_schema(folder: Write) -> None:
    found = json.loads(run(folder(), "check", "--json-schema").output)
    assert found["additionalProperties"] is False
    home = found["properties"]["home"]
    assert home["properties"]["time_zone"] == {"type": "string", "description": home["properties"]["time_zone"]["description"], "default": "UTC"}
    assert home["additionalProperties"] is False
    assert found["properties"]["web"]["properties"]["port"]["maximum"] == 65535
    entry = found["properties"]["integrations"]["additionalProperties"]
    assert "eastron" in entry["properties"]["type"]["enum"]
    eastron = next(each["then"] for each in entry["allOf"] if each["if"]["properties"]["type"]["const"] == "eastron")
    assert eastron["required"] == ["host", "model"]
    assert "sdm630" in eastron["properties"]["model"]["enum"]
    assert eastron["additionalProperties"] is False


def described(schema: dict[str, object], way: str = "") -> list[str]:
    """The ways to options without a description."""
    found = []
    for name, inner in (schema.get("properties") or {}).items():  # type: ignore[attr-defined]
        found += [f"{way} → {name}"] if not inner.get("description") else []
        found += described(inner, f"{way} → {name}")
    for key in ("additionalProperties", "items", "then"):
        if isinstance(schema.get(key), dict):
            found += described(schema[key], way)  # type: ignore[arg-type]
    for inner in [*schema.get("allOf", []), *schema.get("anyOf", [])]:  # type: ignore[misc]
        found += described(inner, way)
    return found


def test_every_option_is_described(folder: Write) -> None:
    assert described(json.loads(run(folder(), "check", "--json-schema").output)) == []


def test_options_of_a_format() -> None:
    assert pairs(("--columns", "a=b", "--time-format=%d", "--zone", "UTC")) == {"columns": "a=b", "time_format": "%d", "zone": "UTC"}
    for words in (("zone", "UTC"), ("--zone",), ("--", "x")):
        with pytest.raises(Exception, match="unexpected|needs a value"):
            pairs(words)


def test_run_stops_clean_at_both_signals(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        hub = RunningHub(tmp_path / number.name, "log: {format: json, requests: true}\n")
        asyncio.run(hub.start())
        second = run_main(hub.folder, "run")
        assert f"this house is run by process {hub.pid}, at {hub.url.replace('127.0.0.1', 'localhost')}; stop it first" in second
        began = time.monotonic()
        assert hub._end(number) == 0
        assert time.monotonic() - began < 10
        lines = [json.loads(line) for line in hub.log.read_text().splitlines()]
        assert {"level", "message", "timestamp", "service"} <= set(lines[0])
        assert any(line.get("url") == "/ready" for line in lines)


def test_a_container_needs_no_file(tmp_path: Path) -> None:
    port = free_port()
    there = tmp_path / "house"
    there.mkdir()
    environment = {**os.environ, "OHMSTEAD_CONFIG": str(there), "OHMSTEAD_PORT": str(port), "OHMSTEAD_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "-m", "ohmstead", "run"], env=environment, stderr=subprocess.PIPE, text=True)

    async def wait() -> None:
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/ready") as answer:
                        assert answer.status == 200
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    try:
        asyncio.run(wait())
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0
    assert errors == ""


def stopped(arguments: list[str], ready: Callable[[], bool], number: signal.Signals = signal.SIGTERM) -> Result:
    """Run a command that goes on until a signal, here in this process; the signal comes once it is ready."""

    def tell() -> None:
        deadline = time.monotonic() + 20
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)
    finally:
        teller.join()


def ready_at(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_simulated_devices_stop_clean() -> None:
    began = time.monotonic()
    words = ["simulate", "--broker", f"mqtt://127.0.0.1:{free_port()}", "--every", "0.2", "--devices", "3"]
    done = stopped(words, lambda: time.monotonic() > began + 0.5, signal.SIGINT)
    assert (done.exit_code, "Traceback" in done.output) == (0, False)
    with pytest.raises(ConfigError, match="expected an address such as mqtt://"):
        play("ftp://x", 1, 1.0, 0.0, 1)


def test_run_in_this_process(folder: Write) -> None:
    port = free_port()
    done = stopped(["-c", str(folder()), "run", "--host", "127.0.0.1", "--port", str(port)], lambda: ready_at(port))
    assert (done.exit_code, done.output.splitlines()[-1].endswith("service: stopping")) == (0, True)


def test_the_demo_prints_where_to_look(tmp_path: Path) -> None:
    there = tmp_path / "demo"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        def has_devices() -> bool:
            holder = Lock(there / "data").holder()
            if holder is None or holder.url is None:
                return False
            return len(list(remote(there, holder).listing("/devices", {"limit": 3}))) > 10

        done = stopped(["demo", "--dir", str(there), "--port", str(taken), "--days", "0.05"], has_devices)
    assert done.exit_code == 0
    assert f"port {taken} is taken; the demo uses " in done.output
    assert "http://localhost:" in done.output
    assert (there / "data" / "owner_token").read_text().strip() in done.output
    assert "Traceback" not in done.output


async def test_reload_by_command(folder: Write) -> None:
    there = folder()
    async with running(there):
        folder("home: {name: B}\nstorage: {durability: power}\n")
        assert (await command(there, "reload")).output == "changed: home\nneeds a restart: storage\n"
        assert json.loads((await command(there, "reload", "--json")).output) == {"changed": [], "needs_restart": ["storage"]}


def test_a_house_that_does_not_stop_is_ended() -> None:
    code = """
import asyncio
from ohmstead.config import service
class Stuck:
    async def stop(self):
        await asyncio.sleep(60)
service.STOP_S = 0.1
asyncio.run(service._stop(Stuck()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "did not stop within" in done.stderr) == (1, True)


def test_a_pipe_that_is_closed_is_no_error(folder: Write) -> None:
    there = folder()
    command_line = f"{sys.executable} -m ohmstead -c {there} plugins --json | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command_line}"], capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr


def test_discover(folder: Write) -> None:
    done = run(folder(), "discover", "--seconds", "0.5", "--json")
    assert isinstance(json.loads(done.output), list)
    from ohmstead.config.cli.discovery import _id
    from ohmstead.config.cli.things import _show_found

    assert _id("Shelly Plug (küche)") == "shelly-plug-k-che"
    assert _id("…") == "device"
    with CliRunner().isolation() as (out, *_):
        _show_found([])
        _show_found([{"id": "a", "name": "A", "host": "h", "integration": "shelly_gen2", "options": {"host": "h"}}])
        assert b"integrations:\n  a:  # A at h\n    type: shelly_gen2\n    host: h" in out.getvalue()
