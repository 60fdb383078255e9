"""The dead letters: a ring of what was refused, as it came, the oldest going first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec
from sqlalchemy import delete, select, update

from ohmstead.core.clock import iso
from ohmstead.core.errors import NotFound
from ohmstead.core.model import DeadLetter, Row
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.tables import HOME, dead_letter_ring, dead_letters

MAX_LETTERS = 100_000
MAX_BYTES = 100_000_000
OVERHEAD = 100  # bytes a letter takes beside its texts
COLUMNS = ("tenant_id", "at_ms", "source", "reason", "format", "address", "device_id", "size", "raw")

Read = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


class Bulk(Protocol):
    """A path's way to insert many rows."""

    async def bulk(self, conn: AsyncConnection, table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows of a table."""


class Kept(msgspec.Struct, frozen=True):
    """A dead letter and its number in the ring."""

    id: int
    letter: DeadLetter


class Ring(msgspec.Struct, frozen=True):
    """How full the ring is: letters held, their bytes, and how many are gone for want of room."""

    held: int
    bytes: int
    gone: int


class Letters:
    """Reads, adds and deletes dead letters. `write` is the storage's."""

    def __init__(self, read: Read, write: Callable[..., Any], max_letters: int = MAX_LETTERS, max_bytes: int = MAX_BYTES) -> None:
        self._read = read
        self._write = write
        self._max_letters = max_letters
        self._max_bytes = max_bytes

    async def list(self, limit: int = 100, before: int | None = None, source: str | None = None) -> list[Kept]:
        """The newest letters first; `before` is the id after which (downwards) to go on."""
        query = select(dead_letters).where(dead_letters.c.tenant_id == HOME).order_by(dead_letters.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(dead_letters.c.id < before)
        if source is not None:
            query = query.where(dead_letters.c.source == source)
        async with self._read() as conn:
            return [_kept(row) for row in await conn.execute(query)]

    async def oldest(self, after: int = 0, limit: int = 100) -> Sequence[Kept]:
        """Letters in the order they came, from behind `after`: the order in which to replay them."""
        query = select(dead_letters).where(dead_letters.c.tenant_id == HOME, dead_letters.c.id > after)
        async with self._read() as conn:
            return [_kept(row) for row in await conn.execute(query.order_by(dead_letters.c.id).limit(limit))]

    async def get(self, id: int) -> Kept:  # noqa: A002
        """One letter; NotFound when it is gone."""
        async with self._read() as conn:
            query = select(dead_letters).where(dead_letters.c.tenant_id == HOME, dead_letters.c.id == id)
            row = (await conn.execute(query)).first()
        if row is None:
            raise NotFound(f"there is no dead letter {id}")
        return _kept(row)

    async def ring(self) -> Ring:
        """How full the ring is."""
        async with self._read() as conn:
            row = (await conn.execute(select(dead_letter_ring).where(dead_letter_ring.c.tenant_id == HOME))).one()
        return Ring(row.held, row.bytes, row.gone)

    async def delete(self, ids: Iterable[int]) -> int:
        """Take letters out, because they were replayed or read; how many there were."""
        wanted = list(ids)

        async def work(tx: AsyncConnection) -> int:
            return sum([await _remove(tx, wanted[place : place + 500], gone=False) for place in range(0, len(wanted), 500)])

        count: int = await self._write(work)
        return count

    async def add(self, tx: AsyncConnection, path: Bulk, letters: Sequence[DeadLetter]) -> None:
        """Put letters into the ring inside a transaction. Where it is full the oldest go, a hundredth more than needed."""
        letters = letters[-self._max_letters :]
        values = [_values(letter) for letter in letters]
        await path.bulk(tx, "dead_letters", COLUMNS, values)
        ring = dead_letter_ring.c
        added = {"held": ring.held + len(values), "bytes": ring.bytes + sum(value[7] for value in values)}
        counted = update(dead_letter_ring).where(ring.tenant_id == HOME).values(added).returning(ring.held, ring.bytes)
        row = (await tx.execute(counted)).one()
        if row.held > self._max_letters or row.bytes > self._max_bytes:
            await self._evict(tx, row.held - self._max_letters * 99 // 100, row.bytes - self._max_bytes * 99 // 100)

    async def _evict(self, tx: AsyncConnection, letters: int, size: int) -> None:
        oldest = select(dead_letters.c.id, dead_letters.c.size).where(dead_letters.c.tenant_id == HOME).order_by(dead_letters.c.id)
        while letters > 0 or size > 0:
            ids = []
            for row in await tx.execute(oldest.limit(500)):
                if letters <= 0 and size <= 0:
                    break
                ids.append(row.id)
                letters, size = letters - 1, size - row.size
            if not ids:
                return
            await _remove(tx, ids, gone=True)


async def _remove(tx: AsyncConnection, ids: Sequence[int], gone: bool) -> int:
    query = delete(dead_letters).where(dead_letters.c.tenant_id == HOME, dead_letters.c.id.in_(ids)).returning(dead_letters.c.size)
    sizes = list((await tx.execute(query)).scalars())
    ring = dead_letter_ring.c
    left = {"held": ring.held - len(sizes), "bytes": ring.bytes - sum(sizes), "gone": ring.gone + (len(sizes) if gone else 0)}
    await tx.execute(update(dead_letter_ring).where(ring.tenant_id == HOME).values(left))
    return len(sizes)


def of_row(row: Row, source: str, reason: str, at_ms: int) -> DeadLetter:
    """The letter of a reading that storage did not take, as the decoder of "reading" replays it."""
    start = None if row.from_ms is None else _instant(row.from_ms)
    raw = {"quantity": row.series.quantity, "value": row.value, "at": _instant(row.at_ms), "start": start}
    device = row.series.device
    return DeadLetter(
        format="reading", address=device, source=source, reason=reason, raw=json.dumps(raw).encode(), at_ms=at_ms, device=device
    )


def _instant(at_ms: int) -> str:
    try:
        return iso(at_ms)
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"  # no calendar has it: for people, and refused again by the decoder


def _values(letter: DeadLetter) -> tuple[Any, ...]:
    texts = [_clean(text) for text in (letter.source, letter.reason, letter.format, letter.address)]
    size = OVERHEAD + len(letter.raw) + sum(map(len, texts))
    device = None if letter.device is None else _clean(letter.device)
    return (HOME, letter.at_ms, *texts, device, size, letter.raw)


def _clean(text: str) -> str:
    """A text that every engine takes: PostgreSQL knows no NUL, none knows half a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _kept(row: Any) -> Kept:
    letter = DeadLetter(
        format=row.format,
        address=row.address,
        source=row.source,
        reason=row.reason,
        raw=bytes(row.raw),
        at_ms=row.at_ms,
        device=row.device_id,
    )
    return Kept(row.id, letter)
