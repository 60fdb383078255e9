"""The invoices that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.billing.reconcile.invoice import Invoice, invoice, shown
from ohmstead.plugins.billing.reconcile.schemas import INVOICE
from ohmstead.plugins.billing.reconcile.tables import invoices as table
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohmstead.plugins.billing.contracts import Contracts
    from ohmstead.plugins.storage.storage import Storage

_SCHEMA = vol.Schema(INVOICE)


class Invoices:
    """The rows of one tenant."""

    def __init__(self, storage: Storage, contracts: Contracts, clock: Clock) -> None:
        self._storage, self._contracts, self._clock = storage, contracts, clock
        self._tenant = table.c.tenant_id == storage.tenant_id

    def checked(self, given: Mapping[str, Any]) -> Invoice:
        """The invoice that validated options describe. NotFound for its contract; Invalid for what cannot be."""
        contract = self._contracts.get(given["contract"])
        made = invoice(given, contract.zone, contract.currency)
        now = self._clock.now_ms()
        if made.end_ms > now:
            message = "the period is not over yet; expected that of energy that was used"
            raise Invalid(f"end: {message}", [{"path": "end", "message": message}])
        return made

    async def add(self, made: Invoice, author: str) -> None:
        """Keep a new one. Conflict when its id is taken."""
        row = {**self._row(made), "tenant_id": self._storage.tenant_id, "author": author}
        try:
            await self._storage.write(lambda tx: _run(tx, insert(table).values(row)))
        except IntegrityError:
            raise Conflict(f"invoice {made.id!r} is there already; change it, or give this one another id") from None

    async def change(self, made: Invoice) -> None:
        """Put it in the place of the one with its id. NotFound."""
        statement = update(table).where(self._tenant, table.c.id == made.id).values(self._row(made))
        _there(await self._storage.write(lambda tx: _run(tx, statement)), made.id)

    async def remove(self, slug: str) -> None:
        """Forget one. NotFound."""
        _there(await self._storage.write(lambda tx: _run(tx, delete(table).where(self._tenant, table.c.id == slug))), slug)

    async def get(self, slug: str) -> Invoice:
        """One of them. NotFound, also when its contract has gone."""
        async with self._storage.read() as connection:
            body = await connection.scalar(select(table.c.body).where(self._tenant, table.c.id == slug))
        if body is None:
            raise NotFound(f"there is no invoice {slug[:64]!r}")
        return self._read(body)

    async def listing(self, contract: str | None, after: str | None, limit: int) -> list[dict[str, Any]]:
        """Invoices as they were entered, in order of their ids, those behind `after`."""
        query = select(table.c.body).where(self._tenant).order_by(table.c.id).limit(limit)
        if contract is not None:
            query = query.where(table.c.contract_id == contract)
        if after is not None:
            query = query.where(table.c.id > after)
        async with self._storage.read() as connection:
            return [msgspec.json.decode(body) for body in (await connection.execute(query)).scalars()]

    async def since(self, at_ms: int) -> list[Invoice]:
        """All that end after an instant and whose contract is there."""
        query = select(table.c.body, table.c.contract_id).where(self._tenant, table.c.end_ms > at_ms).order_by(table.c.id)
        async with self._storage.read() as connection:
            found = (await connection.execute(query)).all()
        return [self._read(row.body) for row in found if row.contract_id in self._contracts]

    def _row(self, made: Invoice) -> dict[str, Any]:
        return {
            "id": made.id, "contract_id": made.contract, "start_ms": made.start_ms, "end_ms": made.end_ms,
            "body": msgspec.json.encode(shown(made)).decode(), "recorded_ms": self._clock.now_ms(),
        }  # fmt: skip

    def _read(self, body: str) -> Invoice:
        given = _SCHEMA(_said(msgspec.json.decode(body)))
        contract = self._contracts.get(given["contract"])
        return invoice({**given, "currency": contract.currency}, contract.zone, contract.currency)


def _said(value: Any) -> Any:
    """Without what is null."""
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items() if each is not None}
    return [_said(each) for each in value] if isinstance(value, list) else value


async def _run(tx: AsyncConnection, statement: Any) -> int:
    return int((await tx.execute(statement)).rowcount)


def _there(count: int, slug: str) -> None:
    if not count:
        raise NotFound(f"there is no invoice {slug[:64]!r}")
