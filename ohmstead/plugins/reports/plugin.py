"""What the exports declare to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.reports.asked import Asked
from ohmstead.plugins.reports.routes import ExportRoutes
from ohmstead.plugins.storage.storage import Storage

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


class ReportsPlugin:
    """Exports, as a plugin like anyone's."""

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/exports`."""
        asked = Asked(hub.get(Storage).history, hub.get(Devices), hub.get(Ledger), hub.get(Billing).bills, hub.clock)
        return ExportRoutes(asked).all()
