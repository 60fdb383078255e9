"""What reconciliation declares to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.billing.billing import Billing
from ohmstead.plugins.billing.reconcile.invoices import Invoices
from ohmstead.plugins.billing.reconcile.reconciler import Reconciler
from ohmstead.plugins.billing.reconcile.routes import InvoiceRoutes
from ohmstead.plugins.billing.reconcile.tables import TABLES
from ohmstead.plugins.storage.storage import Storage

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


class ReconcilePlugin:
    """The check of invoices as a plugin like anyone's."""

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """Invoices."""
        return [TABLES]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/invoices`."""
        billing = hub.get(Billing)
        return InvoiceRoutes(Invoices(hub.get(Storage), billing.contracts, hub.clock), Reconciler(billing)).all()
