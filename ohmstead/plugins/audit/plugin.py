"""What the log declares to the house."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.events import OperationDone, PluginQuarantined
from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.entry import Entry
from ohmstead.plugins.audit.heard import CORE, Told, operation, quarantined
from ohmstead.plugins.audit.routes import AuditRoutes
from ohmstead.plugins.audit.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

DAY_S = 86_400.0
KEEP, PERSONAL = "730d", "90d"


def days(value: Any) -> float:
    """A time span of a day or more, in seconds."""
    length = validate.duration(value)
    if length < DAY_S:
        raise vol.Invalid("expected a day or more, such as 90d")
    return length


SECTION = {
    vol.Optional("keep", default=KEEP, description="how long entries stay before they are archived"): days,
    vol.Optional("personal", default=PERSONAL, description="how long names and addresses are kept with them"): days,
}


class AuditPlugin:
    """The log as a plugin like anyone's. `more` are events of other rooms and how they become entries.

    It listens from the first moment on, because a command that opens the house while no hub runs changes things, too.
    """

    def __init__(self, audit: Audit, clock: Clock, bus: Bus, more: Iterable[Told] = ()) -> None:
        self._audit, self._clock = audit, clock
        self._keep_s, self._personal_s = days(KEEP), days(PERSONAL)
        bus.subscribe(OperationDone, self._operation)
        for told in (CORE, *more):
            for event, entry_of in told.items():
                bus.subscribe(event, self._listener(entry_of))

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The log's tables."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`audit:`."""
        return [Section("audit", SECTION, self.apply, "the log of what happened and who did it", default={})]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/audit`."""
        return AuditRoutes(self._audit).all()

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Pruning by night."""
        return [Job("audit", self.prune, cron="23 4 * * *", description="archive old entries of the audit log, forget names and addresses")]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Write from now on; plugins that were quarantined before are told of now, once for every start."""
        self._audit.note("hub.started")
        for plugin in hub.plugins:
            if plugin.quarantined is not None:
                self._audit.take(quarantined(PluginQuarantined(plugin.name, plugin.quarantined)))
        hub.bus.subscribe(PluginQuarantined, self._listener(quarantined))
        hub.tasks.start("audit log", self._audit.work)

    def _listener(self, entry_of: Callable[[Any], Entry | None]) -> Callable[[Any], None]:
        def listen(event: Any) -> None:
            if (entry := entry_of(event)) is not None:
                self._audit.take(entry)

        return listen

    def _operation(self, event: OperationDone) -> None:
        """Something was done over the API; what wrote nothing has no entry yet."""
        if not self._audit.operations.entered and (entry := operation(event)) is not None:
            self._audit.take(entry)

    async def apply(self, given: Mapping[str, Any] | None) -> None:
        """Put the section in force."""
        found = given or {}
        self._keep_s, self._personal_s = found.get("keep", days(KEEP)), found.get("personal", days(PERSONAL))

    async def prune(self) -> int:
        """Archive what is old; how many entries."""
        now = self._clock.now_ms()
        await self._audit.search.forget(before_ms=now - round(self._personal_s * 1000))
        return await self._audit.prune(now - round(self._keep_s * 1000))
