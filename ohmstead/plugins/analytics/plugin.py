"""What analytics declare to the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core.plugin import Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.analytics.carbon import CARBON, Carbon
from ohmstead.plugins.analytics.consumption import Consumption
from ohmstead.plugins.analytics.consumption_routes import ConsumptionRoutes
from ohmstead.plugins.analytics.cost import Costs
from ohmstead.plugins.analytics.green import Green
from ohmstead.plugins.analytics.green_routes import GreenRoutes
from ohmstead.plugins.analytics.live import GreenLive
from ohmstead.plugins.analytics.sources import SOURCE, Sources
from ohmstead.plugins.analytics.tables import TABLES
from ohmstead.plugins.analytics.telemetry import Telemetry
from ohmstead.plugins.devices.commands import Commands

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.billing.billing import Billing
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage

SECTION = {
    vol.Optional("sources", default={}, description="what is stated of sources, by the id of their meter point"): {slug: SOURCE},
    vol.Optional("carbon", default=[], description="what a kWh from the grid stands for, by date"): CARBON,
}


class AnalyticsPlugin:
    """Green energy, consumption and telemetry, as a plugin like anyone's."""

    def __init__(self, ledger: Ledger, billing: Billing, devices: Devices, storage: Storage, hub: Hub) -> None:
        self._ledger, self._billing, self._devices, self._storage = ledger, billing, devices, storage
        self.green = Green(ledger, Sources(ledger.points, storage, hub.clock))

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The toggles of sources."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`green_energy:`."""
        return [Section("green_energy", SECTION, self.apply, "sources of green energy, and carbon", default={})]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """Green energy, consumption, telemetry."""
        costs = Costs(self._ledger, self._billing, hub.clock)
        return [
            *GreenRoutes(self.green, self._ledger, Commands(hub, self._devices), hub.clock).all(),
            *ConsumptionRoutes(Consumption(self._ledger), costs, self._devices.locations, hub.clock).all(),
            *Telemetry(hub, self._devices, self._storage, hub.clock).all(),
        ]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Tell the live socket from now on."""
        live = GreenLive(hub, self.green, self._ledger.points)
        live.listen()
        hub.tasks.start("green energy", live.work)

    async def apply(self, given: Mapping[str, Any] | None) -> None:
        """Put the section in force."""
        found = given or {}
        self.green.sources.stated = found.get("sources", {})
        self.green.carbon = Carbon(found.get("carbon", ()))
