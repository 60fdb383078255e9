"""The alerts of the house: what sources say becomes alerts, and what people say moves them.

Everything goes through one place, one transaction at a time: the alert, its history, the gate it came from and the
notices to people are written together, then it is told on the bus. What was not committed is said again by the gates
after a restart, and the database never holds two open alerts of one rule about one subject.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import Announced
from ohmstead.core.supervise import Task
from ohmstead.plugins.rules.alerts import alert as life
from ohmstead.plugins.rules.alerts import storm, wording
from ohmstead.plugins.rules.alerts.alert import Alert, Status, Step
from ohmstead.plugins.rules.alerts.book import AlertBook
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.inbox import Inbox
from ohmstead.plugins.rules.alerts.journal import Journal, event_of
from ohmstead.plugins.rules.alerts.opening import FREE_MS, Opening
from ohmstead.plugins.rules.alerts.rule import OFFLINE, STORM
from ohmstead.plugins.rules.alerts.setting import Setting
from ohmstead.plugins.rules.gate import Turn
from ohmstead.plugins.rules.watch import Watches

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

LOOK_S = 1.0
GROUP = 200  # facts or alerts of one transaction
KEPT_MS = 731 * 86_400_000  # how long a resolved alert is remembered: two years, so that a year can be laid beside the one before
JUMP_MS = 5_000  # time of day and waiting time apart by more: somebody set the clock

class Alerts:
    """All alerts; those that are open in memory. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, clock: Clock, bus: Bus, watches: Watches, setting: Setting) -> None:
        self._storage, self._clock, self._bus, self._setting = storage, clock, bus, setting
        self._book = AlertBook(storage.tenant_id)
        self.journal = Journal(self._book, watches)
        self._open: dict[str, Alert] = {}  # by open key
        self._by_id: dict[int, Alert] = {}
        self._dues: dict[int, float] = {}  # monotonic times, so that setting the clock moves none
        self._last: dict[tuple[str, str], int] = {}
        self._facts = Inbox()
        self._held: dict[str, tuple[float, Fact]] = {}  # until they may fire, by open key
        self._opening = Opening(self._open, setting, clock)
        self._skew_ms = self._skew()
        self._ready = asyncio.Event()
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Take in what is open, and when each rule last fired."""
        async with self._storage.read() as conn:
            for alert in await self._book.open_ones(conn):
                self._take(alert)
            self._last = await self._book.last(conn)

    # What sources say

    def hear(self, fact: Fact) -> None:
        """Take a fact; what follows from it follows soon."""
        self._facts.put(fact)
        self._ready.set()

    def find(self, rule: str, subject: str) -> Alert | None:
        """The open alert of a rule about a subject."""
        return self._open.get(life.key(rule, subject))

    def of_rule(self, rule: str) -> list[Alert]:
        """The open alerts of a rule."""
        return [alert for alert in self._open.values() if alert.rule == rule]

    def last_ms(self, rule: str) -> int | None:
        """When a rule last fired, by the readings."""
        return max((at_ms for (id_, _), at_ms in self._last.items() if id_ == rule), default=None)

    def fired_ms(self, rule: str, subject: str) -> int | None:
        """When a rule last fired about a subject, by the readings."""
        return self._last.get((rule, subject))

    def active(self) -> dict[str, int]:
        """How many are open, by severity."""
        found = dict.fromkeys(("low", "medium", "high", "critical"), 0)
        for alert in self._open.values():
            found[alert.severity] += 1
        return found

    async def work(self, task: Task) -> None:
        """Do what follows from facts and from time, for ever."""
        while True:
            await self.catch_up()
            task.up()
            with suppress(TimeoutError):
                await self._clock.timeout(self._ready.wait(), LOOK_S)

    async def catch_up(self) -> None:
        """Do all that is to be done now. Unavailable; then it is still to be done."""
        self._ready.clear()
        async with self._turn:
            self._follow_clock()
            self._release()
            while facts := self._facts.first(GROUP):
                steps, turns = self._decide(facts)
                await self._commit(steps, turns)
                self._facts.drop(facts)
            while steps := list(self._due_steps()):
                await self._commit(steps)

    def _skew(self) -> int:
        return self._clock.now_ms() - round(self._clock.monotonic() * 1000)

    def _follow_clock(self) -> None:
        """When somebody set the clock, what is open moves along: nothing is due earlier or later by it."""
        by_ms = self._skew() - self._skew_ms
        if abs(by_ms) < JUMP_MS:
            return
        self._skew_ms += by_ms
        for alert in self._open.values():
            moved = {name: at + by_ms for name in ("opened_ms", "told_ms", "due_ms") if (at := getattr(alert, name)) is not None}
            self._by_id[alert.id] = msgspec.structs.replace(alert, **moved)
        self._open.update({life.key(alert.rule, alert.subject): alert for alert in self._by_id.values()})

    def _release(self) -> None:
        """What was held and may fire now is a fact again."""
        now = self._clock.monotonic()
        for open_key, (at, fact) in list(self._held.items()):
            if at <= now:
                del self._held[open_key]
                if open_key not in self._facts:  # what waits there is newer
                    self._facts.put(fact)

    def _decide(self, facts: Iterable[Fact]) -> tuple[list[Step], list[Turn]]:
        """What follows from facts, each in the light of those before it."""
        steps: list[Step] = []
        turns: list[Turn] = []
        moved: dict[str, Alert] = {}
        for fact in facts:
            open_key = life.key(fact.rule.id, fact.subject)
            alert = moved.get(open_key) or self._open.get(open_key)
            step, settled = self._on(fact, open_key, alert) if fact.on else self._off(fact, open_key, alert)
            if step is not None:
                steps.append(step)
                moved[open_key] = step.alert
            if settled and fact.turn is not None:
                turns.append(fact.turn)
        return steps, turns

    def _off(self, fact: Fact, open_key: str, alert: Alert | None) -> tuple[Step | None, bool]:
        self._held.pop(open_key, None)
        if alert is None or not alert.is_open:
            return None, True
        return life.resolved(alert, self._clock.now_ms(), text=_over(fact), value=fact.value), True

    def _on(self, fact: Fact, open_key: str, alert: Alert | None) -> tuple[Step | None, bool]:
        if alert is not None and alert.is_open:
            return None, True  # it is known
        last_ms = self.fired_ms(fact.rule.id, fact.subject) if alert is None else alert.triggered_ms
        wait_s = self._opening.wait_s(fact, last_ms)
        if wait_s > 0:
            fact = msgspec.structs.replace(fact, gathered=True, at_ms=fact.at_ms + round(wait_s * 1000))
            self._held[open_key] = (self._clock.monotonic() + wait_s, fact)
            return None, False  # its gate is not settled: after a restart it says so again
        step = self._opening.step(fact)
        if step.alert.status is Status.SUPPRESSED and step.alert.due_ms is None and self._opening.of_storm() is None:
            self.hear(storm.fact(self._clock.now_ms()))
        return step, True

    # Storms

    def _folded(self) -> list[Alert]:
        return [a for a in self._open.values() if a.status is Status.SUPPRESSED and (a.kind != OFFLINE or a.due_ms is None)]

    def _after_storm(self) -> Iterator[Step]:
        """Once nothing more is folded, what is still open is on the list again; the end of the storm says how many."""
        found = self.find(STORM, storm.SUBJECT)
        if found is None or not self._opening.storm.over(self._clock.monotonic()):
            return
        folded, now_ms = self._folded(), self._clock.now_ms()
        yield from (life.freed(alert, now_ms, tell=False) for alert in folded[:GROUP])
        if len(folded) <= GROUP:
            over = msgspec.structs.replace(found, message=f"It is over. {len(self._open) - 1} alerts are open now.")
            yield life.resolved(over, now_ms)

    # Time

    def _due_steps(self) -> Iterator[Step]:
        now = self._clock.monotonic()
        for id_ in [id_ for id_, at in self._dues.items() if at <= now][:GROUP]:
            step = self._opening.again(self._by_id[id_])
            if step is None:
                del self._dues[id_]
            elif step.tell is not None and self._opening.storm.folds(now):
                yield msgspec.structs.replace(step, tell=None)
            else:
                yield step
        yield from self._after_storm()

    # What people say

    async def acknowledge(self, id_: int, who: str, text: str | None = None) -> Alert:
        """Somebody takes care of it. NotFound, Conflict."""
        return await self._step(id_, lambda alert: life.acknowledged(alert, who, self._clock.now_ms(), text))

    async def resolve(self, id_: int, who: str, text: str | None = None) -> Alert:
        """Somebody says it is over; it comes again only once it was over by itself. NotFound, Conflict."""
        return await self._step(id_, lambda alert: life.resolved(alert, self._clock.now_ms(), who, text))

    async def snooze(self, id_: int, until_ms: int, who: str, text: str | None = None) -> Alert:
        """Silence it until then. NotFound, Conflict, Invalid for an instant that has passed."""
        if until_ms <= self._clock.now_ms():
            raise Invalid("until: expected an instant ahead", [{"path": "until", "message": "expected an instant ahead"}])
        return await self._step(id_, lambda alert: life.snoozed(alert, until_ms, who, text))

    async def assign(self, id_: int, assignee: str | None, who: str) -> Alert:
        """Say who is to take care of it. NotFound, Conflict."""
        return await self._step(id_, lambda alert: life.assigned(alert, assignee, who))

    async def comment(self, id_: int, who: str, text: str) -> Alert:
        """Say something about it, resolved ones too. NotFound."""
        return await self._step(id_, lambda alert: Step(alert, "commented", who, text))

    async def end(self, found: Sequence[Alert], text: str) -> None:
        """Resolve alerts whose rule no longer looks at them."""
        async with self._turn:
            for alert in found:
                self._held.pop(life.key(alert.rule, alert.subject), None)
            now_ms, still = self._clock.now_ms(), [self._by_id[alert.id] for alert in found if alert.id in self._by_id]
            await self._commit([msgspec.structs.replace(life.resolved(alert, now_ms, text=text), tell=None) for alert in still])

    def forget(self, rule: str) -> None:
        """A rule is gone: what was held or waits of it is nothing any more."""
        self._facts.forget(rule)
        for open_key in [open_key for open_key, (_, fact) in self._held.items() if fact.rule.id == rule]:
            del self._held[open_key]

    async def get(self, id_: int) -> Alert:
        """The alert of that number, resolved ones too. NotFound."""
        async with self._storage.read() as conn:
            found = await self._book.one(conn, id_)
        if found is None:
            raise NotFound(f"there is no alert {id_}")
        return found

    async def listing(self, where: Mapping[str, Any], open_only: bool, before: int | None, limit: int) -> list[Alert]:
        """Alerts of a rule, status, severity or device, newest first, of numbers below `before`."""
        async with self._storage.read() as conn:
            return await self._book.page(conn, where, open_only, before, limit)

    async def history(self, id_: int) -> Sequence[Any]:
        """Lines of an alert's history: at_ms, what, who, text."""
        async with self._storage.read() as conn:
            return await self._book.history(conn, id_)

    async def prune(self) -> int:
        """Forget what was resolved long ago; how many. Nothing while the clock is not trusted."""
        gone, before_ms = 0, self._clock.now_ms() - KEPT_MS
        while self._clock.trusted and (count := await self._storage.write(lambda tx: self._book.prune(tx, before_ms))):
            gone += count
        return gone

    async def _step(self, id_: int, move: Callable[[Alert], Step]) -> Alert:
        async with self._turn:
            step = move(self._by_id.get(id_) or await self.get(id_))
            await self._commit([step])
        return step.alert

    # Rows

    async def _commit(self, steps: Sequence[Step], turns: Sequence[Turn] = ()) -> None:
        if not steps and not turns:
            return
        now_ms = self._clock.now_ms()
        done: list[Step] = await self._storage.write(lambda tx: self.journal.write(tx, steps, turns, now_ms), urgent=True)
        for step in done:
            self._take(step.alert)
            self._say(step)
        self._regroup(done)

    def _take(self, alert: Alert) -> None:
        """Keep in memory what is open."""
        open_key, place = life.key(alert.rule, alert.subject), (alert.rule, alert.subject)
        self._last[place] = max(alert.triggered_ms, self._last.get(place, 0))
        if alert.is_open:
            self._open[open_key] = self._by_id[alert.id] = alert
        elif (known := self._by_id.pop(alert.id, None)) is not None and self._open.get(open_key) is known:
            del self._open[open_key]
        if alert.is_open and alert.due_ms is not None:
            self._dues[alert.id] = self._clock.monotonic() + max(0, alert.due_ms - self._clock.now_ms()) / 1000
        else:
            self._dues.pop(alert.id, None)

    def _say(self, step: Step) -> None:
        alert, event = step.alert, event_of(step)
        if event is None:
            return
        self._bus.publish(event)
        if self._bus.wants(Announced):
            payload = {"step": step.what, "by": step.who, "text": step.text, **life.shown(alert)}
            self._bus.publish(Announced("ALERT", f"{alert.id}.{step.what}", alert.device or "", payload))

    def _regroup(self, done: Iterable[Step]) -> None:
        """A gateway that fell silent explains the devices behind it; one that is back no longer does."""
        for step in done:
            gateway = step.alert
            if gateway.kind != OFFLINE or step.what not in ("triggered", "resolved") or not self._setting.is_gateway(gateway.device):
                continue
            for alert in list(self._open.values()):
                if alert.kind == OFFLINE and gateway.device in tuple(self._setting.gateways(alert.device)):
                    self._hide(alert, gateway) if gateway.is_open else self._wake(alert)

    def _hide(self, alert: Alert, gateway: Alert) -> None:
        if alert.status in (Status.TRIGGERED, Status.SUPPRESSED) and alert.group != gateway.id:
            self._dues[alert.id] = 0.0

    def _wake(self, alert: Alert) -> None:
        if alert.status is Status.SUPPRESSED:
            self._dues[alert.id] = self._clock.monotonic() + FREE_MS / 1000


def _over(fact: Fact) -> str | None:
    return None if fact.value is None else wording.measured(fact.value, fact.unit)
