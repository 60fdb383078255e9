"""The house put together for real: opened, started, stopped, and started again."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ohmstead.config.examine import problems
from ohmstead.config.house import House, load
from ohmstead.config.lock import Holder, Lock, taken
from ohmstead.core.errors import ConfigError, Unavailable
from tests.config.conftest import Write
from tests.fakes.postgres import Postgres
from tests.fakes.running import free_port

READING = {"device_id": "D1", "timestamp": "2026-02-07T11:26:00Z", "power": 195.9}


@asynccontextmanager
async def running(folder: Path, port: int | None = None) -> AsyncIterator[House]:
    """A house that serves; stopped at the end, whatever happens."""
    house = House(folder, {}, {"port": str(port or free_port())})
    try:
        await house.open()
        await house.start()
        yield house
    finally:
        await house.stop()


def client(house: House) -> aiohttp.ClientSession:
    token = (house.hub.data_dir / "owner_token").read_text().strip()
    return aiohttp.ClientSession(house.web.url, headers={"Authorization": f"Bearer {token}"})


async def ask(house: House, method: str, path: str, **more: Any) -> Any:
    async with client(house) as session, session.request(method, f"/api/v1{path}", **more) as answer:
        return await answer.json()


async def test_it_serves_and_says_where(folder: Write) -> None:
    async with running(folder("home: {name: Test, time_zone: Europe/Berlin}\n")) as house:
        assert house.lock.holder() == Holder(os.getpid(), house.web.url)
        async with client(house) as session, session.get("/ready") as answer:
            assert answer.status == 200
        assert (await ask(house, "GET", "/locations/home"))["data"]["time_zone"] == "Europe/Berlin"
        plugins = {plugin["name"]: plugin for plugin in (await ask(house, "GET", "/plugins"))["data"]}
        assert "POST /reload" in plugins["house"]["declares"]["routes"]
        assert "eastron" in plugins["eastron"]["declares"]["integrations"]
    assert Lock(house.hub.data_dir).holder() is None


async def test_what_was_stored_is_there_after_a_restart(folder: Write) -> None:
    there = folder("locations: {attic: {}}\ndevices: {D1: {name: Bulb, location: attic}}\n")
    async with running(there) as house:
        assert (await ask(house, "POST", "/telemetry", json=READING))["success"]
    async with running(there) as house:
        (state,) = (await ask(house, "GET", "/states?device=D1"))["data"]
        assert (state["value"], state["restored"]) == (195.9, True)
        assert house.parts.devices_in("attic") == ["D1"]
        metrics = client(house)
        async with metrics, metrics.get("/metrics") as answer:
            text = await answer.text()
        assert "devices_online 1.0" in text
        assert "queue_jobs_pending" in text
        assert 'db_query_duration_seconds_count{kind="read"}' in text


async def test_nobody_else_may_run_it(folder: Write) -> None:
    there = folder()
    async with running(there) as house:
        second = House(there, {})
        with pytest.raises(ConfigError, match=f"run by process {os.getpid()}, at {house.web.url}; stop it first"):
            await second.open()
        await second.stop()


async def test_the_web_address_is_taken(folder: Write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"web → port: cannot listen on 127.0.0.1:{port}"):
            async with running(folder(), port):
                raise AssertionError("it started")
    async with running(folder(), port):
        pass


async def test_the_embedded_brokers_port_is_taken(folder: Write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(ConfigError, match="cannot be listened on"):
            async with running(folder(f"mqtt: {{broker: embedded, port: {other.getsockname()[1]}}}\n")):
                raise AssertionError("it started")


async def test_the_database_is_away(folder: Write) -> None:
    with pytest.raises(Unavailable, match="database postgresql"):
        async with running(folder("storage: {url: 'postgresql://a:b@127.0.0.1:" + str(free_port()) + "/none'}\n")):
            raise AssertionError("it started")


async def test_the_embedded_broker_is_connected(folder: Write) -> None:
    async with running(folder(f"mqtt: {{broker: embedded, port: {free_port()}}}\n")) as house:
        async with client(house) as session:
            for _ in range(500):
                async with session.get("/ready") as answer:
                    if (await answer.json())["data"]["checks"]["mqtt"]["ok"]:
                        break
        assert house.parts.mqtt.connected


async def test_access_lists_are_written_for_an_owners_broker(folder: Write) -> None:
    async with running(folder("mqtt: {host: 127.0.0.1, port: " + str(free_port()) + ", username: hub, password: p}\n")) as house:
        assert "user hub" in (house.hub.data_dir / "acl" / "mosquitto.acl").read_text()
        async with client(house) as session, session.get("/ready") as answer:
            assert answer.status == 200, "a broker that is away does not keep the hub from being ready"


CLASH = """
from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Route

async def handler(call):
    return "mine"

@hookimpl
def ohmstead_routes(hub):
    return [Route("GET", "{path}", handler, "read", "mine", absolute={absolute})]
