"""One form for every answer: data, errors, streams, and the clients' own protocols."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import msgspec
import pytest

from ohmstead.core import errors
from ohmstead.core.route import Call, Reply, Route
from tests.web.house import House, data, problem

RAISED: dict[str, tuple[Exception, int, str]] = {
    "invalid": (errors.Invalid("no", [{"path": "a", "message": "b"}]), 400, "VALIDATION_ERROR"),
    "toolarge": (errors.TooLarge("no"), 413, "VALIDATION_ERROR"),
    "unauthorized": (errors.Unauthorized("no"), 401, "UNAUTHORIZED"),
    "forbidden": (errors.Forbidden("no"), 403, "FORBIDDEN"),
    "notfound": (errors.NotFound("no"), 404, "NOT_FOUND"),
    "conflict": (errors.Conflict("no"), 409, "CONFLICT"),
    "ratelimited": (errors.RateLimited("no", 7.2), 429, "RATE_LIMITED"),
    "unavailable": (errors.Unavailable("no", 3), 503, "UNAVAILABLE"),
    "unsupported": (errors.Unsupported("no"), 422, "VALIDATION_ERROR"),
    "refused": (errors.Refused("no"), 502, "UNAVAILABLE"),
    "config": (errors.ConfigError(["one", "two"]), 400, "VALIDATION_ERROR"),
    "plugin": (errors.PluginError("no"), 503, "UNAVAILABLE"),
    "ours": (errors.OhmsteadError("no"), 500, "INTERNAL_ERROR"),
    "bug": (ZeroDivisionError("secret"), 500, "INTERNAL_ERROR"),
    "late": (TimeoutError(), 504, "UNAVAILABLE"),
}


@dataclass(frozen=True, slots=True)
class Thing:
    id: str
    at: datetime
    more: Any


async def raising(call: Call) -> None:
    raise RAISED[call.path["name"]][0]


THINGS = [Thing("a", datetime(2026, 2, 7, 11, 26, tzinfo=UTC), MappingProxyType({"x": 1})), Thing("b", datetime(2026, 1, 1, tzinfo=UTC), None)]


async def things(call: Call) -> Reply:
    return Reply(THINGS, next_cursor="abc")


async def many(call: Call) -> list[int]:
    return list(range(int(call.query.get("n", 1000))))


async def odd(call: Call) -> Any:
    return {"x": object()}


async def made(call: Call) -> Reply:
    return Reply({"id": "x"}, headers={"Location": "/x"}, status=201)


async def nothing(call: Call) -> None:
    return None


async def pieces(call: Call) -> Reply:
    async def source() -> AsyncIterator[bytes]:
        if call.path["how"] == "unavailable":
            raise errors.Unavailable("the disk sleeps")
        yield b"one,"
        if call.path["how"] == "broken":
            raise ValueError("the disk is gone")
        if call.path["how"] == "cut":
            raise errors.Unavailable("the disk fell asleep")
        while call.path["how"] == "endless":
            yield b"more," * 10_000
        yield b"two"

    return Reply(stream=source(), content_type="text/csv", headers={"Content-Disposition": "attachment"})


async def text(call: Call) -> Reply:
    return Reply("grün " * 300, content_type="text/plain; charset=utf-8")


def foreign_error(error: Exception) -> Reply:
    quoted = {"X-Error": f"{error}: a\r\nSet-Cookie: b\0"}  # as a handler does that quotes what it was sent
    return Reply({"error": str(error)}, status=getattr(error, "status", 500), headers=quoted)


ROUTES = [
    Route("GET", "/raise/{name}", raising, "read", "raise"),
    Route("GET", "/things", things, "read", "things"),
    Route("GET", "/many", many, "read", "many"),
    Route("GET", "/odd", odd, "read", "odd"),
    Route("POST", "/made", made, "write", "made"),
    Route("DELETE", "/gone", nothing, "write", "gone", status=204),
    Route("GET", "/pieces/{how}", pieces, "read", "pieces"),
    Route("GET", "/text", text, "read", "text"),
    Route("GET", "/query/{name}", raising, "read", "foreign", absolute=True, envelope=False, on_error=foreign_error),
    Route("GET", "/ping", nothing, "read", "foreign", absolute=True, envelope=False, status=204),
    Route("GET", "/plain", made, "read", "foreign", absolute=True, envelope=False),
]


@pytest.fixture
async def house(tmp_path: Path):
    async with House(tmp_path, ROUTES) as house:
        yield house


@pytest.mark.parametrize("name", RAISED)
async def test_errors(house: House, name: str, caplog: pytest.LogCaptureFixture) -> None:
    _error, status, code = RAISED[name]
    async with house.client.get(f"/api/v1/raise/{name}", headers={"X-Request-ID": "abc-1"}) as response:
        assert response.status == status
        found = await problem(response)
    assert found["code"] == code
    assert response.headers["X-Request-ID"] == "abc-1"
    if name == "bug":
        assert "secret" not in str(found)
        assert "abc-1" in found["message"]
        (record,) = caplog.records
        assert "abc-1" in record.message
        assert record.levelno == logging.ERROR
        assert record.exc_info
    if name in ("ratelimited", "unavailable"):
        assert response.headers["Retry-After"] == {"ratelimited": "8", "unavailable": "3"}[name]
    if name == "config":
        assert [each["message"] for each in found["details"]] == ["one", "two"]


async def test_envelope(house: House) -> None:
    async with house.client.get("/api/v1/things", headers={"X-Request-ID": "a\tb"}) as response:
        answer = await response.json()
    assert answer["success"] is True
    assert answer["error"] is None
    assert answer["data"][0] == {"id": "a", "at": "2026-02-07T11:26:00Z", "more": {"x": 1}}
    assert answer["meta"]["nextCursor"] == "abc"
    assert len(answer["meta"]["requestId"]) == 16  # not the caller's nonsense
    datetime.fromisoformat(answer["meta"]["timestamp"])
    async with house.client.post("/api/v1/made") as response:
        assert (response.status, response.headers["Location"]) == (201, "/x")
    async with house.client.delete("/api/v1/gone") as response:
        assert (response.status, await response.read()) == (204, b"")


async def test_not_found_and_not_allowed(house: House) -> None:
    async with house.client.get("/api/v1/nothing") as response:
        assert (response.status, (await problem(response))["code"]) == (404, "NOT_FOUND")
    async with house.client.delete("/api/v1/things") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET")
    async with house.client.options("/api/v1/made", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 405
    async with house.client.head("/api/v1/things") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_fields(house: House) -> None:
    async with house.client.get("/api/v1/things?fields=id,nothing") as response:
        assert await data(response) == [{"id": "a"}, {"id": "b"}]
    async with house.client.get("/api/v1/many?n=3&fields=id") as response:
        assert await data(response) == [0, 1, 2]


async def test_etag(house: House) -> None:
    async with house.client.get("/api/v1/things") as response:
        tag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "private, no-cache"
    async with house.client.get("/api/v1/things", headers={"If-None-Match": f'"x", {tag}'}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == tag
    async with house.client.get("/api/v1/things?fields=id", headers={"If-None-Match": tag}) as response:
        assert response.status == 200
    async with house.client.get("/api/v1/raise/conflict") as response:
        assert "ETag" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("accept", "packed"), [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False), ("br", False)])
async def test_packed_answers(house: House, accept: str, packed: bool) -> None:
    async with aiohttp.ClientSession(house.url, headers=house.owner, auto_decompress=False) as client:
        for n in (1000, 100_000):
            async with client.get(f"/api/v1/many?n={n}", headers={"Accept-Encoding": accept}) as response:
                raw = await response.read()
                assert response.headers["Vary"] == "Accept-Encoding"
                assert (response.headers.get("Content-Encoding") == "gzip") == packed
                assert len(msgspec.json.decode(gzip.decompress(raw) if packed else raw)["data"]) == n
        async with client.get("/api/v1/many?n=1", headers={"Accept-Encoding": "gzip"}) as response:
            assert "Content-Encoding" not in response.headers


async def test_streams(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.client.get("/api/v1/pieces/whole") as response:
        assert await response.text() == "one,two"
        assert (response.content_type, response.headers["Content-Disposition"]) == ("text/csv", "attachment")
    for how, reason in (("broken", "the disk is gone"), ("cut", "the disk fell asleep")):
        with pytest.raises(aiohttp.ClientPayloadError):
            async with house.client.get(f"/api/v1/pieces/{how}") as response:
                await response.read()
        assert reason in caplog.text
    async with house.client.get("/api/v1/pieces/unavailable") as response:
        assert (response.status, (await problem(response))["message"]) == (503, "the disk sleeps")
    async with house.client.head("/api/v1/pieces/whole") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_who_goes_away_amid_a_stream_is_no_failure(house: House, caplog: pytest.LogCaptureFixture) -> None:
    response = await house.client.get("/api/v1/pieces/endless")
    assert (await response.content.readany()).startswith(b"one,")
    response.close()
    async with house.client.get("/api/v1/pieces/whole") as response:
        assert await response.text() == "one,two"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_own_types(house: House) -> None:
    async with house.client.get("/api/v1/text") as response:
        assert (await response.text()).startswith("grün grün")
        assert response.content_type == "text/plain"


async def test_what_cannot_be_sent_is_a_bug(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.client.get("/api/v1/odd") as response:
        assert response.status == 500
    assert "object cannot be sent as JSON" in caplog.text


async def test_foreign_protocols(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.client.get("/query/invalid") as response:
        assert (response.status, await response.json()) == (400, {"error": "no"})
        assert response.headers["X-Error"].strip() == "no: a  Set-Cookie: b"
        assert "Set-Cookie" not in response.headers
    async with house.client.get("/query/unavailable") as response:
        assert response.headers["Retry-After"] == "3"
    async with house.stranger.get("/query/invalid") as response:
        assert (response.status, list(await response.json())) == (401, ["error"])
    async with house.client.get("/query/bug") as response:
        found = await response.json()
        assert (response.status, list(found)) == (500, ["error"])
        assert "secret" not in found["error"]
    async with house.client.get("/ping") as response:
        assert response.status == 204
    async with house.client.get("/plain") as response:
        assert await response.json() == {"id": "x"}
