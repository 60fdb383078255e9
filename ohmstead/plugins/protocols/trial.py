"""Tries an integration without a hub, as the tests of a plugin do, against whatever it is pointed at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.errors import PluginError
from ohmstead.core.plugin import Integration, Item
from ohmstead.plugins.protocols.context import Context, Protocols


async def first(integration: Integration, options: Mapping[str, Any], count: int, within_s: float = 10.0) -> list[Item]:
    """The first `count` things that the integration yields with these options, which its schema checks and completes.

    What the integration raises is raised here; TimeoutError when the things do not come within `within_s` seconds.
    """
    checked = validate.options(integration.schema, options)
    taken: list[Item] = []
    async with (
        asyncio.timeout(within_s),
        Protocols(Clock()) as protocols,
        aclosing(_stream(integration, checked, protocols.context("trial"))) as stream,
    ):
        async for item in stream:
            taken.append(item)
            if len(taken) == count:
                return taken
    raise PluginError(f"integration {integration.type} ended after {len(taken)} of {count}: {taken}")


async def _stream(integration: Integration, options: Mapping[str, Any], context: Context) -> AsyncGenerator[Item, None]:
    if integration.connect is None:
        assert integration.readings is not None
        async for item in integration.readings(options, context):
            yield item
        return
    async with integration.connect(options, context) as link:
        async for item in link.readings():
            yield item


@asynccontextmanager
async def answering(answers: Mapping[str, Any]) -> AsyncIterator[int]:
    """A device of paper: an HTTP server on 127.0.0.1 that answers each path with its JSON, others with 404. Gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        status = HTTPStatus.OK if path in answers else HTTPStatus.NOT_FOUND
        body = json.dumps(answers.get(path)).encode()
        writer.write(f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
