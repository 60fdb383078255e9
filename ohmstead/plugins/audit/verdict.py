"""Checking the chain from its oldest entry to its newest, a piece at a time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Row, func, select

from ohmstead.plugins.audit.chain import SEAL_BROKEN, Chain, link_of, named
from ohmstead.plugins.audit.entry import GENESIS, sealed
from ohmstead.plugins.audit.tables import entries

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

PIECE = 2_000  # entries looked at in one go


class Verdict(msgspec.Struct, frozen=True):
    """What verify found. `broken` is the number of the first entry that is not as it was written, and `why` says how.

    `checked` entries are in the database, `archived` ones before them in files. `head` is the hash of the newest one, hex:
    noted down elsewhere, it proves even against whoever has the key.
    """

    ok: bool
    checked: int
    archived: int
    newest: int
    head: str
    files_missing: tuple[str, ...] = ()
    broken: int | None = None
    why: str | None = None


class Broken(Exception):
    """The chain does not hold at entry `number`."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number


class Verifier:
    """Verifies the chain of one tenant. Nothing may be pruned meanwhile; entries that come meanwhile are left for the next time."""

    def __init__(self, storage: Storage, chain: Chain, archive: Path) -> None:
        self._storage, self._chain, self._archive = storage, chain, archive
        self._key, self._tenant = chain.key, chain.tenant

    async def run(self) -> Verdict:
        """Everything there is."""
        async with self._storage.snapshot() as tx:
            head, cut = await self._chain.ends(tx)
            newest = await tx.scalar(select(func.max(entries.c.number)).where(entries.c.tenant_id == self._tenant))
        number, hash_ = (head.number, head.hash) if head is not None else (0, GENESIS)
        archived, checked = 0, [0]
        missing: tuple[str, ...] = ()
        broken: Broken | None = None
        try:
            missing = await self._checkpoints(cut)
            archived = cut[-1].number if cut else 0
            if head is None and newest is not None:
                raise Broken(newest, "the row that says where the log ends is gone")
            await self._walk(archived, cut[-1].hash if cut else GENESIS, number, hash_, checked)
            if head is not None and not hmac.compare_digest(head.seal, self._key.head(self._tenant, number, hash_)):
                raise Broken(number, "the log ends here without the seal of this house: it was written or cut off by somebody else")
            if newest is not None and newest > number:
                raise Broken(number + 1, "it was put behind the end of the log")
        except Broken as error:
            broken = error
        return Verdict(broken is None, checked[0], archived, number, hash_.hex(), missing,
                       None if broken is None else broken.number, None if broken is None else str(broken))  # fmt: skip

    async def _checkpoints(self, cut: Sequence[Row[Any]]) -> tuple[str, ...]:
        """The seals of all checkpoints, and the files that are still here; the names of those that are not."""
        before, missing = 0, []
        for row in cut:
            seal = self._key.checkpoint(self._tenant, row.first, row.number, row.hash, row.digest)
            if row.first != before + 1 or not hmac.compare_digest(row.seal, seal):
                raise Broken(row.first, "the checkpoint that stands for it is not one that this house made")
            digest = await asyncio.to_thread(_digest, self._archive / row.file)
            if digest is None:
                missing.append(row.file)
            elif digest != row.digest:
                raise Broken(row.first, f"the archived file {row.file} is not as it was written")
            before = row.number
        return tuple(missing)

    async def _walk(self, number: int, hash_: bytes, last: int, end: bytes, checked: list[int]) -> None:
        while number < last:
            async with self._storage.read() as tx:
                rows = await self._chain.read(tx, number, last, PIECE)
            if not rows:
                raise Broken(number + 1, "it is missing")
            number, hash_ = await asyncio.to_thread(self._piece, rows, number, hash_, checked)
        if hash_ != end:
            raise Broken(number, "it is not the one that the log ends with")

    def _piece(self, rows: Sequence[Row[Any]], number: int, hash_: bytes, checked: list[int]) -> tuple[int, bytes]:
        for row in rows:
            number += 1
            if row.number != number:
                raise Broken(number, "it is missing")
            hash_ = sealed(self._tenant, hash_, link_of(row))
            if hash_ != row.hash:
                raise Broken(number, "it is not as it was written")
            if row.aside is not None and named(row.salt, row.aside) != row.personal:
                raise Broken(number, "the personal data kept beside it are not as they were written")
            if row.type == SEAL_BROKEN:
                raise Broken(number, "when it was written, the log before it did not end with the seal of this house")
            checked[0] += 1
        return number, hash_


def _digest(path: Path) -> str | None:
    """SHA-256 of a file, hex; None when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
