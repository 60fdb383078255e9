"""Sends what waits: forms messages, claims them, hands each to its channel, and notes how that went.

A message is written down before it is first tried, with the id it will carry, and each attempt is written down before
it begins. So a crash loses none, and a crash between the other side's yes and our note of it repeats one message, with
the same id, marked as repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, OhmsteadError, Refused, Unanswered, Unavailable, Unsupported
from ohmstead.core.notice import Message
from ohmstead.core.supervise import Task
from ohmstead.plugins.notifiers import compose
from ohmstead.plugins.notifiers.addresses import Addresses, Known
from ohmstead.plugins.notifiers.book import Book
from ohmstead.plugins.notifiers.channels.app import SCHEME as APP
from ohmstead.plugins.notifiers.events import NotificationFailed, NotificationSent
from ohmstead.plugins.notifiers.plan import Hold, Waiting, Wishes, plan
from ohmstead.plugins.notifiers.routing import Routing
from ohmstead.plugins.people.address import shown
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.people.people import People
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

AT_ONCE = 8  # messages under way
LIMIT_S = 30.0  # for one attempt
WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400)  # before each further attempt; then it has failed
LOOK_S = 30.0  # the longest nap: the clock may jump, and others may add to the outbox
RATE = 20  # messages an hour to one address, unless the configuration says otherwise

Unsubscribe = Callable[[str, str], str | None]  # address key, kind -> the address of a page
Paused = Callable[[str, str, str], Awaitable[None]]  # place, key, answer


class Sender:
    """One process's sender. `runner` is its name, which outlives a restart and nobody else has."""

    def __init__(self, storage: Storage, book: Book, addresses: Addresses, people: People, routing: Routing, bus: Bus, clock: Clock,
                 runner: str, unsubscribe: Unsubscribe, paused: Paused) -> None:  # fmt: skip
        self._storage, self._book, self._addresses, self._people = storage, book, addresses, people
        self._routing, self._bus, self._clock, self._runner = routing, bus, clock, runner
        self._unsubscribe, self._paused = unsubscribe, paused
        self._ready = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self.rate = RATE
        self.counts: dict[tuple[str, str], int] = {}  # channel and status -> messages

    def wake(self) -> None:
        """Something is in the outbox, or will be once the transaction under way commits."""
        self._ready.set()

    async def work(self, task: Task) -> None:
        """Send for ever."""
        await self._book.forget_runner(self._runner)
        try:
            while True:
                self._ready.clear()
                began = await self.turn()
                task.up()
                if not began:
                    with suppress(TimeoutError):
                        nap_s = await self._nap_s()
                        await self._clock.timeout(self._ready.wait(), nap_s)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Break off what is under way; it is tried again after the next start."""
        under_way = set(self._under_way)
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def turn(self) -> int:
        """Form messages of what is due and begin to send as many as there is room for; how many were begun."""
        room = AT_ONCE - len(self._under_way)
        rows = await self._storage.write(lambda tx: self._take(tx, room), urgent=True)
        for row in rows:
            attempt = asyncio.create_task(self._attempt(row), name=f"message {row.id}")
            self._under_way.add(attempt)
            attempt.add_done_callback(self._done)
        return len(rows)

    def _done(self, attempt: asyncio.Task[None]) -> None:
        self._under_way.discard(attempt)
        self._ready.set()  # there is room again
        if not attempt.cancelled() and (error := attempt.exception()) is not None:
            log.error("a message could not be dealt with; it is tried again", exc_info=error)

    async def _nap_s(self) -> float:
        if len(self._under_way) >= AT_ONCE:
            return LOOK_S
        next_ms = await self._book.next_ms()
        return LOOK_S if next_ms is None else min(LOOK_S, max(0.05, (next_ms - self._clock.now_ms()) / 1000))

    async def _take(self, tx: AsyncConnection, room: int) -> list[Any]:
        now_ms = self._clock.now_ms()
        waiting = await self._book.waiting(tx, now_ms)
        if waiting:
            keys = {row.address_key for row in waiting}
            known, sent = await self._addresses.known(tx, keys), await self._book.sent(tx, keys, now_ms)
            for key, rows in groupby(waiting, key=lambda row: row.address_key):
                await self._form(tx, list(rows), known.get(key, Known()), sent.get(key, []), now_ms)
        return await self._book.claim(tx, self._runner, room, now_ms) if room > 0 else []

    async def _form(self, tx: AsyncConnection, rows: Sequence[Any], known: Known, sent: Sequence[int], now_ms: int) -> None:
        """Make messages of what waits for one address."""
        unwanted = {row.id: reason for row in rows if (reason := known.why_not(row.kind)) is not None}
        for reason in sorted(set(unwanted.values())):
            some = [row for row in rows if unwanted.get(row.id) == reason]
            await self._book.form(tx, [row.id for row in some], self._row(some, now_ms, status="failed", answer=reason, ended_ms=now_ms))
        by_id = {row.id: row for row in rows if row.id not in unwanted}
        address = self._people.vault.unseal(rows[0].address)
        waiting = [Waiting(row.id, row.kind, row.severity, row.held) for row in by_id.values()]
        for decision in plan(waiting, self._wishes(rows[0].person, address), sent, now_ms):
            if isinstance(decision, Hold):
                await self._book.hold(tx, decision.ids, decision.until_ms, decision.why)
            else:
                await self._book.form(tx, decision.ids, self._row([by_id[id_] for id_ in decision.ids], now_ms))

    def _row(self, rows: Sequence[Any], now_ms: int, **more: Any) -> dict[str, Any]:
        first = rows[0]
        address = self._people.vault.unseal(first.address)
        return {
            "recipient": first.recipient, "person": first.person, "address": first.address, "address_key": first.address_key,
            "channel": self._routing.name(address), "place": shown(address), "kind": compose.kind(rows),
            "severity": compose.severity(rows), "title": compose.title(rows), "notices": len(rows), "created_ms": now_ms,
            "due_ms": now_ms, **more,
        }  # fmt: skip

    def _wishes(self, person: str | None, address: str) -> Wishes:
        if person is None or person not in self._people:
            return Wishes(ZoneInfo("UTC"), self.rate)
        who = self._people.person(person)
        if address.startswith(f"{APP}:") or not self._clock.trusted:  # the app makes no noise; and nobody knows what time it is
            return Wishes(who.zone, self.rate)
        return Wishes(who.zone, self.rate, who.quiet, who.digest)

    async def _attempt(self, row: Any) -> None:
        """One attempt, in a task of its own so that whatever a channel raises is looked at, not caught."""
        work = asyncio.ensure_future(self._clock.timeout(self._deliver(row), LIMIT_S))
        try:
            await asyncio.wait({work})
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        error = work.exception()
        await self._ended(row, work.result() if error is None else "", error)

    async def _deliver(self, row: Any) -> str:
        kept, files = await self._book.content(row.id)
        who = self._people.person(row.person) if row.person in self._people else None
        zone = who.zone if who is not None else ZoneInfo("UTC")
        message: Message = compose.compose(row, kept, files, zone, self._unsubscribe(row.address_key, row.kind))
        return await self._routing.send(message, self._people.vault.unseal(row.address))

    async def _ended(self, row: Any, answer: str, error: BaseException | None) -> None:
        """Write down how an attempt went, and tell the house when it was the last."""
        now_ms = self._clock.now_ms()
        status, answer, due_ms = self._outcome(row, answer, error, now_ms)
        unsure = error is not None and (isinstance(error, Unanswered) or not isinstance(error, OhmsteadError))
        ended_ms = None if status == "pending" else now_ms

        async def write(tx: AsyncConnection) -> bool:
            outcome = {"status": status, "answer": answer[:500], "due_ms": due_ms, "ended_ms": ended_ms, "unsure": unsure}
            await self._book.finish(tx, row.id, self._runner, **outcome)
            if status == "sent":
                await self._addresses.took(tx, row.address_key)
            return status == "bounced" and await self._addresses.bounced(tx, row.address_key, row.place, answer[:200])

        paused = await self._storage.write(write, urgent=True)
        if status != "pending":
            self.counts[row.channel, status] = self.counts.get((row.channel, status), 0) + 1
        self._tell(row, status, answer, now_ms)
        if paused:
            await self._paused(row.place, row.address_key, answer)

    def _outcome(self, row: Any, answer: str, error: BaseException | None, now_ms: int) -> tuple[str, str, int]:
        if error is None:
            return "sent", answer, row.due_ms
        if isinstance(error, Refused | Unsupported | Invalid):
            return "bounced", str(error), row.due_ms
        if isinstance(error, TimeoutError):
            told = f"no answer within {LIMIT_S:g} s"
        elif isinstance(error, Unavailable):
            told = str(error)
        else:  # a bug of a channel; its text may hold an address
            told = f"{row.channel} failed with {type(error).__name__}"
            log.warning("channel %s raised %s; the message is tried again", row.channel, type(error).__name__)
        if row.attempts > len(WAITS_S):
            return "failed", told, row.due_ms
        wait_s = max(WAITS_S[row.attempts - 1], getattr(error, "retry_after_s", None) or 0)
        return "pending", told, now_ms + round(wait_s * 1000)

    def _tell(self, row: Any, status: str, answer: str, now_ms: int) -> None:
        if status == "sent":
            self._bus.publish(NotificationSent(row.id, row.channel, row.recipient, row.kind, row.severity, row.notices, now_ms))
        elif status != "pending":
            log.warning("message %s to %s (%s) %s: %s", row.id, row.recipient, row.place, status, answer[:200])
            self._bus.publish(NotificationFailed(row.id, row.channel, row.recipient, status, answer[:200], now_ms))
