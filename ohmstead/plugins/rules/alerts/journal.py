"""Writes steps of alerts with all that belongs to them, in one transaction: rows, history, gates, notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import msgspec

from ohmstead.core.notice import Notice
from ohmstead.plugins.rules import events
from ohmstead.plugins.rules.alerts import wording
from ohmstead.plugins.rules.alerts.alert import Step, key
from ohmstead.plugins.rules.alerts.book import AlertBook
from ohmstead.plugins.rules.gate import Turn
from ohmstead.plugins.rules.watch import Watches
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.witness import Witness, nobody

EVENTS: Mapping[str, type[events.AlertStep]] = {
    "triggered": events.AlertTriggered, "acknowledged": events.AlertAcknowledged, "resolved": events.AlertResolved,
    "suppressed": events.AlertSuppressed, "snoozed": events.AlertSnoozed, "escalated": events.AlertEscalated,
    "repeated": events.AlertRepeated, "assigned": events.AlertAssigned, "commented": events.AlertCommented,
}  # fmt: skip

Teller = Callable[[AsyncConnection, Notice], Awaitable[object]]


async def untold(tx: AsyncConnection, notice: Notice) -> None:
    """A house without notifiers tells nobody."""


class Journal:
    """`tell` puts a notice into the outbox; `witness` hears of the steps where they are written."""

    def __init__(self, book: AlertBook, watches: Watches) -> None:
        self._book, self._watches = book, watches
        self.tell: Teller = untold
        self.witness: Witness = nobody

    async def write(self, tx: AsyncConnection, steps: Sequence[Step], turns: Sequence[Turn], now_ms: int) -> list[Step]:
        """The steps as they are written, new alerts with their numbers; without those another hub was faster with."""
        done: list[Step] = []
        numbers: dict[str, int] = {}  # of what began in this transaction and is open
        for some in _rounds(steps):
            done += await self._round(tx, some, numbers)
        for step in done:
            if step.tell is not None:
                await self.tell(tx, wording.notice(step))
        await self._book.note(tx, [step for step in done if step.what], now_ms)
        await self.witness(tx, [event for step in done if (event := event_of(step)) is not None])
        await self._watches.settle(tx, turns)
        return done

    async def _round(self, tx: AsyncConnection, steps: Sequence[Step], numbers: dict[str, int]) -> list[Step]:
        fresh = {_key(step): step.alert for step in steps if not step.alert.id and _key(step) not in numbers}
        numbers |= await self._book.add(tx, list(fresh.values()))
        done = [_numbered(step, numbers.get(_key(step), 0)) for step in steps]
        await self._book.put(tx, [step.alert for step in done if _key(step) not in fresh and step.alert.id])
        for step in done:
            if not step.alert.is_open:
                numbers.pop(_key(step), None)  # what follows is another one
        return [step for step in done if step.alert.id]


def event_of(step: Step) -> events.AlertStep | None:
    """What a step says on the bus; None for one that says nothing."""
    alert, kind = step.alert, EVENTS.get(step.what)
    if kind is None:
        return None
    return kind(alert.id, alert.rule, alert.subject, alert.device, alert.severity, alert.title, step.who, step.text)


def _rounds(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The steps in order, in rounds that each have at most one of a rule and subject."""
    rounds: list[list[Step]] = []
    taken: dict[str, int] = {}
    for step in steps:
        number = taken[_key(step)] = taken.get(_key(step), -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(step)
    return iter(rounds)


def _key(step: Step) -> str:
    return key(step.alert.rule, step.alert.subject)


def _numbered(step: Step, id_: int) -> Step:
    return step if step.alert.id else msgspec.structs.replace(step, alert=msgspec.structs.replace(step.alert, id=id_))
