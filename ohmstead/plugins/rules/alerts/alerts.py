"""The alerts of the house: what sources say becomes alerts, and what people say moves them.

Everything goes through one place, one transaction at a time: the alert, its history, the gate it came from and the
notices to people are written together, then it is told on the bus. What was not committed is said again by the gates
after a restart, and the database never holds two open alerts of one rule about one subject.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import Announced
from ohmstead.core.notice import Notice
from ohmstead.core.supervise import Task
from ohmstead.plugins.rules import events
from ohmstead.plugins.rules.alerts import alert as life
from ohmstead.plugins.rules.alerts import storm, wording
from ohmstead.plugins.rules.alerts.alert import Alert, Status, Step
from ohmstead.plugins.rules.alerts.book import AlertBook
from ohmstead.plugins.rules.alerts.fact import Fact
from ohmstead.plugins.rules.alerts.inbox import Inbox
from ohmstead.plugins.rules.alerts.rule import OFFLINE, STORM
from ohmstead.plugins.rules.alerts.setting import Setting
from ohmstead.plugins.rules.gate import Turn
from ohmstead.plugins.rules.watch import Watches

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

LOOK_S = 1.0
GROUP = 200  # facts or alerts of one transaction
GATHER_S = 10.0  # how long a silent device behind a gateway waits for its gateway to fall silent too
JUMP_MS = 5_000  # time of day and waiting time apart by more: somebody set the clock
FREE_S = 120.0  # how long devices behind a gateway that is back have to be back themselves
EVENTS: Mapping[str, type[events.AlertStep]] = {
    "triggered": events.AlertTriggered, "acknowledged": events.AlertAcknowledged, "resolved": events.AlertResolved,
    "suppressed": events.AlertSuppressed, "snoozed": events.AlertSnoozed, "escalated": events.AlertEscalated,
    "repeated": events.AlertRepeated, "assigned": events.AlertAssigned, "commented": events.AlertCommented,
}  # fmt: skip

Teller = Callable[[AsyncConnection, Notice], Awaitable[object]]


async def untold(tx: AsyncConnection, notice: Notice) -> None:
    """A house without notifiers tells nobody."""


class Alerts:
    """All alerts; those that are open in memory. Belongs to the event loop's thread. `tell` puts a notice into the outbox."""

    def __init__(self, storage: Storage, clock: Clock, bus: Bus, watches: Watches, setting: Setting) -> None:
        self._storage, self._clock, self._bus, self._watches, self._setting = storage, clock, bus, watches, setting
        self._book = AlertBook(storage.tenant_id)
        self.tell: Teller = untold
        self._open: dict[str, Alert] = {}  # by open key
        self._by_id: dict[int, Alert] = {}
        self._dues: dict[int, float] = {}  # monotonic times, so that setting the clock moves none
        self._last: dict[tuple[str, str], int] = {}
        self._facts = Inbox()
        self._held: dict[str, tuple[float, Fact]] = {}  # until they may fire, by open key
        self._storm = storm.Storm()
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
        self._open = {life.key(alert.rule, alert.subject): alert for alert in self._by_id.values()}

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
        steps: dict[str, list[Step]] = {}
        turns: list[Turn] = []
        for fact in facts:
            open_key = life.key(fact.rule.id, fact.subject)
            before = steps.get(open_key)
            alert = before[-1].alert if before else self._open.get(open_key)
            if alert is not None and not alert.is_open:
                alert = None
            step, settled = self._on(fact, open_key, alert) if fact.on else self._off(fact, open_key, alert)
            if step is not None:
                steps.setdefault(open_key, []).append(step)
            if settled and fact.turn is not None:
                turns.append(fact.turn)
        return [step for some in steps.values() for step in some], turns

    def _off(self, fact: Fact, open_key: str, alert: Alert | None) -> tuple[Step | None, bool]:
        self._held.pop(open_key, None)
        if alert is None:
            return None, True
        return life.resolved(alert, self._clock.now_ms(), text=_over(fact), value=fact.value), True

    def _on(self, fact: Fact, open_key: str, alert: Alert | None) -> tuple[Step | None, bool]:
        if alert is not None:
            return None, True  # it is known
        wait_s = self._wait_s(fact)
        if wait_s > 0:
            fact = msgspec.structs.replace(fact, gathered=True, at_ms=fact.at_ms + round(wait_s * 1000))
            self._held[open_key] = (self._clock.monotonic() + wait_s, fact)
            return None, False  # its gate is not settled: after a restart it says so again
        self._last[fact.rule.id, fact.subject] = fact.at_ms
        return self._opened(fact), True

    def _wait_s(self, fact: Fact) -> float:
        """For how long a fact must still hold before it becomes an alert: schedule, cooldown, and a gateway that may follow."""
        rule = fact.rule
        fires_ms = rule.fires_ms(fact.at_ms, self._last.get((rule.id, fact.subject)), self._setting.zone(fact.device))
        wait_s = (fires_ms - fact.at_ms) / 1000
        if rule.kind != OFFLINE or fact.gathered or next(self._setting.gateways(fact.device), None) is None:
            return wait_s
        return max(wait_s, 0.0 if self._setting.dead_gateway(fact.device) is not None else GATHER_S)

    def _opened(self, fact: Fact) -> Step:
        alert, now_ms = self._alert(fact), self._clock.now_ms()
        gateway = self._setting.dead_gateway(fact.device) if alert.kind == OFFLINE else None
        if gateway is not None:
            return self._behind(alert, gateway, now_ms)
        if alert.kind not in wording.OWN and self._storm.folds(self._clock.monotonic()):
            self._begin_storm()
            return life.suppressed(alert, self._group_of_storm(), "one of too many at once")
        return life.triggered(alert, now_ms)

    def _alert(self, fact: Fact) -> Alert:
        rule, name = fact.rule, fact.name or self._setting.name(fact.device)
        message = wording.message(fact, name)
        if rule.kind == OFFLINE and fact.device is not None and (behind := self._setting.behind(fact.device)):
            message += f" {behind} device{'s' if behind > 1 else ''} behind it cannot be heard."
        watts = fact.value if fact.quantity == "power" else None
        cost, currency = self._setting.cost_per_day(fact.device, watts) or (None, None)
        return Alert(
            rule=rule.id, subject=fact.subject, kind=rule.kind, severity=fact.severity or rule.severity, title=wording.title(fact, name),
            message=message, device=fact.device, quantity=fact.quantity, unit=fact.unit, value=fact.value,
            threshold=wording.threshold(rule.comparison, fact.unit) or None, triggered_ms=fact.at_ms, opened_ms=self._clock.now_ms(),
            notify=rule.notify, escalation=rule.escalation, repeat_ms=rule.repeat_ms, cost_per_day=cost, currency=currency,
        )  # fmt: skip

    def _group(self, gateway: str) -> int | None:
        return next((alert.id for alert in self._open.values() if alert.kind == OFFLINE and alert.device == gateway), None)

    # Storms

    def _group_of_storm(self) -> int | None:
        alert = self.find(STORM, storm.SUBJECT)
        return None if alert is None else alert.id

    def _begin_storm(self) -> None:
        if self._group_of_storm() is None:
            self.hear(storm.fact(self._clock.now_ms()))

    def _folded(self) -> list[Alert]:
        return [a for a in self._open.values() if a.status is Status.SUPPRESSED and (a.kind != OFFLINE or a.due_ms is None)]

    def _after_storm(self) -> Iterator[Step]:
        """Once nothing more is folded, what is still open is on the list again; the end of the storm says how many."""
        found = self.find(STORM, storm.SUBJECT)
        if found is None or not self._storm.over(self._clock.monotonic()):
            return
        folded, now_ms = self._folded(), self._clock.now_ms()
        yield from (life.freed(alert, now_ms, tell=False) for alert in folded[:GROUP])
        if len(folded) <= GROUP:
            over = msgspec.structs.replace(found, message=f"It is over. {len(self._open) - 1} alerts are open now.")
            yield life.resolved(over, now_ms)

    # Time

    def _due_steps(self) -> Iterator[Step]:
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        for id_ in [id_ for id_, at in self._dues.items() if at <= now][:GROUP]:
            step = self._due_step(self._by_id[id_], now_ms)
            if step is not None:
                yield step
            else:
                del self._dues[id_]
        yield from self._after_storm()

    def _due_step(self, alert: Alert, now_ms: int) -> Step | None:
        gateway = self._setting.dead_gateway(alert.device) if alert.kind == OFFLINE else None
        if gateway is None or alert.status not in (Status.TRIGGERED, Status.SUPPRESSED):
            return life.freed(alert, now_ms) if alert.status is Status.SUPPRESSED else life.due(alert, max(now_ms, alert.due_ms or 0))
        hidden = self._behind(alert, gateway, now_ms)
        return hidden if alert.status is Status.TRIGGERED else msgspec.structs.replace(hidden, what="")

    def _behind(self, alert: Alert, gateway: str, now_ms: int) -> Step:
        return life.suppressed(alert, self._group(gateway), f"behind {gateway}, which is not there", now_ms + round(FREE_S * 1000))

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

    async def _step(self, id_: int, move: Callable[[Alert], Step]) -> Alert:
        async with self._turn:
            step = move(self._by_id.get(id_) or await self.get(id_))
            await self._commit([step])
        return step.alert

    # Rows

    async def _commit(self, steps: Sequence[Step], turns: Sequence[Turn] = ()) -> None:
        if not steps and not turns:
            return
        done: list[Step] = await self._storage.write(lambda tx: self._write(tx, steps, turns))
        for step in done:
            self._take(step.alert)
            self._say(step)
        self._regroup(done)

    async def _write(self, tx: AsyncConnection, steps: Sequence[Step], turns: Sequence[Turn]) -> list[Step]:
        done: list[Step] = []
        ids: dict[str, int] = {}
        for step in steps:
            open_key = life.key(step.alert.rule, step.alert.subject)
            alert = step.alert if step.alert.id or open_key not in ids else msgspec.structs.replace(step.alert, id=ids[open_key])
            alert_ = await self._book.put(tx, alert)
            if alert_ is None:
                continue  # another hub on this database was faster
            ids[open_key] = alert_.id
            done.append(msgspec.structs.replace(step, alert=alert_))
            if step.tell is not None:
                await self.tell(tx, wording.notice(done[-1]))
        await self._book.note(tx, [step for step in done if step.what], self._clock.now_ms())
        await self._watches.settle(tx, turns)
        return done

    def _take(self, alert: Alert) -> None:
        """Keep in memory what is open."""
        open_key = life.key(alert.rule, alert.subject)
        if alert.is_open:
            self._open[open_key] = self._by_id[alert.id] = alert
        elif (known := self._by_id.pop(alert.id, None)) is not None and self._open.get(open_key) is known:
            del self._open[open_key]
        if alert.is_open and alert.due_ms is not None:
            self._dues[alert.id] = self._clock.monotonic() + max(0, alert.due_ms - self._clock.now_ms()) / 1000
        else:
            self._dues.pop(alert.id, None)

    def _say(self, step: Step) -> None:
        alert, kind = step.alert, EVENTS.get(step.what)
        if kind is None:
            return
        self._bus.publish(kind(alert.id, alert.rule, alert.subject, alert.device, alert.severity, alert.title, step.who, step.text))
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
            self._dues[alert.id] = self._clock.monotonic() + FREE_S


def _over(fact: Fact) -> str | None:
    return None if fact.value is None else wording.measured(fact.value, fact.unit)
