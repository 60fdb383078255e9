"""The HTTP client against real servers that are slow, wrong, greedy, shy or gone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from ohmstead.core.clock import Clock, ManualClock
from ohmstead.core.errors import ConfigError, Refused, Unavailable, Unsupported
from ohmstead.plugins.protocols import Context, Protocols

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    async with Protocols(Clock()) as protocols:
        yield protocols.context("plug")


def saying(status: int, text: str = "", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def test_json_comes_and_goes(context: Context) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"sent": await request.json() if request.can_read_body else None, "who": request.query.get("who")})

    async with serving(echo) as url:
        assert await context.http.get_json(url, params={"who": "me"}) == {"sent": None, "who": "me"}
        assert await context.http.post_json(url, {"on": True}) == {"sent": {"on": True}, "who": None}


async def test_an_empty_answer_to_a_post_is_none(context: Context) -> None:
    async with serving(saying(204)) as url:
        assert await context.http.post_json(url, {}) is None


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (404, Unsupported, "answers 404 Not Found: no such page"),
        (401, Refused, "asks for a password and none is configured"),
        (403, Refused, "does not accept the configured user and password"),
        (500, Unavailable, "answers 500 Internal Server Error"),
    ],
)
async def test_each_status_says_what_happens_next(context: Context, status: int, error: type[Exception], text: str) -> None:
    async with serving(saying(status, "no such page")) as url:
        with pytest.raises(error, match=text):
            await context.http.get_json(f"{url}/rpc?token=secret")


@pytest.mark.parametrize(("said", "wait"), [("17", 17), ("999999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_device_says_when_to_come_back(context: Context, status: int, said: str, wait: float | None) -> None:
    async with serving(saying(status, Retry_After=said)) as url:
        with pytest.raises(Unavailable) as caught:
            await context.http.get_json(url)
    assert caught.value.retry_after_s == wait


async def test_secrets_of_an_address_stay_out_of_errors(context: Context) -> None:
    async with serving(saying(500)) as url:
        with pytest.raises(Unavailable) as caught:
            await context.http.get_json(url.replace("//", "//joe:hush@") + "/x?key=hush")
    assert "hush" not in str(caught.value)


async def test_a_device_that_is_gone(context: Context) -> None:
    async with serving(saying(200)) as url:
        pass
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+/: cannot be reached \(Connection refused\)"):
        await context.http.get_json(url)


async def test_nonsense_is_unavailable(context: Context) -> None:
    async with serving(saying(200, "<html>starting up</html>")) as url:
        with pytest.raises(Unavailable, match="something other than JSON: '<html>starting"):
            await context.http.get_json(url)
    async with serving(saying(200, "[" * 100_000)) as url:
        with pytest.raises(Unavailable, match="something other than JSON"):
            await context.http.get_json(url)
    with pytest.raises(Unsupported, match="is no web address"):
        await context.http.get_json("http://[::1")


async def test_an_answer_without_end_is_cut(context: Context) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
        except ConnectionError:
            return response

    async with serving(endless) as url:
        with pytest.raises(Unavailable, match="answers with more than 1,000,000 bytes"):
            await context.http.get_json(url)


async def test_a_device_that_hangs_is_left_on_the_hubs_clock() -> None:
    hanging, released = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        hanging.set()
        await released.wait()
        return web.Response()

    clock = ManualClock()
    async with Protocols(clock) as protocols, serving(hang) as url:
        asking = asyncio.create_task(protocols.context("plug").http.get_json(url, timeout_s=4))
        await hanging.wait()
        await clock.advance(4.1)
        with pytest.raises(Unavailable, match="does not answer within 4 s"):
            await asking
        released.set()


async def test_redirects_stay_on_the_host(context: Context) -> None:
    async def moved(request: web.Request) -> web.Response:
        if request.path == "/new":
            return web.json_response("here")
        target = {"/old": "/new", "/away": "http://evil.example/new", "/round": "/round", "/odd": "http://[odd"}[request.path]
        return web.Response(status=302, headers={"Location": target})

    async with serving(moved) as url:
        assert await context.http.get_json(f"{url}/old") == "here"
        with pytest.raises(Unsupported, match=r"redirects to http://evil\.example"):
            await context.http.get_json(f"{url}/away")
        with pytest.raises(Unsupported, match="what is no address"):
            await context.http.get_json(f"{url}/odd")
        with pytest.raises(Unavailable, match="redirects without end"):
            await context.http.get_json(f"{url}/round")
        with pytest.raises(Unsupported, match="use the final address"):
            await context.http.post_json(f"{url}/old", {})


async def test_basic_sign_in_only_when_asked_and_only_there(context: Context) -> None:
    seen: list[str | None] = []

    async def basic(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        if seen[-1] == "Basic " + base64.b64encode("me:pä".encode()).decode():
            return web.json_response("in")
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="meter"'})

    context.http.sign_in("me", "pä")
    async with serving(basic) as url:
        assert await context.http.get_json(url) == "in"
        assert await context.http.get_json(url) == "in"
        async with serving(basic) as elsewhere:
            with pytest.raises(Refused, match="does not accept the configured user and password"):
                await context.http.get_json(elsewhere)
    assert [bool(header) for header in seen] == [False, True, True, False]


@pytest.mark.parametrize(("algorithm", "digest"), [("MD5", hashlib.md5), ("SHA-256", hashlib.sha256)])
async def test_digest_sign_in(context: Context, algorithm: str, digest: Callable[[bytes], hashlib._Hash]) -> None:
    def h(text: str) -> str:
        return digest(text.encode()).hexdigest()

    async def ask(request: web.Request) -> web.Response:
        header = request.headers.get("Authorization", "")
        said = dict(part.strip().split("=", 1) for part in header.removeprefix("Digest ").split(",") if "=" in part)
        said = {key: value.strip('"') for key, value in said.items()}
        if header:
            ha1, ha2 = h("me:meter:right"), h(f"GET:{request.path_qs}")
            if said["response"] == h(f"{ha1}:n1:{said['nc']}:{said['cnonce']}:auth:{ha2}"):
                return web.json_response(said["nc"])
        challenge = f'Digest realm="meter", qop="auth", nonce="n1", algorithm={algorithm}'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    context.http.sign_in("me", "right")
    async with serving(ask) as url:
        assert await context.http.get_json(f"{url}/a?b=1%202") == "00000001"
        assert await context.http.get_json(f"{url}/a") == "00000002", "the nonce is used again, without asking twice"
        context.http.sign_in("me", "wrong")
        with pytest.raises(Refused):
            await context.http.get_json(url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path, str]:
    """A server's TLS context, its own certificate as a file, and that certificate's fingerprint."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meter")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(public, private)
    return tls, public, made.fingerprint(hashes.SHA256()).hex(":")


async def test_a_devices_own_certificate(context: Context, certificate: tuple[ssl.SSLContext, Path, str]) -> None:
    tls, path, fingerprint = certificate
    async with serving(saying(200, '"safe"'), tls) as url:
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await context.http.get_json(url)
        for trusted in (str(path), fingerprint):
            context.http.trust(trusted)
            assert await context.http.get_json(url) == "safe"
        context.http.trust("00" * 32)
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await context.http.get_json(url)
        context.http.trust(__file__)
        with pytest.raises(ConfigError, match="no certificate in PEM form"):
            await context.http.get_json(url)


async def test_devices_share_a_session_but_no_cookies() -> None:
    cookies: list[str | None] = []

    async def baker(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.json_response(1, headers={"Set-Cookie": "who=plug"})

    async with Protocols(Clock()) as protocols, serving(baker) as url:
        for device in ("plug", "plug", "meter"):
            await protocols.context(device).http.get_json(url)
    assert cookies == [None] * 3
