"""A house with automations: devices that obey, people that are told nothing, a web that answers what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import Clock, settle
from ohmstead.core.errors import Unavailable
from ohmstead.core.model import Command, Reading
from ohmstead.core.plugin import Integration
from ohmstead.core.runner import Entry
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.jobs.tables import TABLES as JOBS
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.protocols.mqtt import Mqtt
from ohmstead.plugins.rules.automations.plugin import AutomationsPlugin
from ohmstead.plugins.rules.tables import TABLES as RULES
from ohmstead.plugins.rules.watch import Watches
from tests.fakes.paper_ledger import PaperLedger
from tests.fakes.registered_house import RegisteredHouse


class Told:
    """Stands where the notifiers do, and remembers what they were to send."""

    people = ()

    def __init__(self) -> None:
        self.notices: list[Any] = []

    async def send(self, notice: Any) -> int:
        self.notices.append(notice)
        return len(self.notices)


class Gadget:
    """A device that reports what it was told; `deaf` for so many commands, `gone` for good."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Reading] = asyncio.Queue()
        self.commands: list[Command] = []
        self.deaf = 0
        self.gone = False

    async def readings(self) -> AsyncIterator[Reading]:
        while True:
            yield await self.said.get()

    async def command(self, command: Command) -> None:
        if self.gone:
            raise Unavailable("it is gone")
        self.commands.append(command)
        if self.deaf:
            self.deaf -= 1
            return
        self.said.put_nowait(Reading(command.quantity or "switch", command.value))

    @property
    def values(self) -> list[Any]:
        return [command.value for command in self.commands]


class AutomatedHouse(RegisteredHouse):
    """Opened with `async with`; its automations listen from then on."""

    def __init__(self, url: str, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(url, folder, clock)
        self.ledger = PaperLedger(self.devices.locations)
        self.watches = Watches(self.clock, self.storage)
        self.protocols = Protocols(self.clock, Mqtt(self.hub.data_dir, self.clock), self.hub.quantities)
        self.told = Told()
        self.plugin = AutomationsPlugin(
            self.hub, self.storage, self.watches, self.devices, self.commands, self.told, self.protocols, self.ledger,  # type: ignore[arg-type]
        )
        self.automations = self.plugin.automations
        self.engine = self.automations.engine
        for kind in self.plugin.ohmstead_rules():
            self.automations.kinds.add(kind)
        self.hub.plugins.add("automations", self.plugin)
        self.gadgets: dict[str, Gadget] = {}
        self.yaml: Mapping[str, Any] = {}

    async def __aenter__(self) -> AutomatedHouse:
        await self.storage.open([DEVICES, JOBS, RULES])
        await self.devices.open()
        await self.watches.open()
        await self.automations.open()
        self._routes = [route for _, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self.protocols.close()

    async def listen(self, **automations: Any) -> None:
        """State automations, and let them listen without a task that rings: `skip` does."""
        await self.apply(**automations)
        self.watches.listen(self.bus)
        self.automations.begin()

    async def skip(self, hours: float, step_s: float = 300.0) -> None:
        """Let hours pass at a stride, ringing at every step."""
        for _ in range(round(hours * 3600 / step_s)):
            self.clock._move(self.clock.monotonic() + step_s)  # type: ignore[attr-defined]
            self.engine.world.timers.ring()
            self.watches.ring()
        await settle()

    async def begin(self, **automations: Any) -> None:
        """State automations as the YAML does, and let them listen."""
        await self.apply(**automations)
        self.watches.listen(self.bus)
        self.plugin.ohmstead_started(self.hub)
        self.hub.tasks.start("rules", self.watches.work)
        self.hub.tasks.start("rules' journal", self.watches.keep)
        await settle()

    async def apply(self, **automations: Any) -> None:
        """State other automations."""
        checked = vol.Schema({str: self.automations.schema})(automations)
        await self.automations.apply(checked)

    def problems(self, **automations: Any) -> list[str]:
        """What is wrong with automations, as the check says it."""
        stated = {"automations": vol.Schema({str: self.automations.schema})(automations), "devices": {}, "contracts": {}, "home": {},
                  "integrations": {}, "registry": {"auto": True}}  # fmt: skip
        section = self.plugin.ohmstead_sections(self.hub)[0]
        assert section.problems is not None
        return [f"{'.'.join(map(str, keys))}: {text}" for keys, text in section.problems(stated)]

    async def gadget(self, *ids: str) -> Gadget:
        """Devices that obey; the last of them."""
        for id_ in ids:
            self.gadgets[id_] = Gadget()
            await self.ask("POST", "/devices", {"id": id_})
        entries = {id_: Entry(id_, Integration("gadget", {}, connect=_connect(gadget), capabilities=frozenset({"switch", "set"})), {})
                   for id_, gadget in self.gadgets.items()}  # fmt: skip
        await self.hub.runners.apply(entries)
        await settle()
        return self.gadgets[ids[-1]]

    async def say(self, address: str, value: Any, after_s: float = 1.0) -> None:
        """Time passes, and a device says something."""
        await self.clock.advance(after_s)  # type: ignore[attr-defined]
        device, _, quantity = address.partition(".")
        batch = self.ingest.batch("test", "test")
        reason = batch.add(batch.feed(device), quantity, value)
        assert reason is None, reason
        self.ingest.send(batch)
        await settle()

    def results(self, id_: str) -> list[str]:
        """What came of the runs of an automation, oldest first."""
        return [run.result for run in self.automations.get(id_).traces]

    def reason(self, id_: str) -> str:
        """Why the last one ended as it did."""
        return self.automations.get(id_).traces[-1].reason

    def steps(self, id_: str) -> list[str]:
        """The steps of the last run."""
        runs = [*self.automations.get(id_).traces, *self.automations.get(id_).runs.values()]
        return [f"{where}: {result}" for where, result, _, _ in runs[-1].steps]

    def value(self, address: str) -> Any:
        """A live state's value."""
        state = self.engine.world.facts.state(address)
        return None if state is None else state.value


def _connect(gadget: Gadget) -> Any:
    @asynccontextmanager
    async def connect(options: Mapping[str, Any], context: Any) -> AsyncIterator[Gadget]:
        yield gadget

    return connect
