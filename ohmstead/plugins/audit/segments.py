"""Pruning: the oldest entries go into a file that is verified, and a sealed checkpoint stands for them."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select

from ohmstead.core.errors import ConfigError
from ohmstead.plugins.audit.chain import Chain, link_of
from ohmstead.plugins.audit.entry import GENESIS, Link, sealed
from ohmstead.plugins.audit.tables import checkpoints, entries, personal
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

SEGMENT = 50_000  # entries of one file
CHUNK = 5_000  # rows a transaction deletes


class Segments:
    """Archives entries of one tenant below `folder`. Nobody may verify or prune at the same time."""

    def __init__(self, storage: Storage, chain: Chain, folder: Path) -> None:
        self._storage, self._chain, self._folder = storage, chain, folder
        self._mine = entries.c.tenant_id == chain.tenant

    async def prune(self, before_ms: int, now_ms: int) -> int:
        """Archive and delete what lies before the first entry that is not older than `before_ms`; how many entries.

        ConfigError, and nothing is deleted, when the chain does not hold or the file cannot be written. The newest entry stays.
        """
        count = 0
        while True:
            rows, start, hash_ = await self._oldest(before_ms)
            if not rows:
                return count
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            file = self._folder / f"{start + 1:012}-{rows[-1].number:012}.jsonl.gz"
            digest = await asyncio.to_thread(_write, file, rows, self._chain.tenant, hash_)
            await self._cut(start + 1, rows[-1], file.name, digest, now_ms)
            count += len(rows)

    async def _oldest(self, before_ms: int) -> tuple[Sequence[Row[Any]], int, bytes]:
        async with self._storage.read() as tx:
            head, cut = await self._chain.ends(tx)
            start, hash_ = (cut[-1].number, cut[-1].hash) if cut else (0, GENESIS)
            behind = (self._mine, entries.c.number > start)
            kept = await tx.scalar(select(func.min(entries.c.number)).where(*behind, entries.c.at_ms >= before_ms))
            newest = head.number if head is not None else 0
            last = min(newest if kept is None else kept, newest) - 1
            return (await self._chain.read(tx, start, last, SEGMENT) if last > start else ()), start, hash_

    async def _cut(self, first: int, last: Row[Any], file: str, digest: str, now_ms: int) -> None:
        seal = self._chain.key.checkpoint(self._chain.tenant, first, last.number, last.hash, digest)
        values = {"tenant_id": self._chain.tenant, "number": last.number, "at_ms": now_ms, "first": first, "hash": last.hash,
                  "file": file, "digest": digest, "seal": seal}  # fmt: skip

        async def cut(tx: AsyncConnection) -> None:
            await tx.execute(insert(checkpoints).values(values))

        await self._storage.write(cut)
        for up_to in (*range(first + CHUNK, last.number + 1, CHUNK), last.number + 1):
            await self._storage.write(partial(self._delete, up_to))

    async def _delete(self, up_to: int, tx: AsyncConnection) -> None:
        gone = (self._mine, entries.c.number < up_to)
        beside = select(entries.c.personal).where(*gone, entries.c.personal.is_not(None))
        await tx.execute(delete(personal).where(personal.c.tenant_id == self._chain.tenant, personal.c.id.in_(beside)))
        await tx.execute(delete(entries).where(*gone))


def read(file: Path) -> Iterator[tuple[Link, str]]:
    """The entries of an archived file in their order, with their hashes in hex."""
    with gzip.open(file, "rb") as lines:
        for line in lines:
            values = _DECODER.decode(line)
            yield msgspec.convert(values[:-1], Link), values[-1]


def _write(file: Path, rows: Sequence[Row[Any]], tenant: int, hash_: bytes) -> str:
    """Write entries that follow `hash_`, and read them again; the digest of the file. ConfigError when they are no chain."""
    draft = file.with_name(f".{file.name}.part")
    with draft.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as lines:
        for row in rows:
            lines.write(msgspec.json.encode([*msgspec.structs.astuple(link_of(row)), row.hash.hex()]) + b"\n")
    for link, stored in read(draft):
        hash_ = sealed(tenant, hash_, link)
        if hash_.hex() != stored:
            raise ConfigError(f"audit log: entry {link.number} is not as it was written, so nothing is pruned; see ohmstead audit verify")
    if hash_ != rows[-1].hash:
        raise ConfigError(f"{draft}: what was written there cannot be read again; nothing is pruned")
    with draft.open("rb") as written:
        os.fsync(written.fileno())
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    draft.replace(file)
    return digest


_DECODER: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list)
