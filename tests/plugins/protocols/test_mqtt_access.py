"""Signing in, TLS and access lists, with a real Mosquitto."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.protocols import acl
from ohmstead.plugins.protocols.mqtt import Mqtt, Options, Tls
from tests.fakes.certificates import Authority
from tests.fakes.house import until
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.services import require

BOTH = pytest.mark.parametrize("protocol", [5, 4], ids=["v5", "v3.1.1"])


@asynccontextmanager
async def tried(folder: Path, options: Options) -> AsyncIterator[Mqtt]:
    mqtt = Mqtt(folder, Clock())
    await mqtt.apply(options)
    try:
        yield mqtt
    finally:
        await mqtt.stop()


def with_users(folder: Path, lists: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for user in ("ohmstead", "D1"):
        flags = ["-c"] if user == "ohmstead" else []
        subprocess.run([require("mosquitto_passwd"), "-b", *flags, str(folder / "users"), user, f"secret of {user}"], check=True)
    return f"allow_anonymous false\npassword_file {folder}/users\n{lists}"


@BOTH
async def test_a_wrong_password_is_said_once_and_not_tried_again(tmp_path: Path, protocol: int, caplog: pytest.LogCaptureFixture) -> None:
    async with mosquitto(tmp_path / "broker", access=with_users(tmp_path)) as broker:
        with caplog.at_level(logging.INFO, "ohmstead"):
            async with tried(tmp_path, Options("127.0.0.1", broker.port, "ohmstead", "guess", protocol=protocol)) as mqtt:
                await until(lambda: mqtt.reason not in (None, "connecting"))
                await asyncio.sleep(1.5)  # long enough for a first retry
                assert not mqtt.connected
                assert mqtt.reason is not None
                assert "'ohmstead'" in mqtt.reason
                assert broker.log.count("New client connected") == 0
                assert broker.log.count("disconnected, not authorised") <= 1
                await mqtt.apply(Options("127.0.0.1", broker.port, "ohmstead", "secret of ohmstead", protocol=protocol))
                await until(lambda: mqtt.connected)
        told = [r.getMessage() for r in caplog.records]
        assert sum("is stopped" in text for text in told) == 1
        assert "guess" not in "".join(told)


async def test_no_user_name_where_one_is_wanted(tmp_path: Path) -> None:
    async with mosquitto(tmp_path / "broker", access=with_users(tmp_path)) as broker:
        async with tried(tmp_path, Options("127.0.0.1", broker.port)) as mqtt:
            await until(lambda: mqtt.reason not in (None, "connecting"))
            assert "no user name was given" in str(mqtt.reason)


async def test_the_access_list_lets_a_device_touch_its_own_topics_only(tmp_path: Path) -> None:
    acl.write(tmp_path / "acl")
    access = with_users(tmp_path, f"acl_file {tmp_path}/acl/mosquitto.acl\n")
    got: list[str] = []
    async with mosquitto(tmp_path / "broker", access=access) as broker:
        async with tried(tmp_path, Options("127.0.0.1", broker.port, "ohmstead", "secret of ohmstead")) as mqtt:
            mqtt.subscribe("#", lambda m: (got.append(m.topic), m.ack()))
            await until(lambda: mqtt.connected)
            await asyncio.sleep(0.1)
            device = ["-u", "D1", "-P", "secret of D1"]
            for topic in ("devices/D2/telemetry", "ohmstead/status", "green-energy/x/generation", "devices/D1", "devices/D1/telemetry"):
                await broker.publish(topic, "x", access=device)
            await until(lambda: "devices/D1/telemetry" in got)
            await asyncio.sleep(0.1)
            assert set(got) - {"ohmstead/status"} <= {"devices/D1/telemetry", "devices/D1"}
            assert got.count("ohmstead/status") == 1  # the hub's own


@asynccontextmanager
async def secure(folder: Path, more: str = "") -> AsyncIterator[tuple[Mosquitto, Authority]]:
    authority = Authority(folder / "certificates")
    server = authority.sign("server")
    access = f"allow_anonymous true\ncafile {authority.cert}\ncertfile {server.cert}\nkeyfile {server.key}\n{more}"
    async with mosquitto(folder / "broker", access=access) as broker:
        yield broker, authority


@BOTH
async def test_tls_with_an_authority_and_a_certificate_of_ones_own(tmp_path: Path, protocol: int) -> None:
    async with secure(tmp_path, "require_certificate true\n") as (broker, authority):
        own = authority.sign("hub")
        tls = Tls(authority.cert, own.cert, own.key)
        async with tried(tmp_path, Options("127.0.0.1", broker.port, tls=tls, protocol=protocol)) as mqtt:
            got: list[bytes] = []
            mqtt.subscribe("t", lambda m: (got.append(m.payload), m.ack()))
            await until(lambda: mqtt.connected)
            for n in range(500):
                await mqtt.publish("t", str(n), 1)
            await until(lambda: len(got) == 500)
            await mqtt.publish("t", b"x" * 1_000_000, 1)
            await until(lambda: len(got) == 501)
            await until(lambda: mqtt.unacknowledged == 0)


async def test_a_broker_that_wants_a_certificate_gets_none(tmp_path: Path) -> None:
    async with secure(tmp_path, "require_certificate true\n") as (broker, authority):
        async with tried(tmp_path, Options("127.0.0.1", broker.port, tls=Tls(authority.cert))) as mqtt:
            await until(lambda: mqtt.reason not in (None, "connecting"), 15)
            assert not mqtt.connected


async def test_a_broker_nobody_we_trust_vouches_for(tmp_path: Path) -> None:
    async with secure(tmp_path) as (broker, _):
        other = Authority(tmp_path / "other", "another authority")
        for tls in (Tls(), Tls(other.cert)):
            async with tried(tmp_path, Options("127.0.0.1", broker.port, tls=tls)) as mqtt:
                await until(lambda: mqtt.reason not in (None, "connecting"))
                assert "its certificate is not trusted" in str(mqtt.reason)
        async with tried(tmp_path, Options("127.0.0.1", broker.port, tls=Tls(insecure=True))) as mqtt:
            await until(lambda: mqtt.connected)


async def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    server = authority.sign("server", "10.1.2.3")
    access = f"allow_anonymous true\ncafile {authority.cert}\ncertfile {server.cert}\nkeyfile {server.key}\n"
    async with mosquitto(tmp_path / "broker", access=access) as broker:
        async with tried(tmp_path, Options("127.0.0.1", broker.port, tls=Tls(authority.cert))) as mqtt:
            await until(lambda: mqtt.reason not in (None, "connecting"))
            assert "not trusted" in str(mqtt.reason)


async def test_tls_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for tls, words in (
        (Tls(tmp_path / "none.pem"), "mqtt → tls → ca: "),
        (Tls(authority.cert, tmp_path / "none.pem", tmp_path / "none.key"), "mqtt → tls → cert, key: "),
    ):
        async with mosquitto(tmp_path / "broker") as broker, tried(tmp_path, Options("127.0.0.1", broker.port, tls=tls)) as mqtt:
            await until(lambda: mqtt.reason not in (None, "connecting"))
            assert words in str(mqtt.reason)
            assert "No such file" in str(mqtt.reason)


async def test_nobody_listens_there(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    async with tried(tmp_path, Options("127.0.0.1", broker.port)) as mqtt:
        await until(lambda: mqtt.reason not in (None, "connecting"))
        assert "Connection refused" in str(mqtt.reason)
        with pytest.raises(Unavailable, match="Connection refused"):
            await mqtt.publish("t", "x")


async def test_something_else_listens_there(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with tried(tmp_path, Options("127.0.0.1", port)) as mqtt:
        await until(lambda: mqtt.reason not in (None, "connecting"), 15)
        assert not mqtt.connected
    server.close()
    await server.wait_closed()
