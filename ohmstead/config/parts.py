"""Everything the house is made of, constructed and joined; nothing is opened and nothing runs yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ohmstead.config import audited, blueprints
from ohmstead.config.check import Checked, Known
from ohmstead.config.keeping import KeepingPlugin
from ohmstead.config.messaging import Messaging
from ohmstead.config.past_money import PastMoney
from ohmstead.config.sections import INTEGRATIONS, SECTIONS
from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError, Conflict
from ohmstead.core.events import AccessDenied
from ohmstead.core.hub import Hub
from ohmstead.core.loader import Plugin
from ohmstead.core.plugin import Importer, Integration, RuleKind, Section, Tables
from ohmstead.integrations import dsmr, eastron, mqtt_topics, price_feeds, shelly_gen2
from ohmstead.integrations.csv_file import CsvFile
from ohmstead.integrations.demo_house import DemoHouse
from ohmstead.integrations.green_button import GreenButton
from ohmstead.integrations.home_assistant import HomeAssistant
from ohmstead.integrations.line_protocol import LineProtocol
from ohmstead.integrations.native import Native
from ohmstead.plugins.analytics.health_routes import HealthPlugin
from ohmstead.plugins.analytics.plugin import AnalyticsPlugin
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.heard import DEVICES
from ohmstead.plugins.audit.plugin import AuditPlugin
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.plugin import BillingPlugin
from ohmstead.plugins.billing.reconcile.disputes import Disputes
from ohmstead.plugins.billing.reconcile.plugin import ReconcilePlugin
from ohmstead.plugins.devices import configured
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.devices.plugin import DevicesPlugin
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.history.plugin import HistoryPlugin
from ohmstead.plugins.jobs.jobs import Jobs
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.ledger.plugin import LedgerPlugin
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.notifiers.plugin import NotifiersPlugin
from ohmstead.plugins.people.people import People
from ohmstead.plugins.people.plugin import PeoplePlugin
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.protocols.mqtt import Mqtt
from ohmstead.plugins.reports.plugin import ReportsPlugin
from ohmstead.plugins.rules.alerts.plugin import AlertsPlugin
from ohmstead.plugins.rules.automations.foreign import elsewhere
from ohmstead.plugins.rules.automations.plugin import AutomationsPlugin
from ohmstead.plugins.rules.backtest.backtest import Backtest
from ohmstead.plugins.rules.backtest.plugin import BacktestPlugin
from ohmstead.plugins.rules.watch import Watches
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.support.plugin import SupportPlugin
from ohmstead.plugins.tariffs.plugin import TariffsPlugin
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.plugin import PricesPlugin
from ohmstead.plugins.tariffs.records import TariffRecords
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.routes import TariffRoutes
from ohmstead.web.dispatch import Operation

log = logging.getLogger(__name__)

HAND_S = 10.0  # how long a foreign plugin may take over its part of the YAML


class Parts:
    """The rooms of one house and its plugins. ConfigError for a database that cannot be."""

    def __init__(self, folder: Path, url: str, durability: str, clock: Clock | None = None) -> None:
        self.hub = hub = Hub(folder, clock)
        self.storage = Storage(url, hub.data_dir, hub.clock, hub.bus, durability)
        self.devices = Devices(self.storage, hub.bus, hub.clock, hub.quantities, hub.data_dir)
        self.jobs = Jobs(self.storage, hub.clock, hub.second)
        self.audit = Audit(self.storage, hub.clock, hub.data_dir)
        self.tariffs = Tariffs()
        self.tariff_records = TariffRecords(self.tariffs, self.storage, hub.clock)
        self.prices = PriceBook(self.storage, hub.clock, hub.bus)
        self.ledger = Ledger(self.storage, self.devices, hub.bus, hub.clock)
        self.billing = Billing(self.storage, hub.clock, self.devices.locations, self.ledger, self.tariffs, self.prices)
        self.billing.bills.book.joins.append(partial(audited.bill_issued, self.audit))
        self.storage.around = self.audit.operations.around
        self.devices.journal.witness = self.audit.witness(DEVICES)
        self.ledger.corrections.witness = self.audit.witness(audited.CORRECTIONS)
        self.ledger.corrections.valuer = self.billing.valuer
        self.ledger.archive.holders.append(Disputes(self.storage, self.billing, hub.clock).holds)
        self.storage.retention.keeper, self.storage.rollups.past = self.ledger.archive, self.ledger.vault
        self.tariff_records.guards.append(self._keep_needed)
        self.ledger.registrar.guards.append(self._keep_billed)
        self.mqtt = Mqtt(hub.data_dir, hub.clock, self.storage.has_room)
        self.messaging = Messaging(self.mqtt, self._admit_to_broker, hub.data_dir)
        self.support = SupportPlugin(hub, self.storage, lambda: self.mqtt.reason, lambda: self.jobs.failing)
        self.protocols = Protocols(hub.clock, self.mqtt, hub.quantities)
        self.people = People(self.storage, hub.clock, hub.data_dir, lambda: self.devices.locations.zone_of(HOME))
        self.notifiers = Notifiers(self.storage, self.people, hub.bus, hub.clock, hub.data_dir, self.protocols.http())
        self.watches = Watches(hub.clock, self.storage)
        self.alerting = AlertsPlugin(hub, self.storage, self.watches, self.devices, self.ledger, self.people)
        self.alerting.alerts.journal.tell = self.notifiers.enqueue
        self.alerting.alerts.journal.witness = self.audit.witness(audited.ALERTS)
        self.commands = Commands(hub, self.devices)
        self.automating = AutomationsPlugin(
            hub, self.storage, self.watches, self.devices, self.commands, self.notifiers, self.protocols, self.ledger
        )
        world = self.automating.automations.engine.world
        self.alerting.expressions.templates, self.alerting.expressions.want = world.templates, world.facts.want
        self.automating.automations.blueprints.read = lambda: blueprints.read(folder)
        self._foreign: dict[str, Plugin] = {}  # section -> the plugin that it is of, unless that ships with us
        for service in (self.storage, self.devices, self.jobs, self.audit, self.tariffs, self.prices, self.ledger, self.billing, self.mqtt,
                        self.protocols, self.people, self.notifiers, self.watches, self.alerting.alerts, self.alerting.rules,
                        self.commands, self.automating.automations):  # fmt: skip
            hub.provide(service)
        for name, plugin in self._shipped().items():
            hub.plugins.add(name, plugin)

    def _shipped(self) -> dict[str, object]:
        """The plugins that come with Ohmstead. To remove one, delete its folder and its line here."""
        return {
            "devices": DevicesPlugin(self.devices, self.commands),
            "jobs": self.jobs,
            "audit": AuditPlugin(self.audit, self.hub.clock, self.hub.bus, (audited.FINDINGS,)),
            "people": PeoplePlugin(self.people),
            "notifiers": NotifiersPlugin(self.notifiers),
            "tariffs": TariffsPlugin(self.tariffs, self._tariff_routes()),
            "prices": PricesPlugin(self.prices),
            "ledger": LedgerPlugin(self.ledger),
            "billing": BillingPlugin(self.billing),
            "automations": self.automating,  # before the alerts, which then forget the gates that nobody has
            "alerts": self.alerting,
            "backtest": BacktestPlugin(self._backtest(), self.devices),
            "analytics": AnalyticsPlugin(self.ledger, self.billing, self.devices, self.storage, self.hub),
            "health": HealthPlugin(self.hub, self.devices, self.storage, self.hub.clock),
            "reconcile": ReconcilePlugin(),
            "backup": KeepingPlugin(self),
            "reports": ReportsPlugin(),
            "support": self.support,
            "history": HistoryPlugin(self.storage, self.devices, self.hub.clock),
            "native": Native(self.devices.report, self.storage.history.period_start),
            "mqtt_topics": mqtt_topics,
            "line_protocol": LineProtocol(),
            "csv_file": CsvFile(self.hub.quantities),
            "green_button": GreenButton(),
            "home_assistant": HomeAssistant(),
            "shelly_gen2": shelly_gen2,
            "eastron": eastron,
            "dsmr": dsmr,
            "price_feeds": price_feeds,
            "demo_house": DemoHouse(self.hub),
        }

    def _backtest(self) -> Backtest:
        money, automations = PastMoney(self.billing, self.hub.clock), self.automating.automations
        return Backtest(self.storage, self.devices, self.ledger, self.hub.quantities, money, automations.kinds, automations.schema,
                        self.commands.limits)  # fmt: skip

    def _admit_to_broker(self, device: str, secret: str) -> bool:
        admitted = self.devices.verify(device, secret)
        if not admitted:
            self.hub.bus.publish(AccessDenied(None, device, "MQTT CONNECT", "ingest", "wrong secret", ""))
        return admitted

    def _keep_needed(self, tariff: str) -> None:
        needing = [contract.id for contract in self.billing.contracts if any(name == tariff for _, name in contract.tariffs)]
        if needing:
            raise Conflict(f"tariff {tariff} is needed by the contract {', '.join(needing)}; change that first")

    def _keep_billed(self, point: str) -> None:
        billing = [contract.id for contract in self.billing.contracts.of_point(point)]
        if billing:
            raise Conflict(f"meter point {point} is billed by the contract {', '.join(billing)}; change that first")

    def _tariff_routes(self) -> TariffRoutes:
        def zone() -> str:
            return self.devices.locations.zone_of(HOME)

        return TariffRoutes(self.tariffs, self.tariff_records, self.hub.clock, self.prices, zone)

    def discover(self) -> Known:
        """Load the plugins that do not ship with Ohmstead; what the configuration may speak of with all of them."""
        self.hub.plugins.discover(self.hub.config_dir / "plugins")
        self.importers()  # a plugin whose hook raises is quarantined now, and what it declares can be listed
        for plugin, quantity in self.hub.plugins.collect("ohmstead_quantities"):
            self._take(plugin, self.hub.quantities.add, quantity)
        for plugin, kind in self.hub.plugins.collect("ohmstead_tariffs"):
            self._take(plugin, self.tariffs.add_kind, kind)
        for plugin, part in self.hub.plugins.collect("ohmstead_rules"):
            self._take(plugin, self._add_kind if plugin.shipped else self._add_foreign_kind, part)
        sections: dict[str, Section] = {section.key: section for section in SECTIONS}
        for plugin, section in self.hub.plugins.collect("ohmstead_sections", hub=self.hub):
            if sections.setdefault(section.key, section) is not section:
                self._turn_away(plugin, f"its section {section.key!r} is declared already")
            elif not plugin.shipped:
                self._foreign[section.key] = plugin
        integrations: dict[str, tuple[Integration, str | None]] = {}
        for plugin, integration in self.hub.plugins.collect("ohmstead_integrations"):
            entry = (integration, None if plugin.shipped else plugin.name)
            if integrations.setdefault(integration.type, entry) is not entry:
                self._turn_away(plugin, f"its integration {integration.type!r} is declared already")
        return Known(sections, integrations)

    def _add_kind(self, kind: RuleKind) -> None:
        self.automating.automations.kinds.add(kind)

    def _add_foreign_kind(self, kind: RuleKind) -> None:
        self._add_kind(elsewhere(kind, self.hub.second))

    def _take(self, plugin: Plugin, take: Callable[[Any], None], thing: Any) -> None:
        try:
            take(thing)
        except ConfigError as error:
            self._turn_away(plugin, str(error))

    def _turn_away(self, plugin: Plugin, reason: str) -> None:
        if plugin.shipped:
            raise ConfigError(f"plugin {plugin.name}: {reason}")
        self.hub.plugins.quarantine(plugin, reason)

    def problems(self, checked: Checked) -> Iterator[configured.Problem]:
        """What of a configuration clashes with what the house holds, or with itself, although each part by itself is right."""
        yield from configured.problems(self.devices, checked.configured)
        sections = {**checked.sections, INTEGRATIONS: checked.entries}
        for plugin, section in self.hub.plugins.collect("ohmstead_sections", hub=self.hub):
            if plugin.shipped and section.problems is not None:
                yield from (((section.key, *keys), text) for keys, text in section.problems(sections))

    async def hand(self, section: Section, value: Any) -> None:
        """Give a plugin its part of the YAML, if it asked for it; a foreign one that raises or hangs is quarantined."""
        apply, plugin = section.apply, self._foreign.get(section.key)
        if apply is None:
            return
        if plugin is None:
            await apply(value)
        elif plugin.quarantined is None:
            await self._hand_over(plugin, section.key, lambda: apply(value))

    async def _hand_over(self, plugin: Plugin, key: str, apply: Callable[[], Awaitable[None]]) -> None:
        async def there() -> None:
            await apply()

        taking = asyncio.ensure_future(self.hub.second.call(there, HAND_S))
        await asyncio.wait({taking})
        error = taking.exception()
        if error is not None:
            self.hub.plugins.quarantine(plugin, f"its section {key!r}: {type(error).__name__}: {error}", error)

    def turn_away_clashes(self, taken: Iterable[tuple[str, str]]) -> None:
        """Quarantine plugins whose routes are there already; `taken` are methods and shapes of paths."""
        seen = set(taken)
        for plugin, route in self.hub.plugins.collect("ohmstead_routes", hub=self.hub):
            shape = Operation(route).shape
            if shape in seen:
                self._turn_away(plugin, f"its route {route.method} {route.path} is there already")
            seen.add(shape)

    def devices_in(self, location: str) -> list[str]:
        """The ids of the devices in a location and in what lies within. NotFound."""
        places = self.devices.locations
        inside = places.within(places.get(location).id)
        return [entry.device.id for entry in self.devices if entry.device.location in inside]

    def tables(self) -> list[Tables]:
        """The tables of all plugins."""
        return [tables for _, tables in self.hub.plugins.collect("ohmstead_tables")]

    def importers(self) -> list[Importer]:
        """The readers of files of all plugins."""
        return [importer for _, importer in self.hub.plugins.collect("ohmstead_importers")]

