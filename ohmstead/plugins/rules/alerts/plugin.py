"""What the alerts declare to the house, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.events import DeviceChanged
from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.rules.alerts.alert_routes import AlertRoutes
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.rule import BUDGET, ENERGY, ERROR, FINDING, OFFLINE, PRICE, READING, RULE, TEMPLATE
from ohmstead.plugins.rules.alerts.rule_routes import RuleRoutes
from ohmstead.plugins.rules.alerts.rules import AlertRules
from ohmstead.plugins.rules.alerts.selection import Selection
from ohmstead.plugins.rules.alerts.setting import Setting
from ohmstead.plugins.rules.alerts.sources.energies import Energies
from ohmstead.plugins.rules.alerts.sources.events import Findings, Troubles
from ohmstead.plugins.rules.alerts.sources.expressions import Expressions
from ohmstead.plugins.rules.alerts.sources.readings import Readings
from ohmstead.plugins.rules.alerts.sources.source import Source
from ohmstead.plugins.rules.alerts.sources.statuses import Statuses
from ohmstead.plugins.rules.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.people.people import People
    from ohmstead.plugins.rules.watch import Watches
    from ohmstead.plugins.storage.storage import Storage

PRICE_NOW = "tariff.price_now"


class AlertsPlugin:
    """Rules, their sources and the alerts, as a plugin like anyone's.

    `alerts.journal.tell` and `expressions.templates` are for the house to join.
    """

    def __init__(self, hub: Hub, storage: Storage, watches: Watches, devices: Devices, ledger: Ledger, people: People) -> None:
        self._hub, self._watches = hub, watches
        self._setting = Setting(devices, hub.states)
        self.alerts = alerts = Alerts(storage, hub.clock, hub.bus, watches, self._setting)
        selection = Selection(devices, ledger.points)
        self._readings = Readings(watches, alerts, selection, self._setting, hub.quantities)
        self._statuses = Statuses(watches, alerts, selection, devices)
        self._energies = Energies(watches, alerts, ledger, hub.clock)
        self._findings = Findings(alerts, ledger.points, hub.clock)
        self.expressions = Expressions(watches, alerts, hub.clock)
        self._troubles = Troubles(alerts, hub.clock)
        sources: dict[str, Source] = {
            **dict.fromkeys((READING, PRICE, BUDGET), self._readings), **dict.fromkeys((OFFLINE, ERROR), self._statuses),
            ENERGY: self._energies, FINDING: self._findings, TEMPLATE: self.expressions,
        }  # fmt: skip
        self.rules = AlertRules(storage, hub.clock, hub.quantities, devices, ledger.points, people, alerts, sources, self._asks)

    def _asks(self, template: str) -> frozenset[tuple[str, str]]:
        return self.expressions.templates.compile(template).asks

    async def open(self) -> None:
        """Take in how gates and alerts stood, and the rules that the API made. Storage must be open."""
        await self._watches.open()
        await self.alerts.open()
        await self.rules.open()

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """Rules, alerts, gates."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`alerts:`."""
        rules = self.rules
        return [Section("alerts", {slug: RULE}, rules.apply, "what people are to be told of, by id", default={}, problems=rules.problems)]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/rules` and `/alerts`."""
        return [*RuleRoutes(self.rules, self.alerts, hub.clock).all(), *AlertRoutes(self.alerts, hub.clock).all()]

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Forgetting what is old."""
        return [Job("alerts", self.alerts.prune, cron="43 3 * * *", description="forget alerts that were resolved two years ago")]

    def watch(self, hub: Hub) -> None:
        """Hear of all that rules may be about, from now on."""
        hub.bus.subscribe(DeviceChanged, self._setting.device_changed)
        for source in (self._readings, self._statuses, self._energies, self._findings, self._troubles):
            source.listen(hub.bus.subscribe)
        self._watches.watch(PRICE_NOW, self._setting.hear_price)
        self.rules.run()
        self._watches.listen(hub.bus)

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Watch, and do what follows."""
        self.watch(hub)
        hub.tasks.start("rules", self._watches.work)
        hub.tasks.start("rules' journal", self._watches.keep)
        hub.tasks.start("alerts", self.alerts.work)
        hub.tasks.start("energy rules", self._energies.work)
        hub.tasks.start("template rules", self.expressions.work)
