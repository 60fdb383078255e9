"""Tariffs that people make over the API, kept as they were written; a version is never changed, only superseded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol
from sqlalchemy import insert, select, update

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Conflict, Invalid, NotFound, Rejected
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.tariffs.prices.tables import tariffs, versions
from ohmstead.plugins.tariffs.registry import API, Tariffs
from ohmstead.plugins.tariffs.schema import EVER, TARIFF_KEYS

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

Document = dict[str, Any]  # a tariff as the API takes it: name, currency, versions
Guard = Callable[[str], None]


class TariffRecords:
    """Puts them in the database and in force. `guards` may raise Conflict for a tariff that is to be removed."""

    def __init__(self, tariffs_: Tariffs, storage: Storage, clock: Clock) -> None:
        self._tariffs, self._storage, self._clock = tariffs_, storage, clock
        self._documents: dict[str, Document] = {}
        self._counts: dict[str, int] = {}  # versions ever recorded under an id, those of a removed tariff too
        self.guards: list[Guard] = []

    async def open(self) -> None:
        """Put in force what the database holds. What no longer can be, is named in the log and left alone."""
        mine = (tariffs.c.tenant_id == self._storage.tenant_id, versions.c.tenant_id == self._storage.tenant_id)
        query = select(versions.c.tariff, versions.c.document, versions.c.number, tariffs.c.removed_ms, tariffs.c.head, tariffs.c.first)
        query = query.join(tariffs, tariffs.c.id == versions.c.tariff).where(*mine).order_by(versions.c.tariff, versions.c.number)
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
        for id_, document, number, removed_ms, head, first in rows:
            self._counts[id_] = number
            if removed_ms is None and number >= first:
                whole = self._documents.setdefault(id_, {**msgspec.json.decode(head), "versions": []})
                whole["versions"].append(msgspec.json.decode(document))
        for id_, document in self._documents.items():
            try:
                self._tariffs.put(self._compiled(id_, document))
            except Rejected as error:
                log.warning("tariff %s cannot be used: %s %s", id_, error, error.details or "")

    def document(self, id_: str) -> Document:
        """A tariff as it was written; NotFound."""
        if id_ not in self._documents:
            raise NotFound(f"no tariff {id_[:64]!r} was made over the API")
        return self._documents[id_]

    async def make(self, id_: str, given: Mapping[str, Any], author: str) -> None:
        """A new tariff, already validated. Conflict when the id is taken."""
        if id_ in self._tariffs or id_ in self._documents:
            raise Conflict(f"tariff {id_!r} exists already; record a new version of it, or choose another id")
        document = {**_whole(given)}
        document["versions"] = [self._recorded(version) for version in document["versions"]]
        tariff = self._compiled(id_, document)
        head = {key: value for key, value in document.items() if key != "versions"}
        first = self._counts.get(id_, 0) + 1

        async def write(tx: AsyncConnection) -> None:
            row = {"created_ms": self._clock.now_ms(), "removed_ms": None, "head": _json(head), "first": first}
            if first > 1:
                await tx.execute(update(tariffs).where(*self._is(id_)).values(row))
            else:
                await tx.execute(insert(tariffs).values(tenant_id=self._storage.tenant_id, id=id_, **row))
            for number, version in enumerate(document["versions"], first):
                await self._insert(tx, id_, number, version, author)

        await self._storage.write(write)
        self._counts[id_] = first + len(document["versions"]) - 1
        self._documents[id_] = document
        self._tariffs.put(tariff)

    async def supersede(self, id_: str, version: Mapping[str, Any], author: str) -> None:
        """Record one more version. NotFound, Conflict for a tariff of the YAML, Invalid where it clashes with the others."""
        if id_ not in self._documents:
            raise Conflict(f"tariff {self._tariffs.get(id_).id} is defined in the configuration; change it there")
        before = self._documents[id_]
        recorded = self._recorded(version)
        document = {**before, "versions": [*before["versions"], recorded]}
        tariff = self._compiled(id_, document)
        number = self._counts[id_] + 1
        await self._storage.write(lambda tx: self._insert(tx, id_, number, recorded, author))
        self._counts[id_] = number
        self._documents[id_] = document
        self._tariffs.put(tariff)

    async def remove(self, id_: str) -> None:
        """Take a tariff out of use; its versions stay in the database. NotFound, Conflict."""
        if id_ not in self._documents:
            raise Conflict(f"tariff {self._tariffs.get(id_).id} is defined in the configuration; remove it there")
        for guard in self.guards:
            guard(id_)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(update(tariffs).where(*self._is(id_)).values(removed_ms=self._clock.now_ms()))

        await self._storage.write(write)
        del self._documents[id_]
        self._tariffs.remove(id_)

    def _recorded(self, version: Mapping[str, Any]) -> dict[str, Any]:
        """With the instant at which it is recorded, unless it states that itself."""
        return {"recorded": iso(self._clock.now_ms()), **version}

    def _compiled(self, id_: str, document: Document) -> Any:
        try:
            return self._tariffs.compiled(id_, self._tariffs.check(document), API)
        except vol.MultipleInvalid as error:
            places = [{"path": ".".join(map(str, each.path)), "message": each.msg} for each in error.errors]
            raise Invalid("the tariff is not right", places) from error

    def _is(self, id_: str) -> tuple[Any, Any]:
        return tariffs.c.tenant_id == self._storage.tenant_id, tariffs.c.id == id_

    async def _insert(self, tx: AsyncConnection, id_: str, number: int, version: Mapping[str, Any], author: str) -> None:
        row = {"tariff": id_, "number": number, "recorded_ms": self._clock.now_ms(), "author": author, "document": _json(version)}
        await tx.execute(insert(versions).values(tenant_id=self._storage.tenant_id, **row))


def _whole(given: Mapping[str, Any]) -> Document:
    """A tariff that was written with its one version in it, with a list of that."""
    if "versions" in given:
        return dict(given)
    head = {key: value for key, value in given.items() if key in TARIFF_KEYS}
    return {**head, "versions": [{"from": EVER.isoformat(), **{key: value for key, value in given.items() if key not in head}}]}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
