"""`/dead-letters`: what was refused and why, and trying it again once the cause is mended."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid, NotFound, OhmsteadError
from ohmstead.core.ingest import Batch, Ingest
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.history.instant import cursor

if TYPE_CHECKING:
    from ohmstead.plugins.storage.letters import Kept, Letters

AT_ONCE = 100  # letters that are replayed together
MOST_IDS = 1000
number = validate.integer(1, 2**53)
LIST: dict[Any, Any] = {
    vol.Optional("source", description="only those from this source"): validate.text,
    vol.Optional("limit", default=100, description="at most so many, up to 1,000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): cursor,
}
REPLAY: dict[Any, Any] = {
    vol.Exclusive("ids", "which", description="these letters; at most 1,000"): vol.All([number], vol.Length(1, MOST_IDS)),
    vol.Exclusive("all", "which", description="true for all there are"): validate.boolean,
}


class Replayed(msgspec.Struct):
    """What became of letters: `replayed` are stored and gone, `refused` stay with their new reason."""

    replayed: int = 0
    refused: int = 0
    readings: int = 0


class DeadLetters:
    """Shows dead letters and replays them through their decoders, like an import: live states do not move."""

    def __init__(self, letters: Letters, ingest: Ingest) -> None:
        self._letters, self._ingest = letters, ingest

    def routes(self) -> list[Route]:
        """The operations, with their schemas."""
        tags = ("dead letters",)
        return [
            Route("GET", "/dead-letters", self.page, "read", "What was refused, newest first", query=LIST, tags=tags),
            Route("POST", "/dead-letters/replay", self.replay, "admin", "Try refused messages again", body=REPLAY, tags=tags),
        ]

    async def page(self, call: Call) -> Reply:
        """A page of letters."""
        most = call.query["limit"]
        found = await self._letters.list(most + 1, call.query.get("cursor"), call.query.get("source"))
        more = str(found[most - 1].id) if len(found) > most else None
        return Reply([_shown(kept) for kept in found[:most]], next_cursor=more)

    async def replay(self, call: Call) -> dict[str, Any]:
        """Try some or all again; how it went."""
        if "ids" not in call.body and not call.body.get("all"):
            raise Invalid("which letters?", [{"path": "ids", "message": 'expected ids, or "all": true'}])
        result = Replayed()
        async for some in self._wanted(call.body.get("ids")):
            await self._ingest.room(within_s=10)
            await asyncio.gather(*(self._try(kept, result) for kept in some))
        return msgspec.structs.asdict(result)

    async def _wanted(self, ids: Sequence[int] | None) -> AsyncIterator[list[Kept]]:
        """The letters in the order they came, some at a time. NotFound when one of the ids is gone."""
        if ids is not None:
            found = [await self._letters.get(id_) for id_ in sorted(set(ids))]
            for place in range(0, len(found), AT_ONCE):
                yield found[place : place + AT_ONCE]
            return
        newest = await self._letters.list(1)
        after, last = 0, newest[0].id if newest else 0
        while some := [kept for kept in await self._letters.oldest(after, AT_ONCE) if kept.id <= last]:
            yield some
            after = some[-1].id

    async def _try(self, kept: Kept, result: Replayed) -> None:
        letter = kept.letter
        batch = self._ingest.batch(letter.source, letter.format, live=False)
        self._decode(batch, kept)
        batch.letters = [msgspec.structs.replace(again, at_ms=letter.at_ms) for again in batch.letters]
        rows = batch.size - len(batch.letters)
        await self._ingest.store(batch)
        await self._letters.delete([kept.id])
        result.readings += rows - len(batch.conflicts)
        if batch.letters or batch.conflicts:
            result.refused += 1
        else:
            result.replayed += 1

    def _decode(self, batch: Batch, kept: Kept) -> None:
        letter = kept.letter
        decode = self._ingest.decoders.get(letter.format)
        try:
            if decode is None:
                raise NotFound(f"nothing here reads {letter.format!r} any more")
            decode(batch, letter.address, letter.raw)
        except (OhmsteadError, msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
            batch.refuse(str(error), letter.raw, letter.address, letter.device)


def _shown(kept: Kept) -> dict[str, Any]:
    letter = kept.letter
    try:
        raw, encoding = letter.raw.decode(), "text"
    except UnicodeDecodeError:
        raw, encoding = base64.b64encode(letter.raw).decode(), "base64"
    return {
        "id": kept.id,
        "at": iso(letter.at_ms),
        "source": letter.source,
        "reason": letter.reason,
        "format": letter.format,
        "address": letter.address,
        "device": letter.device,
        "raw": raw,
        "encoding": encoding,
    }
