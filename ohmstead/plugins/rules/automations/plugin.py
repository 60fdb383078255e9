"""What automations declare to the house."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ohmstead.core.plugin import RuleKind, Section, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.people.schema import OWNER
from ohmstead.plugins.rules.automations import actions, conditions, event_triggers, flow, state_triggers, time_triggers
from ohmstead.plugins.rules.automations.automations import Automations
from ohmstead.plugins.rules.automations.build import CONTRACT, TARIFF, Known
from ohmstead.plugins.rules.automations.functions import Energies, functions
from ohmstead.plugins.rules.automations.kinds import Kinds
from ohmstead.plugins.rules.automations.live import LiveFacts, LiveHands, subscriber
from ohmstead.plugins.rules.automations.routes import AutomationRoutes
from ohmstead.plugins.rules.automations.timers import Timers
from ohmstead.plugins.rules.automations.webhooks import Webhooks
from ohmstead.plugins.rules.automations.world import World
from ohmstead.plugins.rules.templates import Templates

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.commands import Commands
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.notifiers.notifiers import Notifiers
    from ohmstead.plugins.protocols import Protocols
    from ohmstead.plugins.rules.watch import Watches
    from ohmstead.plugins.storage.storage import Storage

class AutomationsPlugin:
    """Automations as a plugin like anyone's."""

    def __init__(self, hub: Hub, storage: Storage, watches: Watches, devices: Devices, commands: Commands, notifiers: Notifiers,
                 protocols: Protocols, ledger: Ledger) -> None:  # fmt: skip
        self._hub, self._devices, self._people = hub, devices, notifiers.people
        self._energies = Energies(ledger, hub.clock)
        self._facts = facts = LiveFacts(hub, devices, self._energies)
        hands = LiveHands(hub, commands, notifiers, protocols.mqtt, protocols.http())
        world = World(hub.clock, hub.bus, watches, Timers(hub.clock), facts, hands, Templates(functions(facts, hub.clock)),
                      subscriber(protocols.mqtt), Webhooks(hub.clock))  # fmt: skip
        self.automations = Automations(world, Kinds(), storage, commands.arbiter, self._known)
        self.contracts: Callable[[], Mapping[str, str]] = dict  # id -> origin; for the house to join

    @hookimpl
    def ohmstead_rules(self) -> list[RuleKind]:
        """The kinds that come with Ohmstead."""
        kinds = self.automations.kinds
        triggers = [*state_triggers.kinds(), *time_triggers.kinds(), *event_triggers.kinds()]
        return [*triggers, *conditions.kinds(kinds), *actions.kinds(), *flow.kinds(kinds)]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`automations:`."""
        automations = self.automations

        def problems(sections: Mapping[str, Any]) -> Any:
            return automations.problems(sections["automations"], self._stated(sections))

        words = "what is done when something happens, by id"
        return [Section("automations", {slug: automations.schema}, automations.apply, words, default={}, problems=problems)]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/automations`."""
        return AutomationRoutes(self.automations).all()

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Listen, ring and write from now on."""
        self._energies.listen(hub.bus)
        self.automations.begin()
        hub.tasks.start("automations", self.automations.work)
        hub.tasks.start("automations' timers", self.automations.engine.world.timers.work)
        hub.tasks.start("automations' energies", self._energies.work)

    def _known(self, ids: Iterable[str]) -> Known:
        """What may be spoken of now."""
        devices = {entry.device.id for entry in self._devices} | {state.series.device for state in self._hub.states} | {TARIFF}
        devices |= {f"{CONTRACT}{contract}" for contract in self.contracts()}
        placed = self._facts.position is not None
        recipients = frozenset({OWNER, *(role for each in self._people for role in each.roles)})
        return Known(frozenset(devices), self._hub.quantities, frozenset(ids), self._devices.admission.enabled, placed, recipients)

    def _stated(self, sections: Mapping[str, Any]) -> Known:
        """What the YAML's may speak of: what the files define, and what the house holds beside them."""
        devices = {entry.device.id for entry in self._devices if entry.device.origin != "yaml"}
        devices |= {*sections["devices"], *sections["integrations"], TARIFF}
        made = (contract for contract, origin in self.contracts().items() if origin != "yaml")
        devices |= {f"{CONTRACT}{contract}" for contract in (*sections["contracts"], *made)}
        others = {each.id for each in self.automations if each.origin == "api"}
        ids = frozenset({*sections["automations"], *others})
        placed = {"latitude", "longitude"} <= sections["home"].keys()
        people: Mapping[str, Any] = sections.get("people") or {}
        recipients = frozenset({OWNER, *people, *(role for person in people.values() for role in person["roles"])})
        return Known(frozenset(devices), self._hub.quantities, ids, sections["registry"]["auto"], placed, recipients)
