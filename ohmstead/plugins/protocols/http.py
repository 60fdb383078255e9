"""The HTTP client that devices are spoken to with: JSON with limits, sign-in when asked, and errors that say what next."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import hdrs
from yarl import URL

from ohmstead import __version__
from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError, OhmsteadError, Refused, Unanswered, Unavailable, Unsupported
from ohmstead.plugins.protocols.home import Home
from ohmstead.plugins.protocols.tcp import why

TIMEOUT_S = 10.0
LIMIT = 1_000_000  # bytes of an answer
REDIRECTS = 3
PER_HOST = 4  # small devices serve few connections at once
LONGEST_RETRY_S = 3600.0


class Gone(Unsupported):
    """What was asked for is not there (404, 410)."""


class Sessions:
    """The one client session of the house, made when it is first needed, and the certificates it trusts."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._authorities: dict[Path, ssl.SSLContext] = {}

    def session(self) -> aiohttp.ClientSession:
        """The session. It keeps no cookies, so no device learns anything of another."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, limit_per_host=PER_HOST),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # the hub's clock times every request
                headers={hdrs.USER_AGENT: f"ohmstead/{__version__}"},
            )
        return self._session

    async def authority(self, path: Path) -> ssl.SSLContext:
        """A context that trusts the certificates of a PEM file; ConfigError when it cannot be read."""
        if path not in self._authorities:
            try:
                self._authorities[path] = await asyncio.to_thread(ssl.create_default_context, cafile=str(path))
            except OSError as error:  # SSLError is one too
                raise ConfigError(f"{path} is no certificate in PEM form: {error}") from error
        return self._authorities[path]

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class SignIn:
    """Answers a device that asks who we are, by Digest (RFC 7616; SHA-256, MD5) or else by Basic, as it asks.

    The password goes to the first origin asked and to no other.
    """

    def __init__(self, user: str, password: str) -> None:
        self._digest = aiohttp.DigestAuthMiddleware(user, password)
        self._basic = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self._basic_origin: URL | None = None

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() == self._basic_origin:
            request.headers[hdrs.AUTHORIZATION] = self._basic
            return await handler(request)
        response = await self._digest(request, handler)
        asked = response.headers.get(hdrs.WWW_AUTHENTICATE, "").lower()
        if response.status == 401 and asked.startswith("basic") and self._basic_origin is None:
            response.release()
            self._basic_origin = request.url.origin()
            request.headers[hdrs.AUTHORIZATION] = self._basic
            response = await handler(request)
        return response


class Http:
    """One device's way to speak HTTP.

    Unavailable: it is not there, is busy, or answers nonsense; try again. Refused: it does not accept our sign-in.
    Unsupported: it is there but does not know what was asked for.
    """

    def __init__(self, sessions: Sessions, clock: Clock, home: Home) -> None:
        self._sessions, self._clock, self._home = sessions, clock, home
        self._sign_in: SignIn | None = None
        self._certificate: str | None = None

    def sign_in(self, user: str, password: str) -> None:
        """Use this account from now on, whenever the device asks for one."""
        self._sign_in = SignIn(user, password)

    def trust(self, certificate: str) -> None:
        """Trust a device's own certificate: the path of a PEM file, or its SHA-256 fingerprint in hexadecimal."""
        self._certificate = certificate

    async def get_json(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S, limit: int = LIMIT,
    ) -> Any:  # fmt: skip
        """The JSON that `url` answers with, at most `limit` bytes of it, within `timeout_s` seconds."""
        return _json(url, await self._fetch("GET", url, timeout_s, limit, params=params, headers=headers))

    async def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S, limit: int = LIMIT,
    ) -> bytes:  # fmt: skip
        """The bytes that `url` answers with, for what is no JSON or is decoded into types; none for 204."""
        return await self._fetch("GET", url, timeout_s, limit, params=params, headers=headers)

    async def post_json(
        self, url: str, body: Any, *, headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S, limit: int = LIMIT
    ) -> Any:
        """Send `body` as JSON; the JSON of the answer, or None when that is empty."""
        headers = {hdrs.CONTENT_TYPE: "application/json", **(headers or {})}
        raw = await self._fetch("POST", url, timeout_s, limit, data=msgspec.json.encode(body), headers=headers)
        return _json(url, raw) if raw.strip() else None

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S, limit: int = LIMIT
    ) -> bytes:
        """Send `body` as it is; the bytes of the answer. Gone for 404 and 410."""
        return await self._fetch("POST", url, timeout_s, limit, data=body, headers=headers)

    async def _fetch(self, method: str, url: str, timeout_s: float, limit: int, **request: Any) -> bytes:
        address = _address(url)

        async def timed() -> bytes:
            return await self._clock.timeout(self._request(method, address, limit, request), timeout_s)

        try:
            return await self._home.run(timed)
        except TimeoutError:
            raise Unanswered(f"{_place(url)} does not answer within {timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"{_place(url)}: {_tell(error)}") from error
        except aiohttp.ClientError as error:
            raise Unanswered(f"{_place(url)}: {_tell(error)}") from error

    async def _request(self, method: str, url: URL, limit: int, request: dict[str, Any]) -> bytes:
        trust = await self._trusted()
        middlewares = () if self._sign_in is None else (self._sign_in,)
        for _ in range(REDIRECTS):
            async with self._sessions.session().request(
                method, url, ssl=trust, middlewares=middlewares, allow_redirects=False, **request
            ) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    return await self._body(response, limit)
                url = _redirected(method, url, response)
                request = {**request, "params": None}
        raise Unavailable(f"{_place(url)} redirects without end")

    async def _trusted(self) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
        if self._certificate is None:
            return True
        digits = self._certificate.replace(":", "")
        if len(digits) == 64 and not set(digits.lower()) - set("0123456789abcdef"):
            return aiohttp.Fingerprint(bytes.fromhex(digits))
        return await self._sessions.authority(Path(self._certificate))

    async def _body(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                response.close()
                raise Unavailable(f"{_place(response.url)} answers with more than {limit:,} bytes")
        if response.status >= 300:
            raise self._error(response, bytes(body))
        return bytes(body)

    def _error(self, response: aiohttp.ClientResponse, body: bytes) -> OhmsteadError:
        place, status = _place(response.url), response.status
        if status == 401 and self._sign_in is None:
            return Refused(f"{place} asks for a password and none is configured")
        if status in (401, 403):
            return Refused(f"{place} does not accept the configured user and password ({status})")
        said = " ".join(body[:200].decode("utf-8", "replace").split())
        text = f"{place} answers {status} {response.reason or ''}".rstrip() + (f": {said}" if said else "")
        if status in (408, 425, 429) or status >= 500:
            return Unavailable(text, _retry_after_s(response))
        return Gone(text) if status in (404, 410) else Unsupported(text)


def _address(url: str) -> URL:
    try:
        address = URL(url)
    except ValueError as error:
        raise Unsupported(f"{url} is no web address") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise Unsupported(f"{url} is no web address: it begins with http:// or https:// and names a host")
    return address


def _redirected(method: str, url: URL, response: aiohttp.ClientResponse) -> URL:
    try:
        target = url.join(URL(response.headers.get(hdrs.LOCATION, "")))
    except ValueError as error:
        raise Unsupported(f"{_place(url)} redirects to what is no address") from error
    if method != "GET" or target.host != url.host or target.scheme not in (url.scheme, "https"):
        raise Unsupported(f"{_place(url)} redirects to {target.origin() if target.host else 'nowhere'}; use the final address")
    return target


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """The seconds of Retry-After; its other form, a date, needs two clocks that agree and is left alone."""
    text = response.headers.get(hdrs.RETRY_AFTER, "").strip()
    return min(float(text), LONGEST_RETRY_S) if text.isdecimal() else None


def _json(url: str, raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        start = " ".join(raw[:60].decode("utf-8", "replace").split())
        raise Unavailable(f"{_place(url)} answers with something other than JSON: {start!r}") from error


def _place(url: str | URL) -> str:
    """The address for people: without user, password and query, which may hold secrets."""
    address = URL(url)
    port = "" if address.is_default_port() else f":{address.port}"
    return f"{address.host}{port}{address.path}"


def _tell(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ServerFingerprintMismatch):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot be reached ({why(error.os_error)})"
    return str(error) or type(error).__name__
