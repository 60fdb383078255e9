"""Everything the house is made of: constructed and joined, opened in order, closed in the opposite one. Nothing runs yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from ohmstead.config import audited
from ohmstead.config.check import Checked
from ohmstead.config.contributions import Contributions
from ohmstead.config.messaging import Messaging
from ohmstead.config.money_parts import MoneyParts
from ohmstead.config.rule_parts import RuleParts
from ohmstead.config.sections import INTEGRATIONS
from ohmstead.config.shipped import shipped
from ohmstead.core.clock import Clock
from ohmstead.core.events import AccessDenied
from ohmstead.core.hub import Hub
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.heard import DEVICES
from ohmstead.plugins.devices import configured
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.jobs.jobs import Jobs
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.people.people import People
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.protocols.mqtt import Mqtt
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.support.plugin import SupportPlugin


class Parts:
    """The rooms of one house and its plugins. ConfigError for a database that cannot be."""

    def __init__(self, folder: Path, url: str, durability: str, clock: Clock | None = None) -> None:
        self.hub = hub = Hub(folder, clock)
        self.storage = Storage(url, hub.data_dir, hub.clock, hub.bus, durability)
        self.devices = Devices(self.storage, hub.bus, hub.clock, hub.quantities, hub.data_dir)
        self.jobs = Jobs(self.storage, hub.clock, hub.second)
        self.audit = Audit(self.storage, hub.clock, hub.data_dir)
        self.money = MoneyParts(hub, self.storage, self.devices)
        self.mqtt = Mqtt(hub.data_dir, hub.clock, self.storage.has_room)
        self.messaging = Messaging(self.mqtt, self._admit_to_broker, hub.data_dir)
        self.support = SupportPlugin(hub, self.storage, lambda: self.mqtt.reason, lambda: self.jobs.failing)
        self.protocols = Protocols(hub.clock, self.mqtt, hub.quantities)
        self.people = People(self.storage, hub.clock, hub.data_dir, lambda: self.devices.locations.zone_of(HOME))
        self.notifiers = Notifiers(self.storage, self.people, hub.bus, hub.clock, hub.data_dir, self.protocols.http())
        self.commands = Commands(hub, self.devices)
        self.rules = RuleParts(
            hub, self.storage, self.devices, self.commands, self.protocols, self.people, self.notifiers, self.money
        )
        self.contributions = Contributions(hub, self.money.tariffs.add_kind, self.rules.automations.kinds.add)
        self._ends = AsyncExitStack()  # what closes the rooms, in the order opposite to their opening
        self._audit_all()
        for service in (self.storage, self.devices, self.jobs, self.audit, self.mqtt, self.protocols, self.people, self.notifiers,
                        self.commands, *self.money.services, *self.rules.services):  # fmt: skip
            hub.provide(service)
        for name, plugin in shipped(self).items():
            hub.plugins.add(name, plugin)

    def _audit_all(self) -> None:
        """Enter in the log what other rooms do, in the transactions in which they do it."""
        audit, money = self.audit, self.money
        self.storage.around = audit.operations.around
        self.devices.journal.witness = audit.witness(DEVICES)
        money.ledger.corrections.witness = audit.witness(audited.CORRECTIONS)
        money.billing.bills.book.joins.append(partial(audited.bill_issued, audit))
        self.rules.alerting.alerts.journal.witness = audit.witness(audited.ALERTS)

    def _admit_to_broker(self, device: str, secret: str) -> bool:
        admitted = self.devices.verify(device, secret)
        if not admitted:
            self.hub.bus.publish(AccessDenied(None, device, "MQTT CONNECT", "ingest", "wrong secret", ""))
        return admitted

    def problems(self, checked: Checked) -> Iterator[configured.Problem]:
        """What of a configuration clashes with what the house holds, or with itself, although each part by itself is right."""
        yield from configured.problems(self.devices, checked.configured)
        yield from self.contributions.problems({**checked.sections, INTEGRATIONS: checked.entries})

    def devices_in(self, location: str) -> list[str]:
        """The ids of the devices in a location and in what lies within. NotFound."""
        places = self.devices.locations
        inside = places.within(places.get(location).id)
        return [entry.device.id for entry in self.devices if entry.device.location in inside]

    async def open(self) -> None:
        """Open the database, then the rooms over it, each with what it stored. ConfigError, Unavailable; close it then too."""
        ends = self._ends
        ends.push_async_callback(self.hub.second.stop)
        ends.push_async_callback(self.protocols.close)
        ends.push_async_callback(self.messaging.stop)  # after the storage: what it commits at last is acknowledged too
        await self.storage.open(self.contributions.tables())
        ends.push_async_callback(self.storage.close)
        await self.audit.open()
        ends.push_async_callback(self.audit.close)
        await self.devices.open()
        ends.push_async_callback(self.devices.close)
        await self.people.open()
        ends.callback(self.notifiers.close)
        await self.money.open()
        await self.rules.open()
        self.hub.connect(self.storage, self.devices, self.protocols.context)

    async def close(self) -> None:
        """Commit and acknowledge what is here, and close everything that was opened."""
        await self._ends.aclose()
