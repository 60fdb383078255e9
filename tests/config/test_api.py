"""What commands make of the answers of a hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ohmstead.config.cli.api import Remote
from ohmstead.core.errors import Invalid, OhmsteadError, Unavailable
from tests.config.conftest import Write
from tests.config.test_cli import command
from tests.config.test_house import running


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[Remote]:
    """A hub that gives these answers, one a connection."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Remote(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "token")


def said(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


async def told(work: Callable[[], Any]) -> OhmsteadError:
    with pytest.raises(OhmsteadError) as error:
        await asyncio.to_thread(work)
    return error.value


async def test_refusals_become_sentences() -> None:
    details = b'{"error": {"message": "the body is not right", "details": [{"path": "id", "message": "expected an id"}, "line"]}}'
    async with answering(said(400, details), said(404, b"?"), said(503, b'{"error": {"message": "no room"}}'), b"HTTP/1.1", said(200, b"{")) as hub:
        error = await told(lambda: hub.call("GET", "/x"))
        assert (type(error), str(error)) == (Invalid, "the body is not right\nid: expected an id\nline")
        assert str(await told(lambda: hub.call("GET", "/x"))) == "the hub answers 404"
        error = await told(lambda: hub.call("GET", "/x"))
        assert (type(error), str(error)) == (Unavailable, "no room")
        assert "does not answer" in str(await told(lambda: hub.call("GET", "/x")))
        assert "does not answer" in str(await told(lambda: hub.call("GET", "/x")))


async def test_a_listing_goes_from_page_to_page() -> None:
    pages = [b'{"data": [1, 2], "meta": {"nextCursor": "a b"}}', b'{"data": [3], "meta": {"nextCursor": null}}']
    async with answering(*(said(200, page) for page in pages)) as hub:
        assert await asyncio.to_thread(lambda: list(hub.listing("/devices", {"limit": 2}))) == [1, 2, 3]


async def test_a_download_that_breaks_off_is_no_file() -> None:
    half = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    async with answering(half, said(200, b"whole")) as hub:
        assert "does not answer" in str(await told(lambda: list(hub.download("/backup", {}))))
        assert await asyncio.to_thread(lambda: list(hub.download("/backup", {}))) == [b"whole"]


async def test_a_reload_that_is_refused(folder: Write) -> None:
    there = folder()
    async with running(there):
        folder("web: {prt: 1}\n")
        error = await told(lambda: asyncio.run(command(there, "reload")))
        assert str(error).splitlines()[1] == 'configuration.yaml:1  web → prt: unknown option. Did you mean "port"?'


async def test_lists_longer_than_a_page_without_the_hub(folder: Write) -> None:
    devices = "".join(f"  d{number}: {{}}\n" for number in range(1200))
    there = folder(f"devices:\n{devices}")
    assert len((await command(there, "devices")).output.splitlines()) == 1201
