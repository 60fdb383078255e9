"""The house, opened by a command while no hub runs: no web, no devices, only its operations."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.config import log as logs
from ohmstead.config.house import House
from ohmstead.core.events import OperationDone
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Reply
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.storage.storage import Storage
from ohmstead.web.dispatch import API, Operation, Table

DERIVE_S = 3600.0
OWNER = Person("owner", frozenset({"*"}))


class Local:
    """Calls operations as the web server would."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._table = Table(house.hub.routes())

    @classmethod
    async def open(cls, folder: Path) -> Local:
        """Open the house in `folder`. ConfigError, Unavailable."""
        logs.set_up({"level": "warning"})
        house = House(folder)
        try:
            await house.open()
            return cls(house)
        except BaseException:
            await house.stop()
            raise

    async def call(self, method: str, path: str, query: dict[str, Any], body: Any) -> tuple[Any, str | None]:
        """The plain data of the answer, and the cursor of the next page. Rejected."""
        reply = await self._answer(method, path, query, body)
        return msgspec.to_builtins(reply.data), reply.next_cursor

    async def file(self, method: str, path: str, query: dict[str, Any], body: Any) -> AsyncGenerator[bytes, None]:
        """The pieces of an answer that is a file; what refuses it is raised before the first. Rejected."""
        reply = await self._answer(method, path, query, body)
        return _whole(str(reply.data)) if reply.stream is None else _pieces(reply.stream)

    async def _answer(self, method: str, path: str, query: dict[str, Any], body: Any) -> Reply:
        operation, values = self._table.find(method, API + path)
        given = {key: str(value) for key, value in query.items()}
        call = Call(OWNER, values, operation.intake.query(given), address="127.0.0.1")
        if operation.route.body is not None:
            call.body = operation.intake.body(msgspec.json.encode(body))
        if method == "GET" or not path.startswith("/imports"):  # what brings much in need not see what came of it yet
            await self._derive()
        if method == "GET" or operation.route.scope not in ("write", "admin"):
            return _reply(await operation.route.handler(call), operation)
        done = OperationDone(OWNER.id, f"{method} {operation.template}", values, operation.route.status, "command line")
        with self._house.parts.audit.operations.during(done):
            reply = _reply(await operation.route.handler(call), operation)
            self._house.hub.bus.publish(done)
        return reply

    async def _derive(self) -> None:
        """Derive what is marked, as the running hub does by itself."""
        ledger, storage = self._house.hub.get(Ledger), self._house.hub.get(Storage)
        async with ledger.turn:
            await storage.write(ledger.derive, within_s=DERIVE_S)

    async def close(self) -> None:
        """Close the house."""
        await self._house.stop()
        logging.shutdown()


def _reply(answer: Any, operation: Operation) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(answer, status=operation.route.status)


async def _whole(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode()


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in stream:
        yield piece
