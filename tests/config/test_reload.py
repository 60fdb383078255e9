"""A changed configuration, taken up while the house runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ohmstead.config.house import House
from ohmstead.core.errors import ConfigError
from ohmstead.core.events import ConfigReloaded
from tests.config.conftest import Write
from tests.config.test_house import ask, client, running
from tests.fakes.running import RunningHub, free_port
from tests.fakes.shelly import FakeShelly

Run = Callable[..., subprocess.CompletedProcess[str]]
DEMO = "integrations: {%s: {type: shelly_gen2, host: '127.0.0.1:%d', every: 0.2}}\n"


@asynccontextmanager
async def changed(house: House, write: Callable[[], object]) -> AsyncIterator[list[ConfigReloaded]]:
    heard: list[ConfigReloaded] = []
    end = house.hub.bus.subscribe(ConfigReloaded, heard.append)
    write()
    yield heard
    end()


async def test_nothing_changed(folder: Write) -> None:
    async with running(folder("home: {name: A}\n")) as house:
        done = await house.reload()
        assert (done.changed, done.needs_restart) == ((), ())


async def test_only_what_changed_is_touched(folder: Write) -> None:
    async with running(folder("integrations: {p1: {type: dsmr, host: 127.0.0.1, port: 1}}\n")) as house:
        kept = next(iter(house.hub.runners))
        yaml = """
        home: {name: B, time_zone: Europe/Paris}
        devices: {D1: {name: Bulb}}
        integrations:
          p1: {type: dsmr, host: 127.0.0.1, port: 1}
          p2: {type: dsmr, host: 127.0.0.1, port: 2}
        retention: {raw: 10d}
        log: {level: warning}
        """
        async with changed(house, lambda: folder(yaml)) as heard:
            done = await house.reload()
        assert done.changed == ("home", "log", "devices", "retention", "integrations → p2")
        assert heard == [ConfigReloaded(("p2",))]
        assert next(iter(house.hub.runners)) is kept
        assert house.parts.devices.entry("D1").device.name == "Bulb"
        assert house.parts.jobs.zone == "Europe/Paris"
        assert house.parts.devices.locations.zone_of("home") == "Europe/Paris"
        folder("{}")
        assert "integrations → p1" in (await house.reload()).changed
        assert "D1" not in house.parts.devices


async def test_a_bad_configuration_changes_nothing(folder: Write) -> None:
    async with running(folder("home: {name: A}\ndevices: {D1: {}}\n")) as house:
        folder("home: {name: B, colour: red}\ndevices: {D2: {via: D3}}\nweb: {prt: 1}\n")
        with pytest.raises(ConfigError) as error:
            await house.reload()
        assert len(error.value.problems) == 3
        assert "D1" in house.parts.devices
        assert house.checked.sections["home"]["name"] == "A"
        answer = await ask(house, "POST", "/reload")
        assert answer["error"]["code"] == "VALIDATION_ERROR"
        assert answer["error"]["details"] == list(error.value.problems)
        assert (await ask(house, "GET", "/reload"))["data"]["problems"] == list(error.value.problems)
        folder("home: {name: B}\n")
        assert (await ask(house, "GET", "/reload"))["data"] == {"problems": []}
        assert (await ask(house, "POST", "/reload"))["data"] == {"changed": ["home", "devices"], "needs_restart": []}


async def test_what_needs_a_restart_is_told(folder: Write) -> None:
    there = folder()
    (there / "plugins").mkdir()
    (there / "plugins" / "old.py").write_text("from ohmstead.core.plugin import hookimpl\n@hookimpl\ndef ohmstead_integrations(): return []\n")
    async with running(there) as house:
        folder("storage: {durability: power}\nhome: {name: B}\n")
        (there / "plugins" / "new.py").write_text("")
        with (there / "plugins" / "old.py").open("a") as file:
            file.write("# changed\n")
        done = await house.reload()
        assert done.changed == ("home",)
        assert done.needs_restart == ("storage", "plugins/new.py", "plugins/old.py")
        assert (await house.reload()).needs_restart == done.needs_restart, "until it was restarted"


async def test_the_web_moves_to_another_port(folder: Write) -> None:
    port = free_port()
    there = folder()
    house = House(there, {"OHMSTEAD_PORT": str(free_port())})
    try:
        await house.open()
        await house.start()
        old = house.web.url
        house._variables["OHMSTEAD_PORT"] = str(port)
        assert (await ask(house, "POST", "/reload"))["data"]["changed"] == ["web"]
        async with asyncio.timeout(10):
            while house.web.url == old:
                await asyncio.sleep(0.02)
        assert house.lock.holder().url == house.web.url == f"http://localhost:{port}"  # type: ignore[union-attr]
        assert (await ask(house, "GET", "/plugins"))["success"]
        with socket.create_server(("127.0.0.1", 0)) as other:
            house._variables["OHMSTEAD_PORT"] = str(other.getsockname()[1])
            with pytest.raises(ConfigError, match="web → port: cannot listen on 127.0.0.1"):
                await house.reload()
        assert (await ask(house, "GET", "/plugins"))["success"]
        house._variables["OHMSTEAD_PORT"] = str(port)
        folder("web: {host: 203.0.113.7}\n")  # an address that is not ours
        await house.reload()
        await house._reloader.stop()
        assert (await ask(house, "GET", "/plugins"))["success"], "it serves at the old address again"
    finally:
        await house.stop()


async def test_a_broker_that_is_away_is_no_failure_and_one_that_cannot_be_is(folder: Write) -> None:
    port = free_port()
    async with running(folder(f"mqtt: {{broker: embedded, port: {port}}}\n")) as house:
        with socket.create_server(("127.0.0.1", 0)) as other:
            folder(f"mqtt: {{broker: embedded, port: {other.getsockname()[1]}}}\nhome: {{name: B}}\n")
            with pytest.raises(ConfigError, match="cannot be listened on"):
                await house.reload()
        assert house.checked.sections["home"]["name"] == "Home"
        async with asyncio.timeout(10):
            while not house.parts.mqtt.connected:
                await asyncio.sleep(0.02)
        folder(f"mqtt: {{host: 127.0.0.1, port: {free_port()}}}\n")
        assert (await house.reload()).changed == ("mqtt",)
        folder("")
        assert (await house.reload()).changed == ("mqtt",)
        assert house.parts.mqtt.options is None


async def test_a_device_that_is_away_is_no_failure(folder: Write) -> None:
    async with FakeShelly() as shelly, running(folder()) as house:
        folder(DEMO.replace("'127.0.0.1:%d'", "127.0.0.1") % "plug")
        assert (await house.reload()).changed == ("integrations → plug",)
        assert shelly.port
        async with client(house) as session, session.get("/ready") as answer:
            assert answer.status == 200


async def test_two_reloads_at_once_take_turns(folder: Write) -> None:
    async with running(folder()) as house:
        folder("devices: {D1: {}}\n")
        one, two = await asyncio.gather(house.reload(), house.reload())
        assert sorted([one.changed, two.changed]) == [(), ("devices",)]


async def test_sighup_and_the_command(tmp_path: Path, ohmstead: Run) -> None:
    hub = RunningHub(tmp_path / "house", "web: {}\n")
    await hub.start()
    try:
        configuration = hub.folder / "configuration.yaml"
        configuration.write_text("devices: {D1: {name: One}}\n")
        os.kill(hub.pid, signal.SIGHUP)
        async with asyncio.timeout(10):
            while not await hub.get("/devices"):
                await asyncio.sleep(0.05)
        configuration.write_text("devices: {D1: {nme: One}}\n")
        os.kill(hub.pid, signal.SIGHUP)
        done = await asyncio.to_thread(ohmstead, hub.folder, "reload")
        assert done.returncode == 2
        assert 'configuration.yaml:1  devices → D1 → nme: unknown option. Did you mean "name"?' in done.stderr
        configuration.write_text("devices: {D1: {name: Two}}\nstorage: {durability: power}\n")
        done = await asyncio.to_thread(ohmstead, hub.folder, "reload")
        assert (done.returncode, done.stdout) == (0, "changed: devices\nneeds a restart: storage\n")
        done = await asyncio.to_thread(ohmstead, hub.folder, "reload")
        assert done.stdout == "nothing changed\nneeds a restart: storage\n"
        assert "the configuration was not reloaded" in hub.log.read_text()
    finally:
        assert await asyncio.to_thread(hub.stop) == 0
    done = await asyncio.to_thread(ohmstead, hub.folder, "reload")
    assert (done.returncode, done.stderr) == (2, f'{hub.folder}: no hub runs here; "ohmstead run" starts one\n')
