"""The write API as its clients see it: what is kept, what is answered, what becomes a dead letter."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Forbidden, Invalid, TooLarge, Unauthorized, Unavailable
from ohmstead.core.model import Person
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.core.route import Call, Reply
from ohmstead.integrations.line_protocol import LineProtocol
from ohmstead.integrations.line_protocol.points import FORMAT
from ohmstead.integrations.line_protocol.routes import MAX_BODY, new_error, old_error, token
from tests.fakes.house import small_house, until

SENDER = Person("ingest", frozenset({"ingest"}))
NOW_NS = 1_800_000_000_000_000_000


class Api:
    """Calls handlers as the web server would."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW_NS // 1_000_000)
        self.hub, self.store, self.registry = small_house(folder, self.clock)
        plugin = LineProtocol()
        self.routes = {(r.method, r.path): r for r in plugin.ohmstead_routes(self.hub)}

    async def post(self, path: str, body: str | bytes, who: Person = SENDER, **query: str) -> Reply:
        route = self.routes["POST", path]
        raw = body if isinstance(body, bytes) else body.encode()
        try:
            return await route.handler(Call(who, query=query, raw=raw))
        except Exception as error:
            assert route.on_error is not None
            return route.on_error(error)

    def rows(self) -> list[tuple[str, float | str, int]]:
        return [(row.series.address, row.value, row.at_ms) for row in self.store.rows]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def said(reply: Reply) -> Any:
    return json.loads(reply.data)


@pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
async def test_good_lines_are_committed_before_the_204(api: Api, path: str) -> None:
    api.store.held = []
    waiting = asyncio.ensure_future(api.post(path, "power,device_id=D1 power=195.9,voltage=230 1799999999\nD2 switch=\"on\"", precision="s"))
    await until(lambda: api.store.held)
    assert not waiting.done()
    api.store.release()
    assert (await waiting).status == 204
    assert api.rows() == [
        ("D1.power", 195.9, 1_799_999_999_000), ("D1.voltage", 230.0, 1_799_999_999_000), ("D2.switch", "on", NOW_NS // 1_000_000),
    ]  # fmt: skip


async def test_the_device_is_the_tag_device_id_else_device_else_the_measurement(api: Api) -> None:
    await api.post("/write", "m,device=b,device_id=a power=1\nm,device=b power=1\nm,host=x power=1")
    assert [series for series, _, _ in api.rows()] == ["a.power", "b.power", "m.power"]


async def test_1x_keeps_the_good_lines_of_a_bad_batch(api: Api) -> None:
    reply = await api.post("/write", "D1 power=1 1\nmymeas,mytag=1 myfield=91 abc123\nD1 power=2 2", precision="s")
    assert reply.status == 400
    answer = said(reply)
    assert answer["error"] == "partial write: unable to parse 'mymeas,mytag=1 myfield=91 abc123': bad timestamp dropped=0"
    assert (answer["line"], answer["column"]) == (2, 27)
    assert [value for _, value, _ in api.rows()] == [1.0, 2.0]
    assert [(x.raw, x.reason) for x in api.store.letters] == [(b"mymeas,mytag=1 myfield=91 abc123", "column 27: bad timestamp")]


async def test_1x_says_only_what_is_wrong_when_nothing_was_written(api: Api) -> None:
    reply = await api.post("/write", "mymeas,mytag=1 myfield=91 abc123")
    assert (reply.status, said(reply)["error"]) == (400, "unable to parse 'mymeas,mytag=1 myfield=91 abc123': bad timestamp")
    assert reply.headers["X-Influxdb-Error"].startswith("unable to parse")


async def test_2x_writes_nothing_of_a_batch_with_a_line_that_is_none(api: Api) -> None:
    lines = "\n".join(f"D1 power={n} {n}" for n in range(1, 3000))
    reply = await api.post("/api/v2/write", f"{lines}\nD1 power=1 1 half", precision="s")
    assert reply.status == 400
    assert said(reply)["code"] == "invalid"
    assert said(reply)["message"] == "unable to parse 'D1 power=1 1 half': bad timestamp"
    assert said(reply)["line"] == 3000
    assert not api.store.batches


async def test_values_that_are_refused_become_lines_that_can_be_replayed(api: Api) -> None:
    body = 'D1 power=1,colour="red",voltage=99999,switch=1,current=t,humidity="wet"\nstranger power=7\nD1,time=1 power=3'
    for path, status, code in (("/api/v2/write", 422, "unprocessable entity"), ("/write", 400, None)):
        api.store.batches.clear()
        reply = await api.post(path, body)
        assert (reply.status, said(reply).get("code")) == (status, code)
        text = said(reply).get("message") or said(reply)["error"]
        assert "partial write: " in text
        assert text.endswith(" dropped=3")
        assert "device 'stranger' is unknown" in text
        assert 'type string, already exists as type float' in text
        assert [value for _, value, _ in api.rows()] == [1.0]
    letters = {letter.raw.decode(): letter.reason for letter in api.store.letters}
    assert len(letters) == 7
    assert letters[f'D1 colour="red" {NOW_NS}'] == "unknown quantity 'colour'"
    assert letters[f"stranger power=7.0 {NOW_NS}"] == "device 'stranger' is unknown"
    assert {(x.format, x.address) for x in api.store.letters} == {(FORMAT, "ns")}


async def test_a_dead_letter_is_replayed_with_the_time_it_had(api: Api) -> None:
    await api.post("/write", "D1 ozone=7 12", precision="s")
    [letter] = api.store.letters
    api.hub.quantities.add(Quantity("ozone", "ppm", Kind.GAUGE, "ozone in the air"))  # the cause is mended
    batch = api.hub.ingest.batch("replay", letter.format, live=False)
    api.hub.ingest.decoders[letter.format](batch, letter.address, letter.raw)
    assert [(row.series.address, row.value, row.at_ms) for row in batch.rows] == [("D1.ozone", 7.0, 12_000)]
    api.hub.ingest.decoders[letter.format](batch, "ns", b"half a li")
    assert [x.reason for x in batch.letters] == ["column 7: invalid field format"]
    with pytest.raises(Invalid, match="precision"):
        api.hub.ingest.decoders[letter.format](batch, "weeks", b"")


@pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
async def test_a_devices_secret_writes_that_device_only_and_nothing_of_a_batch_for_others(api: Api, path: str) -> None:
    lines = "\n".join(f"D1 power={n} {n}" for n in range(1, 1500))
    device = Person("D1", frozenset({"ingest"}), "D1")
    reply = await api.post(path, f"{lines}\nD2 power=1 1", device)
    assert reply.status == 403
    assert not api.store.batches
    assert "line 1500: this secret writes device D1 only" in reply.data
    assert (await api.post(path, lines, device)).status == 204


async def test_a_conflict_is_told(api: Api) -> None:
    api.store.held = []
    waiting = asyncio.ensure_future(api.post("/api/v2/write", "D1 power=1 1"))
    await until(lambda: api.store.held)
    [batch] = api.store.held
    batch.conflicts.append(batch.rows[-1])  # as the writer does
    api.store.release()
    reply = await waiting
    assert reply.status == 422
    assert "D1.power has another value at that time already dropped=1" in said(reply)["message"]


async def test_a_storage_that_does_not_keep_up_is_503_with_retry_after(api: Api) -> None:
    api.store.held, api.store.bound = [], 0
    for path in ("/write", "/api/v2/write"):
        waiting = asyncio.ensure_future(api.post(path, "D1 power=1 1"))
        await asyncio.sleep(0.01)
        await api.clock.advance(6)
        reply = await waiting
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    api.store.bound = 10
    waiting = asyncio.ensure_future(api.post("/api/v2/write", "D1 power=1 1"))
    await until(lambda: api.store.held)
    await api.clock.advance(11)
    assert (await waiting).status == 503


async def test_an_unknown_precision_is_refused(api: Api) -> None:
    for path in ("/write", "/api/v2/write"):
        reply = await api.post(path, "D1 power=1 1", precision="weeks")
        assert reply.status == 400
        assert "invalid precision 'weeks'" in reply.data


async def test_an_empty_body_is_nothing(api: Api) -> None:
    assert (await api.post("/write", "")).status == 204
    assert (await api.post("/api/v2/write", "# only a comment\n")).status == 204
    assert not api.store.batches


async def test_a_thousand_bad_lines_are_all_put_aside_and_a_few_told(api: Api) -> None:
    reply = await api.post("/write", "\n".join("x" for _ in range(2500)))
    assert said(reply)["error"].count("unable to parse") == 20
    assert len(api.store.letters) == 2500


async def test_ping_and_the_questions_of_1x_senders(api: Api) -> None:
    for method in ("GET", "HEAD"):
        reply = await api.routes[method, "/ping"].handler(Call(SENDER))
        assert (reply.status, reply.headers["X-Influxdb-Version"][0]) == (204, "1")
    verbose = await api.routes["GET", "/ping"].handler(Call(SENDER, query={"verbose": "true"}))
    assert json.loads(verbose.data)["version"]
    assert said(await api.post("/query", b"q=CREATE+DATABASE+%22telegraf%22")) == {"results": [{"statement_id": 0}]}
    assert said(await api.post("/query", "", q='create database "x"')) == {"results": [{"statement_id": 0}]}
    assert said(await api.post("/query", "", q="SHOW DATABASES"))["results"][0]["series"][0]["values"] == [["ohmstead"]]
    assert "POST /api/v1/query" in said(await api.post("/query", "", q="SELECT * FROM m"))["results"][0]["error"]


def call(authorization: str = "", **query: str) -> Call:
    return Call(SENDER, query=query, headers={"authorization": authorization} if authorization else {})


def test_tokens_are_found_where_the_clients_put_them() -> None:
    basic = "Basic " + base64.b64encode(b"D1:secret").decode()
    assert token(call("Token abc")) == "abc"
    assert token(call("token D1:secret")) == "D1:secret"
    assert token(call("Bearer abc")) == "abc"
    assert token(call(basic)) == "D1:secret"
    assert token(call("Basic !!!")) == ""
    assert token(call(u="D1", p="secret")) == "D1:secret"
    assert token(call()) is None
    assert token(call("Digest x")) is None


def test_errors_speak_the_dialect_of_the_client() -> None:
    assert (old_error(Unauthorized("x")).status, said(old_error(Unauthorized("x")))) == (401, {"error": "authorization failed"})
    assert said(new_error(Unauthorized("x"))) == {"code": "unauthorized", "message": "unauthorized access"}
    assert new_error(TooLarge("the body is larger than 4 MB")).status == 413
    assert said(new_error(TooLarge("x")))["code"] == "request too large"
    assert said(new_error(Forbidden("x")))["code"] == "forbidden"
    assert new_error(Unavailable("x", 7)).headers["Retry-After"] == "7"
    assert (new_error(ValueError("secret")).status, said(new_error(ValueError("secret")))["message"]) == (500, "internal error")


def test_every_route_is_for_senders_and_bounded(api: Api) -> None:
    assert len(api.routes) == 6
    for route in api.routes.values():
        assert (route.scope, route.absolute, route.envelope, route.max_body) == ("ingest", True, False, MAX_BODY)


