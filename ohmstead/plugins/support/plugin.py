"""What the watch declares to the house: it looks every quarter of a minute and tells on the bus what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ohmstead.core.events import AccessDenied
from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Call, Route
from ohmstead.core.supervise import Task
from ohmstead.plugins.support.facts import Facts, Machine, Traffic
from ohmstead.plugins.support.watch import Watch

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.storage.storage import Storage

EVERY_S = 15.0


class SupportPlugin:
    """The watch as a plugin like anyone's. `traffic` is for the web server to give, when there is one."""

    def __init__(self, hub: Hub, storage: Storage, broker: Callable[[], str | None],
                 failing: Callable[[], Sequence[str]] = list) -> None:  # fmt: skip
        """`broker` says what is wrong with the connection to it, None when nothing is or there is none; `failing` names jobs."""
        self._hub, self._storage, self._broker, self._failing = hub, storage, broker, failing
        self._machine, self._watch = Machine(hub.data_dir), Watch()
        self._sign_ins = 0
        self._newest: Facts | None = None
        self.traffic: Callable[[], Traffic] = Traffic

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/system`."""
        return [Route("GET", "/system", self.shown, "read", "How the hub itself is, and what is wrong with it", tags=("health",))]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Watch from now on."""
        hub.bus.subscribe(AccessDenied, self._denied)
        hub.tasks.start("self-watch", self.work)

    def _denied(self, event: AccessDenied) -> None:
        self._sign_ins += event.who is None and event.device is None and event.scope != "ingest"  # of senders, the audit log tells

    async def work(self, task: Task) -> None:
        """Look, for ever."""
        while True:
            for event in self._watch.look(await self.look()):
                self._hub.bus.publish(event)
            task.up()
            await self._hub.clock.sleep(EVERY_S)

    async def look(self) -> Facts:
        """How things are now."""
        cpu, ram, disk = await asyncio.to_thread(self._machine.look)
        database = None if self._storage.healthy else "the database cannot be written; readings wait"
        self._newest = Facts(self._hub.clock.monotonic(), self.traffic(), database, self._broker(), self._storage.waiting,
                             cpu, ram, disk, self._sign_ins, tuple(self._failing()))  # fmt: skip
        return self._newest

    async def shown(self, call: Call) -> dict[str, Any]:
        """The newest look, at most a quarter of a minute old, and every trouble there is."""
        facts = self._newest or await self.look()
        troubles = [
            {"key": each.key, "severity": each.severity, "title": each.title, "message": each.message}
            for each in self._watch.troubles.values()
        ]  # fmt: skip
        return {
            "troubles": troubles, "waiting": facts.backlog, "requests": facts.traffic.requests, "errors": facts.traffic.errors,
            "p95_s": round(facts.traffic.p95_s, 4), "cpu": facts.cpu, "ram": facts.ram, "disk": facts.disk,
            "failed_sign_ins": facts.sign_ins,
        }  # fmt: skip
