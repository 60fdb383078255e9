"""A house that tells people: storage, people and notifiers, on a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import ManualClock
from ohmstead.core.events import Announced
from ohmstead.core.hub import Hub
from ohmstead.core.notice import Notice
from ohmstead.core.route import Call, Reply
from ohmstead.plugins.notifiers.events import NotificationFailed, NotificationSent
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.notifiers.plugin import NotifiersPlugin
from ohmstead.plugins.notifiers.schemas import SECTION as NOTIFICATIONS
from ohmstead.plugins.people.people import People
from ohmstead.plugins.people.plugin import PeoplePlugin
from ohmstead.plugins.people.schema import SECTION as PEOPLE
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.storage.storage import Storage
from ohmstead.web.dispatch import API, Table
from tests.fakes.house import until


class TellingHouse:
    """Use it with `async with`. `deliver` runs the sender until nothing is due any more."""

    def __init__(self, url: str, folder: Path, people: Mapping[str, Any] | None = None, section: Mapping[str, Any] | None = None,
                 clock: ManualClock | None = None, zone: str = "UTC") -> None:
        self.hub = Hub(folder, clock or ManualClock())
        self.clock: ManualClock = self.hub.clock  # type: ignore[assignment]
        self.storage = Storage(url, self.hub.data_dir, self.clock, self.hub.bus)
        self.protocols = Protocols(self.clock)
        self.people = People(self.storage, self.clock, self.hub.data_dir, lambda: zone)
        self.notifiers = Notifiers(self.storage, self.people, self.hub.bus, self.clock, self.hub.data_dir, self.protocols.http())
        self.plugins = {"people": PeoplePlugin(self.people), "notifiers": NotifiersPlugin(self.notifiers)}
        self._stated, self._section = people or {}, section or {}
        self.sent: list[NotificationSent] = []
        self.failed: list[NotificationFailed] = []
        self.news: list[Announced] = []
        self.hub.bus.subscribe(NotificationSent, self.sent.append)
        self.hub.bus.subscribe(NotificationFailed, self.failed.append)
        self.hub.bus.subscribe(Announced, self.news.append)

    async def __aenter__(self) -> TellingHouse:
        for name, plugin in self.plugins.items():
            self.hub.plugins.add(name, plugin)
        await self.storage.open([tables for _, tables in self.hub.plugins.collect("ohmstead_tables")])
        await self.people.open()
        await self.people.apply(vol.Schema(PEOPLE)(dict(self._stated)))
        await self.notifiers.apply(vol.Schema(NOTIFICATIONS)(dict(self._section)))
        self.notifiers.routing.gather(self.hub)
        self._routes = Table(self.hub.routes())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.notifiers.sender.stop()
        self.notifiers.close()
        await self.protocols.close()
        await self.storage.close()

    async def tell(self, title: str, **more: Any) -> int | None:
        """Put a notice into the outbox."""
        return await self.notifiers.send(Notice(**{"kind": "alert", "title": title, **more}))

    async def deliver(self) -> None:
        """Send until nothing is due now; attempts that wait for the other side are waited for in real time."""
        sender = self.notifiers.sender
        while await sender.turn() or sender._under_way:
            await until(lambda: not sender._under_way, 20)

    async def log(self, **query: Any) -> list[dict[str, Any]]:
        """The log of deliveries that people hear of, oldest first: without the app's."""
        rows = await self.call("GET", "/notifications/deliveries", query)
        return [row for row in reversed(rows) if row["channel"] != "app"]

    async def call(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The data of an operation of the API. Rejected."""
        reply = await self.reply(method, path, query, body)
        return reply.data

    async def reply(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Reply:
        import msgspec

        from ohmstead.core.model import Person

        operation, values = self._routes.find(method, API + path)
        call = Call(Person("owner", frozenset({"*"})), values, operation.intake.query({k: str(v) for k, v in (query or {}).items()}))
        if operation.route.body is not None:
            call.body = operation.intake.body(msgspec.json.encode(body))
        answer = await operation.route.handler(call)
        return answer if isinstance(answer, Reply) else Reply(answer)


async def pause(seconds: float = 0.05) -> None:
    """Let others run in real time, once."""
    await asyncio.sleep(seconds)
