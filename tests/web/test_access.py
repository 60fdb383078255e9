"""Everything but /health and /ready needs a sign-in, and other web sites stay out."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Forbidden, RateLimited
from ohmstead.core.route import ANYONE, Call, Route
from ohmstead.web.access import SESSION_S, Access, ingest_token, new_owner_token, owner_token
from ohmstead.web.app import SOCKET
from ohmstead.web.guesses import ADDRESSES, BURST, EVERY_S, Guesses
from ohmstead.web.origin import Origins
from tests.web.house import House, data, problem

OPEN = {"/", "/health", "/ready", "/api/v1/health", "/api/v1/ready", "/login", "/sign-out", "/page/{name}",
        "/api/v1/notifications/unsubscribe/{token}", "/api/v1/webhooks/{secret}"}
SCOPES = {"read", "write", "admin", "ingest", ANYONE}


async def who(call: Call) -> Any:
    return {"id": call.who.id, "device": call.who.device, "address": call.address}


ROUTES = [
    Route("GET", "/who", who, "read", "who asks"),
    Route("POST", "/who", who, "write", "who asks"),
    Route("POST", "/reload", who, "admin", "who asks"),
    Route("POST", "/ingest", who, "ingest", "who sends"),
    Route("POST", "/write", who, "ingest", "who sends", absolute=True, sign_in=lambda call: call.query.get("p")),
]


@pytest.fixture
async def house(tmp_path: Path):
    async with House(tmp_path, ROUTES) as house:
        yield house


async def test_every_route_has_a_scope_and_asks_for_it(house: House) -> None:
    for operation in house.web.table:
        route = operation.route
        assert route.scope in SCOPES
        assert (route.scope == ANYONE) == (operation.template in OPEN), operation.template
        if route.scope == ANYONE:
            continue
        path = operation.template.replace("{", "").replace("}", "")
        async with house.stranger.request(route.method, path) as response:
            assert response.status == 401, operation.template
        if route.scope != "ingest" and route.takes != SOCKET:
            sender = {"Authorization": f"Bearer {ingest_token(house.hub.data_dir)}"}
            async with house.stranger.request(route.method, path, headers=sender) as response:
                assert response.status == 403, operation.template


async def test_the_three_senders(house: House) -> None:
    sender = {"Authorization": f"Bearer {ingest_token(house.hub.data_dir)}", "X-Device-ID": "D1"}
    device = {"X-Device-ID": "D1", "X-Device-Secret": "s3cret-of-D1"}
    for headers, person in ((house.owner, "owner"), (sender, "ingest"), (device, "D1")):
        async with house.stranger.post("/api/v1/ingest", headers=headers) as response:
            found = await data(response)
            assert (found["id"], found["device"]) == (person, "D1" if headers is device else None)
            assert found["address"] == "127.0.0.1"
    async with house.stranger.get("/api/v1/who", headers=device) as response:
        assert response.status == 403
        assert (await problem(response))["code"] == "FORBIDDEN"


async def test_a_token_in_a_foreign_place(house: House) -> None:
    for token, status in ((house.token, 200), ("D1:s3cret-of-D1", 200), ("D1:wrong", 401), ("wrong", 401), ("wröng", 401)):
        async with house.stranger.post("/write", params={"p": token}) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer \x80"},
        {"X-Device-ID": "D1", "X-Device-Secret": "wrong"}, {"X-Device-ID": "D2", "X-Device-Secret": "s3cret-of-D1"},
        {"X-Device-Secret": "s3cret-of-D1"}, {"X-Device-ID": "D1", "X-Device-Secret": ""},
    ],
)  # fmt: skip
async def test_wrong_credentials(house: House, headers: dict[str, str]) -> None:
    async with house.stranger.post("/api/v1/ingest", headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await problem(response))["code"] == "UNAUTHORIZED"


async def test_guessing_is_slowed_and_nobody_else_suffers(house: House) -> None:
    statuses = []
    for _ in range(BURST + 3):
        async with house.stranger.get("/api/v1/who", headers={"Authorization": "Bearer wrong"}) as response:
            statuses.append(response.status)
    assert statuses == [401] * BURST + [429] * 3
    assert int(response.headers["Retry-After"]) >= 1
    async with house.client.get("/api/v1/who") as response:  # who shares the address and knows the token goes on
        assert response.status == 200


async def test_a_token_replaced_on_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    async with House(tmp_path, ROUTES, clock) as house:
        async with house.client.get("/api/v1/who") as response:
            assert response.status == 200
        new = new_owner_token(house.hub.data_dir)
        await clock.advance(2)
        async with house.client.get("/api/v1/who") as response:
            assert response.status == 401
        async with house.stranger.get("/api/v1/who", headers={"Authorization": f"Bearer {new}"}) as response:
            assert response.status == 200


def test_token_files_are_the_owners_alone(tmp_path: Path) -> None:
    token = owner_token(tmp_path / "data")
    path = tmp_path / "data" / "owner_token"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert len(token) >= 43
    assert owner_token(tmp_path / "data") == token
    assert new_owner_token(tmp_path / "data") != token
    assert [each.name for each in (tmp_path / "data").iterdir()] == ["owner_token"]


async def sign_in(house: House, browser: aiohttp.ClientSession, token: str) -> aiohttp.ClientResponse:
    return await browser.post("/login", data={"token": token}, headers={"Origin": house.url}, allow_redirects=False)


@pytest.fixture
async def browser(house: House):
    async with aiohttp.ClientSession(house.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        yield browser


async def test_a_sign_in_outlives_a_restart_also_for_the_first_request(house: House) -> None:
    response = await sign_in(house, house.stranger, house.token)
    name, _, value = response.headers["Set-Cookie"].partition(";")[0].partition("=")
    again = Access(house.hub.data_dir, house.hub.clock)
    again.cookie = name
    assert again.signed_in({"Cookie": f"{name}={value}"}) is not None
    new_owner_token(house.hub.data_dir)
    fresh = Access(house.hub.data_dir, house.hub.clock)
    fresh.cookie = name
    assert fresh.signed_in({"Cookie": f"{name}={value}"}) is None


async def test_sign_in_and_out(house: House, browser: aiohttp.ClientSession) -> None:
    async with browser.get("/") as response:
        assert 'name="token"' in await response.text()
    response = await sign_in(house, browser, house.token)
    assert (response.status, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert house.token not in cookie
    assert "Secure" not in cookie
    async with browser.get("/api/v1/who") as response:
        assert (await data(response))["id"] == "owner"
    async with browser.get("/") as response:
        assert 'name="token"' not in await response.text()
    kept = {"Cookie": cookie.partition(";")[0]}
    async with browser.post("/sign-out", headers={"Origin": house.url}) as response:
        assert 'name="token"' in await response.text()
    async with house.stranger.get("/api/v1/who", headers=kept) as response:  # and a copy of the cookie is worth nothing
        assert response.status == 401


async def test_wrong_sign_ins(house: House, browser: aiohttp.ClientSession) -> None:
    statuses = [(await sign_in(house, browser, "wrong")).status for _ in range(BURST + 1)]
    assert statuses == [401] * BURST + [429]
    response = await sign_in(house, browser, house.token)
    assert response.status == 429
    assert "too many" in await response.text()
    async with browser.post("/login", data=b"no form at all", headers={"Origin": house.url}) as response:
        assert response.status == 400


async def test_a_forged_cookie(house: House, browser: aiohttp.ClientSession) -> None:
    response = await sign_in(house, browser, house.token)
    name, _, value = response.headers["Set-Cookie"].partition(";")[0].partition("=")
    until, nonce, signature = value.split(".")
    for forged in (f"{int(until) + 1}.{nonce}.{signature}", f"{until}.{nonce}.", "x", "..", f"{until}.{nonce}.\xff", signature):
        async with house.stranger.get("/api/v1/who", headers={"Cookie": f"{name}={forged}"}) as response:
            assert response.status == 401


async def test_a_sign_in_ends(tmp_path: Path) -> None:
    clock = ManualClock()
    async with House(tmp_path, ROUTES, clock) as house:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(house.url, cookie_jar=jar) as browser:
            cookie = (await sign_in(house, browser, house.token)).headers["Set-Cookie"].partition(";")[0]
        for by_s, status in ((SESSION_S - 60, 200), (120, 401)):
            clock.set(clock.now_ms() + by_s * 1000)
            async with house.stranger.get("/api/v1/who", headers={"Cookie": cookie}) as response:
                assert response.status == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:3000"}, {"Host": "evil.example:7230"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Host": ""}, {"Origin": "http://evil.example", "Host": "evil.example"},
    ],
)  # fmt: skip
async def test_other_sites_stay_out(house: House, browser: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    await sign_in(house, browser, house.token)
    for path in ("/api/v1/who", "/api/v1/ingest", "/login"):
        async with browser.post(path, headers=headers, data={"token": house.token}) as response:
            assert response.status == 403, path
    async with house.client.post("/api/v1/who", headers=headers) as response:
        assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await browser.ws_connect("/api/v1/live", headers=headers)
    assert error.value.status == 403


async def test_our_own_page_may_write(house: House, browser: aiohttp.ClientSession) -> None:
    await sign_in(house, browser, house.token)
    async with browser.post("/api/v1/who", headers={"Origin": house.url, "Sec-Fetch-Site": "same-origin"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("localhost:7230", True), ("127.0.0.1:7230", True), ("192.168.1.5", True), ("[::1]:7230", True), ("[fe80::1]", True),
        ("raspberrypi:7230", True), ("hub.local", True), ("HUB.LAN:80", True), ("energy.example.org", True), ("localhost.", True),
        ("evil.example", False), ("127.0.0.1.evil.example", False), ("", False), ("energy.example.org.evil.com", False), ("local.evil.com", False),
    ],
)  # fmt: skip
def test_hosts(host: str, fine: bool) -> None:
    origins = Origins("127.0.0.1", "https://energy.example.org/")
    if fine:
        origins.check({"Host": host})
        return
    with pytest.raises(Forbidden):
        origins.check({"Host": host})


def test_behind_a_proxy_that_changes_the_host() -> None:
    Origins("127.0.0.1", "https://energy.example.org").check({"Host": "127.0.0.1:7230", "Origin": "https://energy.example.org"})


async def test_guesses_are_forgotten_in_time() -> None:
    clock = ManualClock()
    guesses = Guesses(clock)
    for _ in range(BURST):
        guesses.wrong("2001:db8::1")
    with pytest.raises(RateLimited) as error:
        guesses.wrong("2001:db8::2")  # the same network
    assert 0 < error.value.retry_after_s <= EVERY_S
    guesses.wrong("2001:db8:0:1::1")
    guesses.wrong("192.0.2.1")
    guesses.wrong("somewhere")
    await clock.advance(EVERY_S + 0.1)
    guesses.wrong("2001:db8::1")
    for number in range(ADDRESSES + 10):
        guesses.wrong(f"address {number}")
    assert len(guesses._empty_at) == ADDRESSES


async def test_security_headers(house: House) -> None:
    for path in ("/", "/health", "/api/v1/who", "/nothing", "/page/page.css"):
        async with house.client.get(path) as response:
            headers = response.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "same-origin"
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "aiohttp" not in headers["Server"]
            assert "Access-Control-Allow-Origin" not in headers
