"""The template of an alert rule, worked out again on what was known then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from ohmstead.core.bus import Bus
from ohmstead.core.errors import Invalid
from ohmstead.core.states import States
from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.alerts.sources.expressions import TRUE
from ohmstead.plugins.rules.automations.functions import functions
from ohmstead.plugins.rules.backtest.memory import PRICE_NOW, Memory
from ohmstead.plugins.rules.backtest.past import PastClock
from ohmstead.plugins.rules.backtest.recording import Merged, Recording, Rows
from ohmstead.plugins.rules.compare import Value
from ohmstead.plugins.rules.templates import Templates

MINUTE_MS = 60_000


class Expression:
    """One rule's. It is worked out when a state it names moved, and every minute where it asks for more than states."""

    def __init__(self, rule: Rule, recording: Recording, memory: Memory) -> None:
        self._recording, self._memory = recording, memory
        self._clock = PastClock(0)
        self._states = States(Bus())
        self._facts = memory.facts(self._clock, self._states)
        self._template = Templates(functions(self._facts, self._clock)).compile(rule.options["template"])
        self._compared = rule.comparison is not None
        self.comparison = rule.comparison or TRUE

    async def values(self, start_ms: int, end_ms: int) -> AsyncIterator[Rows]:
        """What it says, in portions in order of time."""
        asks, stored = self._template.asks, await self._recording.series()
        for name, argument in asks:
            if name != "state":
                self._facts.want(argument)
        await self._memory.energies(self._facts, start_ms, end_ms)
        infos = [stored[address] for name, address in sorted(asks) if name == "state" and address in stored]
        quoted = [PRICE_NOW] if "price" in self._template.source else []
        beside = [*await self._memory.prices(quoted, len(infos), start_ms, end_ms)]
        owners = [*(f"{info.device}.{info.quantity}" for info in infos), *quoted]
        if self._facts.wanted or "time" in self._template.source:
            beside = sorted([*beside, *((at_ms, len(owners), None) for at_ms in range(start_ms, end_ms, MINUTE_MS))])
        seeds = [(at_ms, place, value) for place, info in enumerate(infos) for at_ms, value in await self._recording.before(info, start_ms)]
        yield await asyncio.to_thread(self._live, owners, sorted(seeds))
        async for rows in self._recording.merged(infos, start_ms, end_ms, beside):
            yield await asyncio.to_thread(self._live, owners, rows)

    def _live(self, owners: Sequence[str], rows: Merged) -> Rows:
        """Live through readings, and say what the template said after those of each instant."""
        return list(self._said(owners, rows))

    def _said(self, owners: Sequence[str], rows: Merged) -> Iterator[tuple[int, Value]]:
        for at_ms, some in groupby(rows, itemgetter(0)):
            self._clock.move(at_ms)
            for _, place, value in some:
                if place < len(owners):
                    self._states.set(self._facts.series(owners[place]), value, at_ms, at_ms)
            try:
                yield at_ms, self._template.value() if self._compared else float(self._template.true())
            except Invalid:
                continue  # what it asks for was not known yet
