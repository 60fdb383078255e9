"""Alerts, automations and backtests, constructed and joined."""

from __future__ import annotations

from ohmstead.config import blueprints
from ohmstead.config.money_parts import MoneyParts
from ohmstead.config.past_money import PastMoney
from ohmstead.core.hub import Hub
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.people.people import People
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.rules.alerts.plugin import AlertsPlugin
from ohmstead.plugins.rules.automations.plugin import AutomationsPlugin
from ohmstead.plugins.rules.backtest.backtest import Backtest
from ohmstead.plugins.rules.watch import Watches
from ohmstead.plugins.storage.storage import Storage


class RuleParts:
    """All that watches and acts. What one of them needs of another that it does not know is joined here."""

    def __init__(
        self, hub: Hub, storage: Storage, devices: Devices, commands: Commands, protocols: Protocols, people: People,
        notifiers: Notifiers, money: MoneyParts,
    ) -> None:  # fmt: skip
        ledger, billing = money.ledger, money.billing
        self.watches = Watches(hub.clock, storage)
        self.alerting = AlertsPlugin(hub, storage, self.watches, devices, ledger, people)
        self.automating = AutomationsPlugin(hub, storage, self.watches, devices, commands, notifiers, protocols, ledger)
        self.automations = automations = self.automating.automations
        self.backtest = Backtest(
            storage, devices, ledger, hub.quantities, PastMoney(billing, hub.clock), automations.kinds, automations.schema, commands.limits
        )
        self.services = (self.watches, self.alerting.alerts, self.alerting.rules, self.automations)
        world = self.automations.engine.world
        self.alerting.expressions.templates, self.alerting.expressions.want = world.templates, world.facts.want
        self.alerting.alerts.journal.tell = notifiers.enqueue
        self.alerting.rules.contracts = self.automating.contracts = lambda: {each.id: each.origin for each in billing.contracts}
        self.automations.blueprints.read = lambda: blueprints.read(hub.config_dir)

    async def open(self) -> None:
        """Take in what the database holds of them."""
        await self.alerting.open()
        await self.automations.open()
