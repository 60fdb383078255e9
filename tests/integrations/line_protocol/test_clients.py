"""Real clients against the real server: the official Python client, and requests as Telegraf and curl make them."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from ohmstead.core.clock import to_ms
from ohmstead.integrations.line_protocol import LineProtocol
from ohmstead.web.server import Web
from ohmstead.web.tokens import ingest_token
from tests.fakes.house import small_house

AT = datetime(2026, 10, 7, 11, 26, tzinfo=UTC)


class Served:
    """A hub with nothing but line protocol behind a real web server."""

    def __init__(self, folder: Path) -> None:
        self.hub, self.store, _ = small_house(folder)
        self.web = Web(self.hub, port=0, verify=lambda device, secret: (device, secret) == ("D1", "secret"))
        self.web.replace(LineProtocol().ohmstead_routes(self.hub))
        self.token = ingest_token(self.hub.data_dir)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    def rows(self) -> list[tuple[str, Any, int]]:
        return [(row.series.address, row.value, row.at_ms) for row in self.store.rows]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    house = Served(tmp_path)
    await house.web.start()
    yield house
    await house.web.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_official_client_writes_and_pings(served: Served) -> None:
    def work() -> None:
        with InfluxDBClient(served.url, token=served.token, org="home", enable_gzip=True) as client:
            assert client.ping()
            assert client.version().startswith("1.")
            with client.write_api(write_options=SYNCHRONOUS) as writer:
                writer.write("energy", record=Point("meter").tag("device_id", "D1").field("power", 195.9).field("energy_import", 12).time(AT))
                writer.write("energy", record=[f"D2 power={n} {to_ms(AT) + n}" for n in range(3)], write_precision=WritePrecision.MS)

    await asyncio.to_thread(work)
    at_ms = to_ms(AT)
    assert sorted(served.rows(), key=str) == [
        ("D1.energy_import", 12.0, at_ms), ("D1.power", 195.9, at_ms), *(("D2.power", float(n), at_ms + n) for n in range(3)),
    ]  # fmt: skip


async def test_the_official_client_writes_in_batches(served: Served) -> None:
    def work() -> None:
        with InfluxDBClient(served.url, token=served.token, org="home") as client, client.write_api() as writer:
            for n in range(2500):
                writer.write("energy", record=f"D1 power={n} {to_ms(AT) + n}", write_precision=WritePrecision.MS)

    await asyncio.to_thread(work)
    assert len(served.rows()) == 2500


async def test_the_official_client_is_told_what_is_wrong(served: Served) -> None:
    def write(token: str, record: str) -> ApiException:
        with InfluxDBClient(served.url, token=token, org="home") as client, client.write_api(write_options=SYNCHRONOUS) as writer:
            with pytest.raises(ApiException) as caught:
                writer.write("energy", record=record)
        return caught.value

    error = await asyncio.to_thread(write, "wrong", "D1 power=1")
    assert (error.status, '"code": "unauthorized"' in error.body) == (401, True)
    error = await asyncio.to_thread(write, served.token, "D1 power=1 half")
    assert error.status == 400
    assert error.message == "unable to parse 'D1 power=1 half': bad timestamp"
    error = await asyncio.to_thread(write, served.token, 'D1 power="high"')
    assert error.status == 422
    assert not served.rows()


async def test_telegrafs_1x_output(served: Served, http: aiohttp.ClientSession) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(b"D1:secret").decode()}
    async with http.post(f"{served.url}/query", data={"q": 'CREATE DATABASE "telegraf"'}, headers=basic) as answer:
        assert (answer.status, await answer.json()) == (200, {"results": [{"statement_id": 0}]})
    body = gzip.compress(b"energy,device=D1,host=pi power=230.5,voltage=229i 1791372360000000000\n")
    async with http.post(f"{served.url}/write?consistency=any&db=telegraf", data=body, headers={
                         **basic, "Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}) as answer:  # fmt: skip
        assert (answer.status, await answer.read()) == (204, b"")
    assert [series for series, _, _ in served.rows()] == ["D1.power", "D1.voltage"]


async def test_every_way_to_sign_in(served: Served, http: aiohttp.ClientSession) -> None:
    token = served.token
    good: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"Authorization": f"Token {token}"}, {}), ({"Authorization": f"Bearer {token}"}, {}), ({"Authorization": "Token D1:secret"}, {}),
        ({"Authorization": "Basic " + base64.b64encode(b"D1:secret").decode()}, {}), ({}, {"u": "D1", "p": "secret"}),
        ({"Authorization": "Basic " + base64.b64encode(f"anyone:{token}".encode()).decode()}, {}), ({}, {"u": "anyone", "p": token}),
        ({"X-Device-ID": "D1", "X-Device-Secret": "secret"}, {}), ({}, {"p": token}),
    ]  # fmt: skip
    bad: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}), ({"Authorization": "Token wrong"}, {}), ({"Authorization": "Basic ?"}, {}), ({}, {"u": "D1", "p": "wrong"}),
    ]  # fmt: skip
    for path in ("/write", "/api/v2/write"):
        for status, cases in ((204, good), (401, bad)):
            for headers, query in cases:
                async with http.post(served.url + path, params=query, headers=headers, data=b"D1 power=1") as answer:
                    assert answer.status == status, (path, headers, query)
                    if status == 401:
                        assert (await answer.json()).get("error" if path == "/write" else "code")


async def test_what_is_too_large_or_cut_short(served: Served, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Token {served.token}"}
    large = b"D1 power=1 1\n" * 800_000
    for path, key in (("/write", "error"), ("/api/v2/write", "code")):
        async with http.post(served.url + path, data=io.BytesIO(large), headers=headers) as answer:
            assert (answer.status, key in await answer.json()) == (413, True)
        async with http.post(served.url + path, data=gzip.compress(large), headers={**headers, "Content-Encoding": "gzip"}) as answer:
            assert answer.status == 413
        async with http.post(served.url + path, data=gzip.compress(b"D1 power=1")[:-9], headers={**headers, "Content-Encoding": "gzip"}) as answer:
            assert (answer.status, key in await answer.json()) == (400, True)
        async with http.post(served.url + path, data=b"D1 power=1 179137236000000000\nD1 pow", headers=headers) as answer:
            assert answer.status == 400
    assert [value for _, value, _ in served.rows()] == [1.0], "the good line of the 1.x batch alone"


async def test_ping_of_both_kinds(served: Served, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Token {served.token}"}
    for method in ("GET", "HEAD"):
        async with http.request(method, f"{served.url}/ping", headers=headers) as answer:
            assert (answer.status, answer.headers["X-Influxdb-Version"][:2]) == (204, "1.")


