"""Whatever comes in, the answer is clear and nothing else suffers."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import voluptuous as vol

from ohmstead.core.clock import ManualClock
from ohmstead.core.route import Call, Route
from ohmstead.web.body import CHUNK_WAIT_S
from tests.web.house import House, data, problem


class Reading(msgspec.Struct):
    device_id: str
    value: float


class Readings(msgspec.Struct):
    readings: list[Reading]


async def echo(call: Call) -> Any:
    return call.body


async def size(call: Call) -> Any:
    return {"bytes": len(call.raw)}


async def streamed(call: Call) -> Any:
    assert call.stream is not None
    return {"bytes": sum([len(chunk) async for chunk in call.stream])}


async def asked(call: Call) -> Any:
    return dict(call.query)


ROUTES = [
    Route("POST", "/typed", echo, "write", "typed", body=Readings),
    Route("POST", "/checked", echo, "write", "checked", body={vol.Required("name"): str, "tags": [str], "more": dict}),
    Route("POST", "/bytes", size, "write", "bytes", takes="bytes", max_body=100_000),
    Route("POST", "/stream", streamed, "write", "stream", takes="stream", max_body=3_000_000),
    Route("GET", "/asked", asked, "read", "query", query={"limit": vol.All(vol.Coerce(int), vol.Range(1, 5000)), "tag": [str]}),
    Route("GET", "/open", asked, "read", "any query"),
]


@pytest.fixture
async def house(tmp_path: Path):
    async with House(tmp_path, ROUTES) as house:
        yield house


GOOD = b'{"readings":[{"device_id":"D1","value":1.5}]}'


@pytest.mark.parametrize(
    ("path", "body", "message", "details"),
    [
        ("typed", b"not json", "not JSON", None),
        ("typed", b"", "missing", None),
        ("typed", b"\xff\xfe", "not JSON", None),
        ("typed", b'{"readings":[{"device_id":"D1","value":NaN}]}', "not JSON", None),
        ("typed", b'{"readings":[{"device_id":"D1","value":Infinity}]}', "not JSON", None),
        ("typed", b'{"readings":[{"device_id":"D1","value":1e999}]}', "not right", [("readings[0].value", "Number out of range")]),
        ("typed", b'{"readings":[{"device_id":"D1","value":"1.5"}]}', "not right", [("readings[0].value", "Expected float, got str")]),
        ("typed", b'{"readings":{}}', "not right", [("readings", "Expected array, got object")]),
        ("typed", b"[]", "not right", [("", "Expected object, got array")]),
        ("typed", b'{"readings":' + b"[" * 100_000, "", None),
        ("checked", b"[" * 100_000, "nested", None),
        ("checked", b'{"name":"x","more":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", "nested", None),
        ("checked", b'{"nam":"x","tags":["a",1]}', "not right", [("nam", ""), ("name", ""), ("tags[1]", "expected str")]),
        ("checked", b'{"name":' + b"9" * 5000 + b"}", "", None),
        ("checked", b'{"name":"\\ud800"}', "not JSON", None),
    ],
)  # fmt: skip
async def test_bad_json(house: House, path: str, body: bytes, message: str, details: list[tuple[str, str]] | None) -> None:
    async with house.client.post(f"/api/v1/{path}", data=body) as response:
        assert response.status == 400
        error = await problem(response)
    assert error["code"] == "VALIDATION_ERROR"
    assert message in error["message"]
    if details is not None:
        assert sorted(found["path"] for found in error["details"]) == sorted(path for path, _ in details)
        for path_of, text in details:
            assert any(found["path"] == path_of and text in found["message"] for found in error["details"])
    async with house.client.post("/api/v1/typed", data=GOOD) as response:  # and nothing else suffers
        assert (await data(response))["readings"] == [{"device_id": "D1", "value": 1.5}]


async def test_deep_but_allowed(house: House) -> None:
    body = b'{"name":"x","more":' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}"
    async with house.client.post("/api/v1/checked", data=body) as response:
        assert response.status == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_ten_megabytes(house: House, chunked: bool) -> None:
    async def pieces():
        for _ in range(100):
            yield b"x" * 100_000

    for path in ("typed", "bytes", "stream"):
        async with house.client.post(f"/api/v1/{path}", data=pieces() if chunked else io.BytesIO(b"x" * 10_000_000)) as response:
            assert response.status == 413
            assert "larger than" in (await problem(response))["message"]


async def test_gzip(house: House) -> None:
    packed = {"Content-Encoding": "gzip"}
    async with house.client.post("/api/v1/typed", data=gzip.compress(GOOD), headers=packed) as response:
        assert len((await data(response))["readings"]) == 1
    big = gzip.compress(bytes(range(256)) * 8000)
    async with house.client.post("/api/v1/stream", data=big, headers=packed) as response:
        assert (await data(response)) == {"bytes": 2_048_000}
    async with house.client.post("/api/v1/bytes", data=gzip.compress(b"a" * 10) + gzip.compress(b"b" * 5), headers=packed) as response:
        assert (await data(response)) == {"bytes": 15}  # two members, as gzip allows


@pytest.mark.parametrize("path", ["typed", "bytes", "stream"])
@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (gzip.compress(GOOD * 100)[:-12], 400, "cut short"),
        (gzip.compress(GOOD)[:-4], 400, "cut short"),
        (b"", 400, "cut short"),
        (b"plain text", 400, "broken"),
        (gzip.compress(GOOD)[:-8] + b"\0" * 8, 400, "broken"),
        (gzip.compress(b"\0" * 50_000_000), 413, "larger"),
    ],
    ids=["cut", "cut in the checksum", "empty", "not packed", "wrong checksum", "bomb"],
)  # fmt: skip
async def test_bad_gzip(house: House, path: str, body: bytes, status: int, message: str) -> None:
    async with house.client.post(f"/api/v1/{path}", data=body, headers={"Content-Encoding": "gzip"}) as response:
        assert response.status == status
        assert message in (await problem(response))["message"]


async def test_unknown_packing(house: House) -> None:
    async with house.client.post("/api/v1/typed", data=zlib.compress(GOOD), headers={"Content-Encoding": "br"}) as response:
        assert response.status == 400
        assert "expected gzip" in (await problem(response))["message"]


async def test_query(house: House) -> None:
    async with house.client.get("/api/v1/asked?limit=10&tag=a&tag=b") as response:
        assert await data(response) == {"limit": 10, "tag": ["a", "b"]}
    async with house.client.get("/api/v1/asked?limit=0&frm=x") as response:
        assert response.status == 400
        assert {found["path"] for found in (await problem(response))["details"]} == {"limit", "frm"}
    async with house.client.get("/api/v1/open?" + "&".join(f"x{i}=1" for i in range(900))) as response:
        assert len(await data(response)) == 900


async def raw(house: House, *parts: bytes) -> bytes:
    """The whole answer to bytes that aiohttp's client would not send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.web.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "junk", [b"junk\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http(house: House, junk: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = await raw(house, junk)
    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer[:20]
    assert b"VALIDATION_ERROR" in answer
    assert not caplog.records  # somebody's port scan is no news


async def test_expect_continue_is_refused_before_the_body(house: House) -> None:
    head = (
        f"POST /api/v1/bytes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.token}\r\n"
        "Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", house.web.port)
    writer.write(head.format(10_000_000).encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.web.port)
    writer.write(head.format(3).encode())
    assert b" 100 " in await asyncio.wait_for(reader.readline(), 30)
    writer.write(b"abc")
    assert b'"bytes":3' in await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_stops(tmp_path: Path) -> None:
    clock = ManualClock()
    async with House(tmp_path, ROUTES, clock) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.web.port)
        writer.write(f"POST /api/v1/bytes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.token}\r\n".encode())
        writer.write(b"Content-Length: 10\r\n\r\nabc")
        answer = asyncio.ensure_future(reader.readline())
        while not answer.done():
            await asyncio.sleep(0.01)
            await clock.advance(CHUNK_WAIT_S)
        assert b" 400 " in answer.result()
        writer.close()
        await writer.wait_closed()


async def test_unfinished_chunks(house: House) -> None:
    head = f"POST /api/v1/bytes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await raw(house, head.encode(), b"zz\r\n")
    assert b" 400 " in answer[:20]
