"""The bills that are kept: drafts of ended periods, and those that were issued, which never change again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, delete, insert, select, update

from ohmstead.plugins.billing.tables import bills
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.storage import Storage

DRAFT, ISSUED, ADJUSTED = "draft", "issued", "adjusted"
_SUMMARY = tuple(column for column in bills.c if column.name not in ("tenant_id", "body", "slots"))


class Entry(msgspec.Struct, frozen=True):
    """A bill without its body. `total_micro` is in millionths of the currency; `adjusts` the issued bill that it corrects."""

    id: str
    contract_id: str
    start_ms: int
    end_ms: int
    status: str
    adjusts: str | None
    currency: str
    total_micro: int
    digest: str
    made_ms: int
    issued_ms: int | None = None
    issued_by: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """A bill with its body, the JSON of it, and with the slots it was made of (see snapshot.py)."""

    entry: Entry
    body: str
    slots: bytes


Join = Callable[[AsyncConnection, Entry], Awaitable[None]]


class BillBook:
    """The rows of one tenant."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.joins: list[Join] = []  # told of every bill that is issued, in the transaction that keeps it
        self._tenant = bills.c.tenant_id == storage.tenant_id

    async def listing(self, contract: str | None, after: str | None, limit: int) -> list[Entry]:
        """Bills, newest period first, those behind the bill `after`."""
        query = select(*_SUMMARY).where(self._tenant).order_by(bills.c.start_ms.desc(), bills.c.id).limit(limit)
        if contract is not None:
            query = query.where(bills.c.contract_id == contract)
        if after is not None and (last := await self.find(after)) is not None:
            same = (bills.c.start_ms == last.entry.start_ms) & (bills.c.id > after)
            query = query.where((bills.c.start_ms < last.entry.start_ms) | same)
        return [_entry(row) for row in await self._rows(query)]

    async def find(self, bill: str) -> Kept | None:
        """A bill by its id, or None."""
        rows = await self._rows(select(*_SUMMARY, bills.c.body, bills.c.slots).where(self._tenant, bills.c.id == bill))
        return Kept(_entry(rows[0][:-2]), rows[0][-2], rows[0][-1]) if rows else None

    async def chain(self, bill: str) -> list[Entry]:
        """An issued bill and its adjustments, in the order they were issued."""
        query = select(*_SUMMARY).where(self._tenant, (bills.c.id == bill) | (bills.c.adjusts == bill), bills.c.status != DRAFT)
        return [_entry(row) for row in await self._rows(query.order_by(bills.c.issued_ms, bills.c.id))]

    async def issued(self, contracts: Sequence[str], start_ms: int, end_ms: int) -> list[Entry]:
        """The issued bills of contracts that overlap a span, without adjustments."""
        query = select(*_SUMMARY).where(
            self._tenant, bills.c.contract_id.in_(contracts), bills.c.status != DRAFT, bills.c.adjusts.is_(None),
            bills.c.start_ms < end_ms, bills.c.end_ms > start_ms,
        )  # fmt: skip
        return [_entry(row) for row in await self._rows(query.order_by(bills.c.start_ms, bills.c.id))]

    async def put(self, *kept: Kept, adjusted: str | None = None) -> None:
        """Keep bills over drafts of the same id; what is issued stays. `adjusted` is marked as such with them."""

        async def write(tx: AsyncConnection) -> None:
            for each in kept:
                await self._put(tx, each)
            if adjusted is not None:
                await tx.execute(update(bills).where(self._tenant, bills.c.id == adjusted).values(status=ADJUSTED))

        await self._storage.write(write)

    async def _put(self, tx: AsyncConnection, kept: Kept) -> None:
        await tx.execute(delete(bills).where(self._tenant, bills.c.id == kept.entry.id, bills.c.status == DRAFT))
        values = {**msgspec.structs.asdict(kept.entry), "body": kept.body, "slots": kept.slots}
        there = await tx.scalar(select(bills.c.id).where(self._tenant, bills.c.id == kept.entry.id))
        if there is None:
            await tx.execute(insert(bills).values(tenant_id=self._storage.tenant_id, **values))
            for join in self.joins if kept.entry.status != DRAFT else ():
                await join(tx, kept.entry)

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        async with self._storage.read() as connection:
            found: Sequence[Any] = (await connection.execute(query)).all()
        return found


def _entry(row: Any) -> Entry:
    return Entry(*row)
