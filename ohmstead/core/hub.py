"""The house: its bus, states, clock, plugins, tasks and runners, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.errors import PluginError
from ohmstead.core.events import Stopping
from ohmstead.core.ingest import Ingest, Store
from ohmstead.core.ingest import Registry as Admission
from ohmstead.core.isolation import SecondLoop, Watchdog, guard
from ohmstead.core.loader import Loader, Plugin
from ohmstead.core.quantity import Quantities
from ohmstead.core.route import Route
from ohmstead.core.runner import FORMAT, Entry, Registry, Runner, Runners, Source, decode
from ohmstead.core.states import States
from ohmstead.core.supervise import Tasks
from ohmstead.core.visitor import Visitor, task_name

log = logging.getLogger(__name__)

T = TypeVar("T")


class Hub:
    """What plugins are given. Services beyond these attributes are found by their type: `hub.get(Storage)`."""

    ingest: Ingest
    runners: Runners

    def __init__(self, config_dir: Path, clock: Clock | None = None, bus: Bus | None = None) -> None:
        self.config_dir = config_dir
        self.data_dir = config_dir / "data"
        self.clock = clock or Clock()
        self.bus = bus or Bus()
        self.states = States(self.bus)
        self.quantities = Quantities()
        self.plugins = Loader(self.bus)
        self.tasks = Tasks(self.clock)
        self.second = SecondLoop()
        self._services: dict[type, Any] = {}
        self._watchdog: Watchdog | None = None
        self._quarantines: set[asyncio.Task[None]] = set()
        self.plugins.on_quarantine.append(self._stop_plugin)

    def provide(self, service: object) -> None:
        """Offer a service to all plugins, found by its class."""
        self._services[type(service)] = service

    def get(self, kind: type[T]) -> T:
        """The service of that class; PluginError when the house has none."""
        found = self._services.get(kind)
        if found is None:
            raise PluginError(f"this house has no {kind.__name__}")
        return found  # type: ignore[no-any-return]

    def visitor(self, plugin: str) -> Visitor:
        """What a foreign plugin is given instead of the hub."""
        return Visitor(self, plugin)

    def routes(self) -> list[Route]:
        """The operations of the API that plugins declare; those of foreign plugins run on the second loop."""
        return [
            route if plugin.shipped else msgspec.structs.replace(route, handler=guard(self.second, route.handler))
            for plugin, route in self.plugins.collect("ohmstead_routes", hub=self)
        ]

    def connect(self, store: Store, devices: Any, make_context: Source) -> None:
        """Join ingest and the runners to the storage and the devices' registry."""
        admission: Admission = devices
        registry: Registry = devices
        self.ingest = Ingest(self.bus, self.states, self.clock, self.quantities, store, admission)
        self.ingest.decoder(FORMAT, decode)

        def make(entry: Entry) -> Runner:
            return Runner(entry, self.ingest, registry, self.clock, self.second, make_context, self.quarantine)

        self.runners = Runners(self.tasks, make)

    def quarantine(self, name: str, reason: str) -> None:
        """Take a plugin out of the house until the next start."""
        plugin = self.plugins.get(name)
        if plugin is not None:
            self.plugins.quarantine(plugin, reason)

    async def start(self) -> None:
        """Tell every plugin that the house stands; watch the loops from now on."""
        self._watchdog = Watchdog(self.plugins.owner, self.plugins.blocked)
        self._watchdog.watch(asyncio.get_running_loop())
        if any(not plugin.shipped for plugin in self.plugins):
            self._watchdog.watch(self.second.start())
        self.plugins.collect("ohmstead_started", hub=self)

    async def stop(self) -> None:
        """Stop what the house runs, in the opposite order; whoever joined storage and web closes those."""
        self.bus.publish(Stopping())
        self.plugins.collect("ohmstead_stopping", hub=self)
        await self.tasks.stop_all()
        await asyncio.gather(*self._quarantines, return_exceptions=True)
        if self._watchdog is not None:
            self._watchdog.stop()
        await self.second.stop()

    def _stop_plugin(self, plugin: Plugin) -> None:
        if not hasattr(self, "runners"):
            return
        stopping = asyncio.get_running_loop().create_task(self._end(plugin.name))
        self._quarantines.add(stopping)
        stopping.add_done_callback(self._quarantines.discard)

    async def _end(self, plugin: str) -> None:
        await self.runners.stop_plugin(plugin)
        await self.tasks.stop_named(task_name(plugin, ""))