"""


@pytest.mark.parametrize(("path", "absolute"), [("/devices", False), ("/health", True), ("/api/v1/plugins", True)])
async def test_a_plugin_that_claims_a_route_is_turned_away(folder: Write, path: str, absolute: bool) -> None:
    there = folder()
    (there / "plugins").mkdir()
    (there / "plugins" / "thief.py").write_text(CLASH.replace("{path}", path).replace("{absolute}", str(absolute)))
    (there / "plugins" / "honest.py").write_text(CLASH.replace("{path}", "/honest").replace("{absolute}", "False"))
    async with running(there) as house:
        plugins = {plugin["name"]: plugin["quarantined"] for plugin in (await ask(house, "GET", "/plugins"))["data"]}
        assert plugins["thief"] == f"its route GET {path} is there already"
        assert (await ask(house, "GET", "/honest"))["data"] == "mine"


TAKER = """
from ohmstead.core.plugin import Section, hookimpl

taken = []

async def apply(value):
    if value == "bad":
        raise RuntimeError("no")
    taken.append(value)

@hookimpl
def ohmstead_sections(hub):
    return [Section("taker", str, apply, "what it takes")]
"""


async def test_a_plugin_takes_its_section_and_one_that_raises_is_turned_away(folder: Write) -> None:
    there = folder("taker: one\n")
    (there / "plugins").mkdir()
    (there / "plugins" / "taker.py").write_text(TAKER)
    async with running(there) as house:
        plugin = house.hub.plugins.get("taker")
        assert plugin is not None
        folder("taker: two\n")
        assert (await house.reload()).changed == ("taker",)
        await house.reload()
        assert plugin.module.taken == ["one", "two"]  # type: ignore[attr-defined]
        folder("taker: bad\n")
        await house.reload()
        assert plugin.quarantined == "its section 'taker': RuntimeError: no"
        folder("taker: three\n")
        await house.reload()
        assert plugin.module.taken == ["one", "two"]  # type: ignore[attr-defined]


def test_a_mistake_stops_the_start(folder: Write) -> None:
    async def start() -> None:
        House(folder("web: {prt: 1}\nhome: 5\n"), {})

    with pytest.raises(ConfigError) as error:
        asyncio.run(start())
    assert len(error.value.problems) == 2


async def test_ids_made_over_the_api_are_known_at_the_next_start(folder: Write) -> None:
    there = folder()
    async with running(there) as house:
        await ask(house, "POST", "/locations", json={"id": "shed", "name": "Shed"})
        await ask(house, "POST", "/devices", json={"id": "D9", "name": "Nine"})
    there = folder("devices: {D1: {location: shed, via: D9}}\n")
    assert (await asyncio.to_thread(problems, there)).problems == []
    async with running(there) as house:
        assert house.parts.devices.entry("D1").device.via == "D9"
        assert (await asyncio.to_thread(problems, there)).problems == []
        folder("devices: {D1: {location: shd, via: D9}}\n")
        assert len((await asyncio.to_thread(problems, there)).problems) == 1
        folder("devices: {D1: {location: shed, via: D9}}\n")
    with pytest.raises(ConfigError, match="made over the API"):
        async with running(folder("devices: {D9: {name: mine}}\n")):
            raise AssertionError("it started")


def test_loading_takes_the_options_of_the_command_line(folder: Write, tmp_path: Path) -> None:
    document = load(folder("web: {port: 1}\n"), {"OHMSTEAD_PORT": "2"}, {"port": "3"})
    assert document.data["web"]["port"] == "3"
    assert str(document.place(("web", "port"))) == "--port"
    (tmp_path / "x" / "configuration.yaml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path / "x", {})


def test_the_lock(tmp_path: Path) -> None:
    lock, other = Lock(tmp_path / "data"), Lock(tmp_path / "data")
    assert other.holder() is None
    lock.take()
    assert other.holder() == Holder(os.getpid())
    lock.tell("http://localhost:1")
    assert other.holder() == Holder(os.getpid(), "http://localhost:1")
    with pytest.raises(ConfigError, match="stop it first"):
        other.take()
    (tmp_path / "data" / "lock").write_text("{")
    assert other.holder() == Holder(0)
    lock.release()
    lock.release()
    assert other.holder() is None
    other.take()
    other.release()
    assert taken(tmp_path, None) == f"{tmp_path}: this house is run by another process; stop it first"




@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres(os.environ.get("OHMSTEAD_TEST_POSTGRES"))
    yield server
    server.close()


async def test_the_same_house_on_postgresql(folder: Write, postgres: Postgres, tmp_path: Path) -> None:
    url = await asyncio.to_thread(postgres.create)
    there = folder("storage: {url: !secret url}\ndevices: {D1: {}}\n", secrets_yaml=f"url: '{url}'\n")
    async with running(there) as house:
        assert (await ask(house, "POST", "/telemetry", json=READING))["success"]
    async with running(there) as house:
        (state,) = (await ask(house, "GET", "/states?device=D1"))["data"]
        assert (state["value"], state["restored"]) == (195.9, True)
        async with client(house) as session, session.get("/ready") as answer:
            assert answer.status == 200
    await asyncio.to_thread(postgres.drop, url)
