"""A small house for the web's tests: the real core, a store in memory, and whatever routes a test declares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from ohmstead.core.clock import Clock
from ohmstead.core.hub import Hub
from ohmstead.core.ingest import Batch, Feed, Ingest
from ohmstead.core.route import Route
from ohmstead.web.access import owner_token
from ohmstead.web.server import Web

SECRETS = {"D1": "s3cret-of-D1"}
ROOMS = {"home": ("D1", "D2"), "attic": ("pv",)}


class MemoryStore:
    """Keeps every batch it is given and settles it at once."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)
        batch.settle(None)

    def has_room(self) -> bool:
        return True

    async def room(self) -> None:
        return


class OpenRegistry:
    """Takes every device in."""

    def admit(self, device: str, source: str) -> Feed:
        return Feed(device)

    def heard(self, feed: Feed, now_ms: int) -> None:
        feed.online = True


def verify(device: str, secret: str) -> bool:
    """Whether it is the device's secret."""
    return SECRETS.get(device) == secret


def locate(location: str) -> Iterable[str]:
    """The devices of a location."""
    from ohmstead.core.errors import NotFound

    if location not in ROOMS:
        raise NotFound(f"there is no location {location!r}")
    return ROOMS[location]


class House:
    """A hub with its web, and a client that has the owner's token."""

    def __init__(self, folder: Path, routes: Iterable[Route] = (), clock: Clock | None = None, **options: Any) -> None:
        self.hub = Hub(folder, clock)
        self.store = MemoryStore()
        self.last_ms = 0
        self.hub.ingest = Ingest(self.hub.bus, self.hub.states, self.hub.clock, self.hub.quantities, self.store, OpenRegistry())
        self.web = Web(self.hub, port=0, verify=verify, locate=locate, **options)
        self.web.replace(routes)

    async def __aenter__(self) -> House:
        await self.web.start()
        self.url = f"http://127.0.0.1:{self.web.port}"
        self.token = owner_token(self.hub.data_dir)
        self.owner = {"Authorization": f"Bearer {self.token}"}
        self.client = aiohttp.ClientSession(self.url, headers=self.owner)
        self.stranger = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self.stranger.close()
        await self.web.stop()

    async def reading(self, device: str, quantity: str, value: float, at_ms: int | None = None) -> None:
        """A device reports one value; never two within one millisecond, of which the second would not count."""
        batch = self.hub.ingest.batch("test", "test")
        self.last_ms = max(self.last_ms + 1, batch.now_ms)
        assert batch.add(batch.feed(device), quantity, value, at_ms or self.last_ms) is None
        await self.hub.ingest.store(batch)


async def data(response: aiohttp.ClientResponse) -> Any:
    """What is in the envelope of a success."""
    answer = await response.json()
    assert answer["success"], answer
    return answer["data"]


async def problem(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """What is in the envelope of an error."""
    answer = await response.json()
    assert set(answer) == {"success", "data", "error", "meta"}
    assert not answer["success"]
    assert answer["meta"]["requestId"] == response.headers["X-Request-ID"]
    return answer["error"]
