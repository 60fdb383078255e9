"""The people of the house: stated in the YAML, with what they chose themselves laid over it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import delete, insert, select

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, NotFound, Unsupported
from ohmstead.core.notice import KINDS
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.people.address import is_address, shown
from ohmstead.plugins.people.hours import quiet
from ohmstead.plugins.people.recipient import Recipient
from ohmstead.plugins.people.schema import OWNER
from ohmstead.plugins.people.tables import preferences
from ohmstead.plugins.people.vault import Vault
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

KEY = "notifications.key"
WISHES = ("notify", "quiet_hours", "digest", "time_zone")
Wishes = Mapping[str, Any]


class People:
    """Everybody who can be told. There is always an owner. `zone` gives the house's IANA zone."""

    def __init__(self, storage: Storage, clock: Clock, data_dir: Path, zone: Callable[[], str]) -> None:
        self._storage, self._clock, self._data_dir, self._zone = storage, clock, data_dir, zone
        self.vault = Vault()
        self._stated: dict[str, Wishes] = {OWNER: {}}
        self._chosen: dict[str, Wishes] = {}

    async def open(self) -> None:
        """Take in what people chose. What was sealed with another key is named in the log and left alone."""
        self.vault.open(self._data_dir / KEY)
        query = select(preferences.c.person, preferences.c.chosen).where(preferences.c.tenant_id == self._storage.tenant_id)
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
        for person, sealed in rows:
            try:
                self._chosen[person] = msgspec.json.decode(self.vault.unseal(sealed))
            except Unsupported as error:
                log.warning("what %s chose cannot be read: %s", person, error)

    async def apply(self, stated: Mapping[str, Wishes] | None) -> None:
        """Put the `people:` section in force."""
        self._stated = {OWNER: {}, **(stated or {})}

    def __iter__(self) -> Iterator[Recipient]:
        return (self.person(id_) for id_ in sorted(self._stated))

    def __contains__(self, id_: str) -> bool:
        return id_ in self._stated

    def person(self, id_: str) -> Recipient:
        """A person, as stated and as they chose. NotFound."""
        if id_ not in self._stated:
            raise NotFound(f"there is no person {id_[:64]!r}.{did_you_mean(id_, self._stated)}")
        stated = self._stated[id_]
        wishes = {**stated, **self._chosen.get(id_, {})}
        hours = wishes.get("quiet_hours")
        return Recipient(
            id_, stated.get("name") or id_.capitalize(), id_, self._in_zone(wishes.get("time_zone")),
            {kind: tuple(some) for kind, some in wishes.get("notify", {}).items()},
            (id_, *stated.get("roles", ())), quiet(hours) if hours else None, wishes.get("digest", "off"),
        )  # fmt: skip

    def resolve(self, recipient: str) -> tuple[Recipient, ...]:
        """Who an id of a person, a role, or a plain address stands for; Invalid when it is none of them."""
        if recipient in self._stated:
            return (self.person(recipient),)
        if found := tuple(person for person in self if recipient in person.roles):
            return found
        if is_address(recipient):
            return (Recipient(shown(recipient), shown(recipient), None, self._in_zone(None), dict.fromkeys(KINDS, (recipient,))),)
        known = sorted({role for person in self for role in person.roles})
        raise Invalid(f"there is no person, role or address {recipient[:64]!r}.{did_you_mean(recipient, known)}")

    def chosen(self, id_: str) -> list[str]:
        """Which of the wishes somebody chose, the others being the YAML's."""
        return [wish for wish in WISHES if wish in self._chosen.get(id_, {})]

    async def choose(self, id_: str, given: Wishes) -> Recipient:
        """Lay wishes over the YAML's; None for one takes it back. In `notify` the name of an address they have stands for it.

        NotFound, Invalid.
        """
        before = self.person(id_)
        fresh = {**self._chosen.get(id_, {}), **given}
        if fresh.get("notify") is not None:
            known = {self.vault.name(address): address for address in before.everywhere()}
            fresh["notify"] = {kind: [_address(text, known) for text in some] for kind, some in fresh["notify"].items()}
        kept = {wish: value for wish, value in fresh.items() if value is not None}
        await self._storage.write(lambda tx: self._put(tx, id_, kept))
        self._chosen[id_] = kept
        return self.person(id_)

    async def _put(self, tx: AsyncConnection, id_: str, kept: Wishes) -> None:
        row = {"tenant_id": self._storage.tenant_id, "person": id_}
        await tx.execute(delete(preferences).filter_by(**row))
        if kept:
            sealed = self.vault.seal(msgspec.json.encode(kept).decode())
            await tx.execute(insert(preferences).values(**row, chosen=sealed, changed_ms=self._clock.now_ms()))

    def _in_zone(self, zone: str | None) -> ZoneInfo:
        return ZoneInfo(zone or self._zone())


def _address(text: str, known: Mapping[str, str]) -> str:
    address = known.get(text, text)
    if not is_address(address):
        raise Invalid("expected an address: the URL of a service, such as tgram://…, an e-mail address, or the name of one you have")
    return address
