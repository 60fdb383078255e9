"""Tells people: a notice goes into the outbox in somebody's transaction, and the sender does the rest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, Unsupported
from ohmstead.core.notice import Notice
from ohmstead.core.plugin import Channel
from ohmstead.plugins.notifiers.addresses import Addresses
from ohmstead.plugins.notifiers.book import Book, Goal
from ohmstead.plugins.notifiers.channels import app, mail, push, services
from ohmstead.plugins.notifiers.channels.webhook import Webhook
from ohmstead.plugins.notifiers.deliveries import Deliveries
from ohmstead.plugins.notifiers.inbox import Inbox
from ohmstead.plugins.notifiers.letter import Letters
from ohmstead.plugins.notifiers.routing import NOBODY, Routing
from ohmstead.plugins.notifiers.sender import RATE, Sender
from ohmstead.plugins.notifiers.subscriptions import Subscriptions
from ohmstead.plugins.notifiers.unsubscribe import Unsubscribe
from ohmstead.plugins.people.address import shown
from ohmstead.plugins.people.recipient import Recipient
from ohmstead.plugins.people.schema import OWNER
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.people.people import People
    from ohmstead.plugins.protocols.http import Http
    from ohmstead.plugins.storage.storage import Storage

THREADS = 16  # for libraries that block
LOOK_S = 0.1  # between two looks at a notice somebody waits for
KEPT_MS = 90 * 86_400_000  # how long notices and the log of deliveries are kept


class Notifiers:
    """The outbox, the channels and the log."""

    def __init__(self, storage: Storage, people: People, bus: Bus, clock: Clock, data_dir: Path, http: Http) -> None:
        self.people, self._clock = people, clock
        self._threads = ThreadPoolExecutor(THREADS, "ThreadPoolExecutor-notify")
        self._book = Book(storage)
        self.addresses = Addresses(storage, clock)
        self.inbox = Inbox(storage, clock)
        self.deliveries = Deliveries(storage)
        self.subscriptions = Subscriptions(storage, people.vault, clock)
        self.unsubscribe = Unsubscribe(people.vault, self.addresses, clock)
        self.routing = Routing()
        self._mail, self._webhook = mail.Mail(self._threads, Letters()), Webhook(http)
        self.push = push.Push(http, clock, data_dir / "vapid.pem", self.subscriptions.find, self.subscriptions.forget)
        self._app = app.App(self.inbox, bus)
        self.sender = Sender(
            storage, self._book, self.addresses, people, self.routing, bus, clock, runner=f"{socket.gethostname()}:{data_dir.resolve()}",
            unsubscribe=self.unsubscribe.link, paused=self._paused,
        )  # fmt: skip
        self._storage = storage

    def channels(self) -> list[Channel]:
        """The channels that come with Ohmstead."""
        rest = services.Services(self._threads)
        return [each.channel() for each in (self._app, self._mail, self._webhook, self.push, rest)]

    async def apply(self, given: Mapping[str, Any] | None) -> None:
        """Put the `notifications:` section in force."""
        found = given or {}
        self._mail.account, self._webhook.secret = found.get("email"), found.get("webhook_secret")
        self.push.contact = found.get("push_contact", self.push.contact)
        self.sender.rate = found.get("rate_limit", RATE)

    def warm(self) -> None:
        """Look at an address of each kind in a thread: that imports what the first messages would wait for, by a second."""
        addresses = {self._look(address): address for who in self.people for address in who.everywhere()}
        for look, address in addresses.items():
            if look is not None:
                self._threads.submit(look, address)

    async def send(self, notice: Notice) -> int | None:
        """Put a notice into the outbox; its id, or None when one with its key was told before."""
        return await self._storage.write(lambda tx: self.enqueue(tx, notice), urgent=True)  # type: ignore[no-any-return]

    async def enqueue(self, tx: AsyncConnection, notice: Notice) -> int | None:
        """The same inside a transaction of `storage.write`: what is told and why it is told are committed together."""
        return (await self.enqueue_all(tx, [notice]))[0]

    async def enqueue_all(self, tx: AsyncConnection, notices: Sequence[Notice]) -> list[int | None]:
        """The same for many at once, which costs little more than for one."""
        browsers = await self.subscriptions.all(tx)
        told = [(notice, list(self._goals(notice, browsers))) for notice in notices]
        added = await self._book.add(tx, told, self._clock.now_ms())
        self.sender.wake()
        return added

    async def digests(self) -> int:
        """Send the digests whose hour has come; how many notices are in them."""
        now_ms = self._clock.now_ms()
        count: int = await self._storage.write(lambda tx: self._book.release(tx, now_ms))
        self.sender.wake()
        return count

    async def mistake(self, address: str) -> str | None:
        """What keeps every message to an address from being sent, None when nothing is known to; said without the address."""
        look = self._look(address)
        if look is None:
            return None
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, look, address)
        except Unsupported as error:
            return f"{shown(address)}: {error}"
        return None

    def _look(self, address: str) -> Callable[[str], object] | None:
        """What reads an address and raises Unsupported for one that is none."""
        looks: Mapping[str, Callable[[str], object]] = {"email": mail.read, "apprise": services.service_of}
        return looks.get(self.routing.name(address)) if "://" in address else None

    async def prune(self) -> int:
        """Forget what is old; how many notices."""
        return await self._book.prune(self._clock.now_ms() - KEPT_MS)

    async def settled(self, notice_id: int, within_s: float) -> list[dict[str, Any]]:
        """What became of a notice, once nothing of it is under way any more or time is up."""
        until = self._clock.monotonic() + within_s
        while True:
            found = await self.deliveries.of_notice(notice_id)
            done = all(each["status"] != "pending" or each.get("waits_for") or each.get("answer") for each in found)
            if done or self._clock.monotonic() >= until:
                return found
            await self._clock.sleep(LOOK_S)

    async def push_key(self) -> str:
        """The key browsers subscribe with, made at first use. Invalid without the extra."""
        try:
            return await asyncio.to_thread(self.push.public_key)
        except Unsupported as error:
            raise Invalid(str(error)) from None

    def close(self) -> None:
        """Let go of the threads; one that hangs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _goals(self, notice: Notice, browsers: Mapping[str, Sequence[str]]) -> Iterator[Goal]:
        """Every address once, whoever it was found through."""
        seen: set[str] = set()
        for who in self._recipients(notice):
            addresses = list(who.addresses(notice.kind))
            if who.person is not None:
                addresses = [app.ADDRESS, *addresses, *browsers.get(who.person, ())]
            for address in addresses:
                key = self.people.vault.name(f"{app.ADDRESS}{who.id}" if address == app.ADDRESS else address)
                if key not in seen:
                    seen.add(key)
                    yield Goal(who.id, who.person, self.people.vault.seal(address), key)

    def _recipients(self, notice: Notice) -> Iterator[Recipient]:
        for recipient in notice.recipients or (OWNER,):
            try:
                yield from self.people.resolve(recipient)
            except Invalid:  # somebody who was removed since: the log says so, and whoever tells goes on
                who = self.people.person(OWNER)
                yield Recipient(recipient[:64], recipient[:64], None, who.zone, {notice.kind: (f"{NOBODY}://{recipient[:64]}",)})

    async def _paused(self, place: str, key: str, answer: str) -> None:
        """Say that an address is not used any more."""
        body = f"Messages to {place} were refused for good several times in a row, the last with: {answer}\nNo more are sent there."
        key = f"paused:{key}:{self._clock.now_ms()}"
        await self.send(Notice("system", f"{place} is paused", body, "high", key=key))
