"""`POST /imports/readings`: readings of a file, in portions. They are stored and never touch the live state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.errors import Rejected
from ohmstead.core.ingest import Batch, Feed
from ohmstead.core.plugin import ImportRow
from ohmstead.core.route import Call, Reply, Route

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

MAX_BODY = 8_000_000
BREATH = 1000  # rows taken in a row before the other tasks get their turn
SHOWN = 20  # refusals that are told by the word
ROOM_WITHIN_S = 10.0


class Item(msgspec.Struct, array_like=True):
    """One reading: device, quantity, value, instant and start of the period in ms, where it stood in the file."""

    device: str
    quantity: str
    value: float | str
    at_ms: int
    from_ms: int | None = None
    place: str = ""


class Portion(msgspec.Struct):
    """Some of a file's readings."""

    file: str
    rows: list[Item]


def item(row: ImportRow) -> Item:
    """A reading as it travels."""
    return Item(row.device, row.quantity, row.value, row.at_ms, row.from_ms, row.place)


class Imports:
    """Takes portions in. The same again changes nothing."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def route(self) -> Route:
        """The operation."""
        return Route("POST", "/imports/readings", self.take, "write", "Store readings of a file", body=Portion,
                     max_body=MAX_BODY, tags=("imports",))  # fmt: skip

    async def take(self, call: Call) -> Reply:
        """Store them: how many were taken, how many refused, and why the first of these were."""
        portion: Portion = call.body
        await self._hub.ingest.room(ROOM_WITHIN_S)
        batch = self._hub.ingest.batch(f"import of {portion.file}", "import", live=False)
        refusals = await self._add(batch, portion.rows)
        await self._hub.ingest.store(batch, within_s=60)
        taken = len(batch.rows) + len(batch.deltas) + len(batch.texts)
        conflicts = [f"{row.series.address} has another value at that instant already" for row in batch.conflicts]
        wrong = [*refusals, *conflicts]
        answer: dict[str, Any] = {"accepted": taken - len(conflicts), "rejected": len(wrong), "items": wrong[:SHOWN]}
        return Reply(answer, status=202)

    async def _add(self, batch: Batch, rows: list[Item]) -> list[str]:
        refusals: list[str] = []
        feeds: dict[str, Feed] = {}
        for number, row in enumerate(rows, 1):
            try:
                feed = feeds.get(row.device) or feeds.setdefault(row.device, batch.feed(row.device))
                reason = batch.add(feed, row.quantity, row.value, row.at_ms, row.from_ms)
            except Rejected as refusal:
                reason = str(refusal)
            if reason is not None:
                refusals.append(f"{row.place or f'row {number}'}: {reason}")
            if number % BREATH == 0:
                await asyncio.sleep(0)
        return refusals
