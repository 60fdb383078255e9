"""A document of rules and tariffs, run against what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Quantities
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.alerts.rule import READING, Problem, Rule, contradictions, made
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.automations.kinds import Kinds
from ohmstead.plugins.rules.backtest.activations import Activation
from ohmstead.plugins.rules.backtest.alert_replay import Watch, replay
from ohmstead.plugins.rules.backtest.automation_runs import AutomationRuns, Ran, shown
from ohmstead.plugins.rules.backtest.energy import Energy, Used
from ohmstead.plugins.rules.backtest.happened import Happened
from ohmstead.plugins.rules.backtest.memory import Memory
from ohmstead.plugins.rules.backtest.money import Money, Prices
from ohmstead.plugins.rules.backtest.past import Told, switched_on
from ohmstead.plugins.rules.backtest.recording import Recording
from ohmstead.plugins.rules.backtest.shown import activation, energy
from ohmstead.plugins.rules.backtest.subjects import Subjects

if TYPE_CHECKING:
    from ohmstead.plugins.devices.limits import Limits
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage

LISTED = 1000  # activations of a rule that are listed; all are counted

Options = Mapping[str, Any]


class Backtest:
    """Runs one at a time. `schema` checks one automation as it is stated, `limits` are those of the house.

    Belongs to the event loop's thread; decides in another.
    """

    def __init__(self, storage: Storage, devices: Devices, ledger: Ledger, quantities: Quantities, money: Money, kinds: Kinds,
                 schema: Any, limits: Limits) -> None:  # fmt: skip
        self._devices, self._quantities, self._money = devices, quantities, money
        recording, memory = Recording(storage, ledger.vault), Memory(devices, ledger, quantities, money)
        self._subjects = Subjects(recording, memory, Selection(devices, ledger.points), ledger, quantities, money)
        self._automations = AutomationRuns(recording, memory, devices, quantities, kinds, schema, limits)
        self._energy, self._happened = Energy(ledger, money), Happened(storage)
        self._turn = asyncio.Lock()

    async def run(self, document: Options, start_ms: int, end_ms: int) -> dict[str, Any]:
        """What a document's alerts, automations and tariffs would have come to in [start, end). Invalid, NotFound, Unavailable."""
        async with self._turn:
            rules = [self._rule(id_, options) for id_, options in document["alerts"].items()]
            automations, notes = await self._run(document["automations"], start_ms, end_ms)
            return {
                "start": iso(start_ms), "end": iso(end_ms), "alerts": await self._alerts(rules, start_ms, end_ms),
                "automations": automations, "notes": notes,
                "tariffs": [await self._tariff(id_, options, document, start_ms, end_ms) for id_, options in document["tariffs"].items()],
            }  # fmt: skip

    def _rule(self, id_: str, options: Options) -> Rule:
        wrong = list(contradictions(options)) or list(self._misfits(options))
        if wrong:
            raise Invalid(f"rule {id_} is not right", [{"path": ".".join(("alerts", id_, *keys)), "message": text} for keys, text in wrong])
        return made(id_, options)

    def _misfits(self, options: Options) -> Iterator[Problem]:
        """What a comparison has against its quantity."""
        comparison, name = compare.stated(options), str(options.get("quantity"))
        if options["kind"] != READING or comparison is None:
            return
        quantity = self._quantities.get(name)
        if quantity is None:
            yield ("quantity",), f"there is no quantity {name[:64]!r}.{did_you_mean(name, self._quantities)}"
            return
        try:
            comparison.fit(quantity.kind)
        except ValueError as error:
            yield (comparison.word,), str(error)

    async def _alerts(self, rules: list[Rule], start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        watches: dict[str, list[Watch]] = {}
        for rule in rules:
            subjects = await self._subjects.of(rule)
            watches[rule.id] = [Watch.of(rule, each, ZoneInfo(self._devices.zone_of(each.device or ""))) for each in subjects]
        await replay([watch for some in watches.values() for watch in some], start_ms, end_ms)
        prices = await self._energy.prices(start_ms, end_ms) if rules else None
        return [await self._told(rule, watches[rule.id], prices, start_ms, end_ms) for rule in rules]

    async def _told(self, rule: Rule, watches: list[Watch], prices: Prices | None, start_ms: int, end_ms: int) -> dict[str, Any]:
        found = sorted((each for watch in watches for each in watch.activations.found if each.at_ms >= start_ms), key=_order)
        millionths = any(watch.subject.millionths for watch in watches)
        used = [(watch.subject.name, each) for watch in watches for each in await self._used(watch, prices, start_ms, end_ms)]
        return {
            "rule": rule.id, "count": len(found), "activations": [activation(each, millionths) for each in found[:LISTED]],
            "energy": [{"subject": subject, **energy(each, prices)} for subject, each in used],
            "history": await self._happened.compared(rule, found, start_ms, end_ms),
        }  # fmt: skip

    async def _used(self, watch: Watch, prices: Prices | None, start_ms: int, end_ms: int) -> list[Used]:
        """What was measured while the rule was active about a subject."""
        subject = watch.subject
        points = [subject.point] if subject.point else self._energy.points(subject.device) if subject.device else []
        active = [(max(each.at_ms, start_ms), min(each.until_ms or end_ms, end_ms)) for each in watch.activations.found]
        spans = [(low, high) for low, high in active if low < high]
        return [await self._energy.used(point, spans, prices) for point in points] if spans else []

    async def _run(self, document: Options, start_ms: int, end_ms: int) -> tuple[list[dict[str, Any]], list[str]]:
        if not document:
            return [], []
        ran, replay, notes = await self._automations.run(document, start_ms, end_ms)
        prices = await self._energy.prices(start_ms, end_ms) if replay.hands.told else None
        return [await self._did(each, replay.hands.told, prices, start_ms, end_ms) for each in ran], notes

    async def _did(self, ran: Ran, told: Sequence[Told], prices: Prices | None, start_ms: int, end_ms: int) -> dict[str, Any]:
        commands = [each for each in told if each.automation == ran.automation.id]
        energies = []
        for device, spans in switched_on(commands, start_ms, end_ms).items():
            for point in self._energy.points(device):
                energies.append({"subject": device, **energy(await self._energy.used(point, spans, prices), prices)})
        return {
            "automation": ran.automation.id, "count": ran.count, "kept_back": ran.kept_back,
            "commands": sum(each.at_ms >= start_ms for each in commands), "runs": [shown(run) for run in ran.runs], "energy": energies,
            "history": await self._happened.runs(ran.automation.id, ran.began_ms, start_ms, end_ms),
        }  # fmt: skip

    async def _tariff(self, id_: str, options: Options, document: Options, start_ms: int, end_ms: int) -> dict[str, Any]:
        return {**await self._money.what_if(document.get("contract"), options, start_ms, end_ms), "tariff": id_}


def _order(each: Activation) -> tuple[int, str]:
    return each.at_ms, each.subject
