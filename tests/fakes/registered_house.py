"""A hub with storage, devices, jobs and history on one database; routes are called as the web would, without a web."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import Clock, ManualClock
from ohmstead.core.errors import Invalid
from ohmstead.core.hub import Hub
from ohmstead.core.ingest import Batch
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.plugin import DevicesPlugin
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.history.plugin import HistoryPlugin
from ohmstead.plugins.jobs.jobs import Jobs
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.storage.storage import Storage

OWNER = Person("owner", frozenset({"*"}))


class RegisteredHouse:
    """Opened with `async with`; `start` also starts the tasks."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.hub = Hub(folder, self.clock)
        self.bus = self.hub.bus
        self.storage = Storage(url, self.hub.data_dir, self.clock, self.bus)
        self.devices = Devices(self.storage, self.bus, self.clock, self.hub.quantities, self.hub.data_dir)
        self.commands = Commands(self.hub, self.devices)
        self.jobs = Jobs(self.storage, self.clock, self.hub.second)
        self.history = HistoryPlugin(self.storage, self.devices, self.clock)
        self.hub.connect(self.storage, self.devices, lambda *_: None)
        self.ingest = self.hub.ingest
        for name, plugin in (("devices", DevicesPlugin(self.devices, self.commands)), ("jobs", self.jobs), ("history", self.history)):
            self.hub.plugins.add(name, plugin)
        self._routes: list[Route] = []

    async def __aenter__(self) -> RegisteredHouse:
        await self.storage.open([DEVICES, JOBS])
        await self.devices.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.hub.stop()
        await self.devices.close()
        await self.storage.close()

    def start(self) -> None:
        """Start what the plugins run."""
        self.hub.plugins.collect("ohmstead_started", hub=self.hub)

    async def ask(
        self, method: str, path: str, body: Any = None, who: Person = OWNER, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Reply:
        """What a route answers; query and body are validated as the web does it."""
        for route in self._routes:
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path), path)
            if match is not None and route.method == method:
                call = Call(who, match.groupdict(), _valid(route.query, query), _valid(route.body, body), headers or {})
                assert who.may(route.scope), f"{who.id} may not {route.scope}"
                answer = await route.handler(call)
                return answer if isinstance(answer, Reply) else Reply(answer, status=route.status)
        raise AssertionError(f"no route {method} {path}")

    async def get(self, path: str, **query: Any) -> Any:
        """The data a GET answers."""
        return (await self.ask("GET", path, **query)).data

    async def walk(self, path: str, **query: Any) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            reply = await self.ask("GET", path, **query, **cursor)
            found += reply.data
            if reply.next_cursor is None:
                return found
            cursor = {"cursor": reply.next_cursor}

    async def store(self, device: str, quantity: str, value: Any, at_ms: int | None = None, from_ms: int | None = None) -> Batch:
        """Take in one reading and wait for its commit."""
        batch = self.ingest.batch("test", "test")
        reason = batch.add(batch.feed(device), quantity, value, at_ms, from_ms)
        assert reason is None, reason
        await self.ingest.store(batch)
        return batch


def _valid(schema: Any, given: Any) -> Any:
    if schema is None:
        return given
    try:
        return (schema if isinstance(schema, vol.Schema) else vol.Schema(schema))(given)
    except vol.MultipleInvalid as error:
        raise Invalid("not right", [{"path": ".".join(map(str, each.path)), "message": each.msg} for each in error.errors]) from None
