"""The plugins that come with Ohmstead. To remove one, delete its folder and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.config import audited
from ohmstead.config.keeping import KeepingPlugin
from ohmstead.integrations import dsmr, eastron, mqtt_topics, price_feeds, shelly_gen2
from ohmstead.integrations.csv_file import CsvFile
from ohmstead.integrations.demo_house import DemoHouse
from ohmstead.integrations.green_button import GreenButton
from ohmstead.integrations.home_assistant import HomeAssistant
from ohmstead.integrations.line_protocol import LineProtocol
from ohmstead.integrations.native import Native
from ohmstead.plugins.analytics.health_routes import HealthPlugin
from ohmstead.plugins.analytics.plugin import AnalyticsPlugin
from ohmstead.plugins.audit.plugin import AuditPlugin
from ohmstead.plugins.billing.plugin import BillingPlugin
from ohmstead.plugins.billing.reconcile.plugin import ReconcilePlugin
from ohmstead.plugins.devices.plugin import DevicesPlugin
from ohmstead.plugins.history.plugin import HistoryPlugin
from ohmstead.plugins.ledger.plugin import LedgerPlugin
from ohmstead.plugins.notifiers.plugin import NotifiersPlugin
from ohmstead.plugins.people.plugin import PeoplePlugin
from ohmstead.plugins.reports.plugin import ReportsPlugin
from ohmstead.plugins.rules.backtest.plugin import BacktestPlugin
from ohmstead.plugins.tariffs.plugin import TariffsPlugin
from ohmstead.plugins.tariffs.prices.plugin import PricesPlugin

if TYPE_CHECKING:
    from ohmstead.config.parts import Parts


def shipped(parts: Parts) -> dict[str, object]:
    """Them, by name, in the order in which their hooks are called."""
    hub, storage, devices, money, rules = parts.hub, parts.storage, parts.devices, parts.money, parts.rules
    return {
        "devices": DevicesPlugin(devices, parts.commands),
        "jobs": parts.jobs,
        "audit": AuditPlugin(parts.audit, hub.clock, hub.bus, (audited.FINDINGS,)),
        "people": PeoplePlugin(parts.people),
        "notifiers": NotifiersPlugin(parts.notifiers),
        "tariffs": TariffsPlugin(money.tariffs, money.tariff_routes),
        "prices": PricesPlugin(money.prices),
        "ledger": LedgerPlugin(money.ledger),
        "billing": BillingPlugin(money.billing),
        "automations": rules.automating,  # before the alerts, which then forget the gates that nobody has
        "alerts": rules.alerting,
        "backtest": BacktestPlugin(rules.backtest, devices),
        "analytics": AnalyticsPlugin(money.ledger, money.billing, devices, storage, hub),
        "health": HealthPlugin(hub, devices, storage, hub.clock),
        "reconcile": ReconcilePlugin(),
        "backup": KeepingPlugin(parts),
        "reports": ReportsPlugin(),
        "support": parts.support,
        "history": HistoryPlugin(storage, devices, hub.clock),
        "native": Native(devices.report, storage.history.period_start),
        "mqtt_topics": mqtt_topics,
        "line_protocol": LineProtocol(),
        "csv_file": CsvFile(hub.quantities),
        "green_button": GreenButton(),
        "home_assistant": HomeAssistant(),
        "shelly_gen2": shelly_gen2,
        "eastron": eastron,
        "dsmr": dsmr,
        "price_feeds": price_feeds,
        "demo_house": DemoHouse(hub),
    }
