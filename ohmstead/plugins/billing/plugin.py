"""What billing declares to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.quantity import Quantity
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.billing.bill_routes import BillRoutes
from ohmstead.plugins.billing.contract_routes import ContractRoutes
from ohmstead.plugins.billing.live import QUANTITIES, LiveCosts
from ohmstead.plugins.billing.opened import Opener
from ohmstead.plugins.billing.schemas import CONTRACT
from ohmstead.plugins.billing.study_routes import StudyRoutes
from ohmstead.plugins.billing.tables import TABLES
from ohmstead.plugins.billing.what_if import WhatIf
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.storage.storage import Storage

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.billing.billing import Billing


class BillingPlugin:
    """Billing as a plugin like anyone's."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """Contracts and bills."""
        return [TABLES]

    @hookimpl
    def ohmstead_quantities(self) -> tuple[Quantity, ...]:
        """What energy costs now; ¤ stands for the contract's currency."""
        return QUANTITIES

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`contracts:`."""
        contracts = self._billing.contracts
        return [
            Section("contracts", {slug: CONTRACT}, contracts.apply, "what is bought and sold, at which tariff, by id", default={},
                    problems=contracts.yaml_problems),
        ]  # fmt: skip

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """Contracts and bills."""
        opener = Opener(self._billing.bills, hub.get(Ledger), hub.get(Storage).history)
        bills = self._billing.bills
        studies = StudyRoutes(bills, self._billing.slots, WhatIf(bills.biller, hub.clock))
        return [*ContractRoutes(self._billing.contracts).all(), *BillRoutes(bills, opener).all(), *studies.all()]

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Keeping drafts of the periods that ended."""
        return [Job("bills", self._billing.bills.close_ended, cron="40 4 * * *", description="bills of the periods that ended lately")]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Follow what changes from now on."""
        self._billing.listen(hub.bus)
        live = LiveCosts(hub, self._billing.bills, self._billing.slots)
        live.listen()
        hub.tasks.start("live costs", live.work)
