"""A house with alert rules whose past can be replayed; what energy cost is written down by the test."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.rules.automations import actions, conditions, event_triggers, flow, state_triggers, time_triggers
from ohmstead.plugins.rules.automations.kinds import Kinds
from ohmstead.plugins.rules.automations.schema import automation
from ohmstead.plugins.rules.backtest.backtest import Backtest
from ohmstead.plugins.rules.backtest.money import Prices
from ohmstead.plugins.rules.backtest.plugin import BacktestPlugin
from tests.fakes.alerted_house import AlertedHouse

SLOT_MS, DAY_MS = 900_000, 86_400_000


class PaperMoney:
    """One price all day and another from 6 to 22 o'clock UTC; no contract unless `known`."""

    known = True

    async def prices(self, contract: str | None, start_ms: int, end_ms: int) -> Prices:
        if not self.known:
            raise Invalid("there is no contract")
        start_ms -= start_ms % SLOT_MS
        slots = range(start_ms, end_ms, SLOT_MS)
        return Prices("EUR", start_ms, SLOT_MS, [Fraction(3, 10) if 6 <= at_ms // 3_600_000 % 24 < 22 else Fraction(2, 10) for at_ms in slots])

    def periods(self, contract: str | None, period: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        length = DAY_MS if period == "day" else 30 * DAY_MS
        return [(at_ms, at_ms + length) for at_ms in range(start_ms - start_ms % length, end_ms, length)]

    async def cost(self, contract: str | None, within_ms: int, until_ms: int) -> Fraction:
        """A cent for every slot since the month began."""
        return Fraction((until_ms - within_ms // (30 * DAY_MS) * 30 * DAY_MS) // SLOT_MS, 100)

    async def what_if(self, contract: str | None, tariff: Mapping[str, Any], start_ms: int, end_ms: int) -> dict[str, Any]:
        return {"contract": contract or "home", "tariff": "what-if", "currency": tariff["currency"], "actual": "10.00", "would": "8.00",
                "saving": "2.00", "periods": []}  # fmt: skip


class ReplayedHouse(AlertedHouse):
    """Its routes have /backtests."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(url, folder, clock)
        self.money, kinds = PaperMoney(), Kinds()
        every = [*state_triggers.kinds(), *time_triggers.kinds(), *event_triggers.kinds(), *conditions.kinds(kinds), *actions.kinds(),
                 *flow.kinds(kinds)]  # fmt: skip
        for kind in every:
            kinds.add(kind)
        schema = automation(kinds, lambda value: value)
        backtest = Backtest(self.storage, self.devices, self.ledger, self.hub.quantities, self.money, kinds, schema, self.commands.limits)
        self.hub.plugins.add("backtest", BacktestPlugin(backtest, self.devices))

    async def record(self, address: str, start_ms: int, every_s: float, *values: Any) -> int:
        """Readings one after the other, stored as if they had come long ago; the instant after the last."""
        device, _, quantity = address.partition(".")
        batch = self.ingest.batch("test", "test")
        for number, value in enumerate(values):
            reason = batch.add(batch.feed(device), quantity, value, start_ms + round(number * every_s * 1000))
            assert reason is None, reason
        batch.live = False
        await self.ingest.store(batch)
        return start_ms + round(len(values) * every_s * 1000)

    async def derive(self) -> None:
        """What the ledger's task would do."""
        await self.ledger.automatic.settle()
        async with self.ledger.turn:
            await self.storage.write(self.ledger.derive)

    async def backtest(self, start_ms: int, end_ms: int, **document: Any) -> dict[str, Any]:
        """What it says of a span."""
        body = {**document, "from": iso(start_ms), "to": iso(end_ms)}
        return (await self.ask("POST", "/backtests", body)).data  # type: ignore[no-any-return]
