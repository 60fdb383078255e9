"""Automations of a document, compiled for a world of the past and run through it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import Series
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.devices.limits import Limits, addresses
from ohmstead.plugins.rules.automations.automation import Automation
from ohmstead.plugins.rules.automations.automations import compiled
from ohmstead.plugins.rules.automations.build import Known
from ohmstead.plugins.rules.automations.kinds import Kinds
from ohmstead.plugins.rules.automations.run import CONDITION, IGNORED, Run
from ohmstead.plugins.rules.backtest.alert_replay import WARM_MS
from ohmstead.plugins.rules.backtest.automation_replay import Replay
from ohmstead.plugins.rules.backtest.memory import PRICE_AHEAD, PRICE_NOW, Memory
from ohmstead.plugins.rules.backtest.recording import Recording
from ohmstead.plugins.storage.history import SeriesInfo

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices

ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.[a-z][a-z0-9_]*")
STEPS = 20  # of a run that are shown
LISTED = 1000  # runs of an automation that are listed; all are counted
OUTSIDE = ("mqtt", "webhook", "event")  # triggers whose causes are not recorded


class Ran(msgspec.Struct):
    """What one automation did in the span: runs in order of time, how many were kept back by their conditions or the mode."""

    automation: Automation
    runs: list[Run] = []
    count: int = 0
    kept_back: int = 0
    began_ms: list[int] = []


class AutomationRuns:
    """`schema` checks one automation as it is stated. Belongs to the event loop's thread; a replay itself runs in another."""

    def __init__(self, recording: Recording, memory: Memory, devices: Devices, quantities: Quantities, kinds: Kinds, schema: Any,
                 limits: Limits) -> None:  # fmt: skip
        self._recording, self._memory, self._devices = recording, memory, devices
        self._quantities, self._kinds, self._schema, self._limits = quantities, kinds, vol.Schema(schema), limits

    async def run(self, document: Mapping[str, Any], start_ms: int, end_ms: int) -> tuple[list[Ran], Replay, list[str]]:
        """What each did, the replay with the commands of all, and notes for people. Invalid."""
        early_ms = start_ms - WARM_MS
        stored = await self._recording.series()
        replay = Replay.at(self._memory.facts, early_ms)
        await replay.hands.limits.apply(self._limits.given)
        automations = self._compiled(replay, document, stored)
        spoken = sorted({address for each in automations for address in _addresses(each.options)})
        heard = sorted({*spoken, *addresses(self._limits.given)})
        infos = [stored[address] for address in heard if address in stored]
        facts = replay.facts
        await self._memory.energies(facts, early_ms, end_ms)
        quoted = [address for address in (PRICE_NOW, PRICE_AHEAD) if address in spoken]
        beside = await self._memory.prices(quoted, len(infos), early_ms, end_ms)
        owners: list[Series | str] = [facts.series(address) for address in (*(f"{info.device}.{info.quantity}" for info in infos), *quoted)]
        watched = sorted({device for each in automations for device in _watched(each)})
        stood = [await self._memory.statuses(device, early_ms, end_ms) for device in watched]
        beside = sorted([*beside, *((at_ms, place, status) for place, rows in enumerate(stood, len(owners)) for at_ms, status in rows)])
        owners += watched
        found = {each.id: Ran(each, [], 0, 0, []) for each in automations}

        def ended(run: Run) -> None:
            _note(found[run.automation.id], run, start_ms)

        replay.add(automations, ended)
        seeds = [(at_ms, place, value) for place, info in enumerate(infos) for at_ms, value in await self._recording.before(info, early_ms)]
        await asyncio.to_thread(replay.feed, owners, sorted(seeds))
        async for rows in self._recording.merged(infos, early_ms, end_ms, beside):
            await asyncio.to_thread(replay.feed, owners, rows)
        await asyncio.to_thread(replay.ring, end_ms - 1)
        for each in automations:
            for run in each.runs.values():
                ended(run)
        return list(found.values()), replay, list(_notes(automations, spoken, stored, self._quantities))

    def _compiled(self, replay: Replay, document: Mapping[str, Any], stored: Mapping[str, SeriesInfo]) -> list[Automation]:
        devices = {entry.device.id for entry in self._devices} | {info.device for info in stored.values()} | {"tariff"}
        placed = replay.facts.position is not None
        known = Known(frozenset(devices), self._quantities, frozenset(document), open=True, placed=placed)
        found, wrong = list[Automation](), list[dict[str, str]]()
        for id_, given in document.items():
            try:
                options = self._schema(given)
            except vol.MultipleInvalid as error:
                wrong += [_problem((id_, *each.path), each.msg) for each in error.errors]
                continue
            automation, problems, _ = compiled(replay.world, self._kinds, known, id_, {**options, "enabled": True}, "backtest")
            wrong += [_problem(keys, text) for keys, text in problems]
            found.append(automation)
        if wrong:
            raise Invalid("the automations are not right", wrong)
        return found


def _problem(keys: Sequence[Any], text: str) -> dict[str, str]:
    return {"path": ".".join(("automations", *map(str, keys))), "message": text}


def _addresses(options: Any) -> Iterator[str]:
    """Whatever may be a series among the texts of an automation; `price` and `cheapest` stand for one each."""
    if isinstance(options, Mapping):
        if "price" in options:
            yield PRICE_NOW
        if "cheapest" in options:
            yield PRICE_AHEAD
        for value in options.values():
            yield from _addresses(value)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from _addresses(value)
    elif isinstance(options, str):
        yield from (PRICE_NOW if found == "price.now" else found for found in ADDRESS.findall(options))


def _watched(automation: Automation) -> Iterator[str]:
    """The devices whose status sets it off, or ends one of its waits."""

    def each(options: Any) -> Iterator[str]:
        if isinstance(options, Mapping):
            if "device" in options and "status" in options:
                yield options["device"]
            options = list(options.values())
        if isinstance(options, list | tuple):
            for value in options:
                yield from each(value)

    return each(automation.options)


def _note(ran: Ran, run: Run, start_ms: int) -> None:
    if run.began_ms < start_ms:
        return
    if run.result in (CONDITION, IGNORED):
        ran.kept_back += 1
        return
    ran.count += 1
    ran.began_ms.append(run.facts.get("at_ms", run.began_ms))
    if len(ran.runs) < LISTED:
        ran.runs.append(run)


def _notes(
    automations: Sequence[Automation], spoken: Sequence[str], stored: Mapping[str, SeriesInfo], quantities: Quantities
) -> Iterator[str]:
    for address in spoken:
        if address not in stored and address not in (PRICE_NOW, PRICE_AHEAD) and quantities.get(address.partition(".")[2]) is not None:
            yield f"nothing is recorded of {address}"
    for each in automations:
        for options, _ in each.triggers:
            if any(name in options for name in OUTSIDE):
                yield f"{each.id}: what sets off {next(iter(options))} is not recorded, so it never happens in the replay"


def shown(run: Run) -> dict[str, Any]:
    """A run for the API: when it was set off, by which value, and what it did."""
    return {
        "at": iso(run.facts.get("at_ms", run.began_ms)), "value": run.facts.get("value"), "result": run.result, "reason": run.reason,
        "steps": [{"step": step, "result": result, "saw": dict(saw), "at": iso(at_ms)} for step, result, saw, at_ms in run.steps[:STEPS]],
    }  # fmt: skip
