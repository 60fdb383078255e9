"""What commands ask of the house: over the API of the hub that runs, or of the house opened for the moment when none does."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from ohmstead.config.lock import Holder, Lock
from ohmstead.core.errors import ConfigError, Invalid, Rejected, Unavailable

TIMEOUT_S = 60.0
CHUNK = 1 << 18


class Api(Protocol):
    """Calls operations below /api/v1 as the owner."""

    def call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        """The data of the answer. Rejected with what the operation says, Unavailable."""

    def listing(self, path: str, query: dict[str, Any] | None = None) -> Iterator[Any]:
        """All items of a list, page by page."""

    def file(self, method: str, path: str, query: dict[str, Any], body: Any = None) -> Generator[bytes, None, None]:
        """An answer that is a file, piece by piece."""


class Remote:
    """The hub that runs."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        return self._send(method, path, query, body)["data"]

    def listing(self, path: str, query: dict[str, Any] | None = None) -> Iterator[Any]:
        cursor: dict[str, Any] = {}
        while True:
            answer = self._send("GET", path, {**(query or {}), **cursor}, None)
            yield from answer["data"]
            cursor = {"cursor": answer["meta"].get("nextCursor")}
            if cursor["cursor"] is None:
                return

    def download(self, path: str, body: Any) -> Generator[bytes, None, None]:
        """What a POST answers, piece by piece."""
        yield from self.file("POST", path, {}, body)

    def file(self, method: str, path: str, query: dict[str, Any], body: Any = None) -> Generator[bytes, None, None]:
        with self._asked(method, path, query, body) as answer:
            while chunk := answer.read(CHUNK):
                yield chunk

    def _send(self, method: str, path: str, query: dict[str, Any] | None, body: Any) -> Any:
        with self._asked(method, path, query, body) as answer:
            return json.load(answer)

    @contextmanager
    def _asked(self, method: str, path: str, query: dict[str, Any] | None, body: Any) -> Iterator[http.client.HTTPResponse]:
        url = f"{self._url}/api/v1{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, raw, headers, method=method)  # noqa: S310 - the hub's own address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the hub is on this machine, behind no proxy
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable(f"the hub at {self._url} does not answer: {error}") from None


def _refusal(answer: urllib.error.HTTPError) -> Rejected | Unavailable:
    try:
        error = json.load(answer)["error"]
        message, details = error["message"], error.get("details")
    except (ValueError, KeyError, TypeError):
        message, details = f"the hub answers {answer.code}", None
    text = _told(message, details)
    return Unavailable(text) if answer.code >= 500 else Invalid(text)


def _told(message: str, details: Any) -> str:
    """The message, and below it the details that are not in it already."""
    lines = [line for detail in details if (line := _line(detail)) not in message] if isinstance(details, list) else []
    return "\n".join([message, *lines])


def _line(detail: Any) -> str:
    return f"{detail.get('path', '')}: {detail.get('message', '')}" if isinstance(detail, dict) else str(detail)


def running(folder: Path) -> Remote:
    """The hub that runs in `folder`; ConfigError when none does."""
    holder = Lock(folder / "data").holder()
    if holder is None:
        raise ConfigError(f'{folder}: no hub runs here; "ohmstead run" starts one')
    return remote(folder, holder)


def remote(folder: Path, holder: Holder) -> Remote:
    """The hub that holds a house. Unavailable while it starts, ConfigError when its token cannot be read."""
    if holder.url is None:
        raise Unavailable(f"{folder}: process {holder.pid or '?'} holds the house and does not answer yet; try again")
    try:
        token = (folder / "data" / "owner_token").read_text("ascii").strip()
    except OSError as error:
        raise ConfigError(f"{folder / 'data' / 'owner_token'}: cannot be read: {error.strerror}; run this as the hub's own user") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{folder / 'data' / 'owner_token'}: holds no token; 'ohmstead token --new' makes one") from None
    return Remote(holder.url, token)


@contextmanager
def opened(folder: Path) -> Iterator[Api]:
    """The hub that runs in `folder`, else the house itself, opened for as long as the block lasts."""
    holder = Lock(folder / "data").holder()
    if holder is not None:
        yield remote(folder, holder)
        return
    from ohmstead.config.cli.local import Local

    with asyncio.Runner() as runner:
        local = runner.run(Local.open(folder))
        try:
            yield LocalApi(runner, local)
        finally:
            runner.run(local.close())


class LocalApi:
    """The house itself, called from outside its event loop."""

    def __init__(self, runner: asyncio.Runner, local: Any) -> None:
        self._runner, self._local = runner, local

    def call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        try:
            data, _ = self._runner.run(self._local.call(method, path, query or {}, body))
        except Rejected as refusal:
            raise Invalid(_told(str(refusal), refusal.details)) from refusal
        return data

    def listing(self, path: str, query: dict[str, Any] | None = None) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            data, cursor = self._runner.run(self._local.call("GET", path, {**(query or {}), **more}, None))
            yield from data
            if cursor is None:
                return

    def file(self, method: str, path: str, query: dict[str, Any], body: Any = None) -> Generator[bytes, None, None]:
        stream = self._runner.run(self._local.file(method, path, query, body))
        try:
            while piece := self._runner.run(_next(stream)):
                yield piece
        finally:
            self._runner.run(stream.aclose())


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(stream, b"")
