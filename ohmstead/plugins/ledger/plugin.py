"""What the ledger declares to the house. Every part of it adds its sections and routes to the lists here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.ledger.corrections.routes import CorrectionRoutes
from ohmstead.plugins.ledger.engine import verify_routes
from ohmstead.plugins.ledger.engine.status_routes import StatusRoutes
from ohmstead.plugins.ledger.findings.routes import FindingRoutes
from ohmstead.plugins.ledger.imports.routes import ImportRoutes
from ohmstead.plugins.ledger.interval_routes import IntervalRoutes
from ohmstead.plugins.ledger.points.configured import Configured
from ohmstead.plugins.ledger.points.moves import Moves
from ohmstead.plugins.ledger.points.routes import PointRoutes
from ohmstead.plugins.ledger.schemas import LEDGER, Shapes
from ohmstead.plugins.ledger.slot_lengths import SlotLengths
from ohmstead.plugins.ledger.tables import TABLES
from ohmstead.plugins.storage.storage import Storage

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.ledger.ledger import Ledger


class LedgerPlugin:
    """The ledger as a plugin like anyone's."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The ledger's tables."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`meter_points:` and `ledger:`."""
        shapes, ledger = Shapes(hub.quantities), self._ledger
        configured = Configured(shapes, ledger.points, ledger.registrar, ledger.automatic)
        lengths = SlotLengths(hub.get(Storage), ledger.registrar, ledger.deriver.open)
        return [
            Section("meter_points", {slug: shapes.yaml_point}, configured.apply, "the roles energy plays, and what measures them",
                    default={}, problems=configured.problems),
            Section("ledger", LEDGER, lengths.apply, "how long slots are", default={}, problems=lengths.problems),
        ]  # fmt: skip

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """Meter points, intervals, imports, corrections, findings, verify."""
        return [
            *verify_routes.routes(self._ledger),
            *PointRoutes(self._ledger, Shapes(hub.quantities)).all(),
            *IntervalRoutes(self._ledger, hub.clock).all(),
            *ImportRoutes(self._ledger, hub.get(Storage), hub.clock).all(),
            *CorrectionRoutes(self._ledger.corrections).all(),
            *FindingRoutes(self._ledger.findings).all(),
            *StatusRoutes(self._ledger, hub.get(Storage), hub.clock).all(),
        ]

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Clearing away imports that nobody finished; looking over the last weeks at night."""
        return [
            Job("imports", self._ledger.imports.tidy, every_s=3600, description="clear away imports that nobody finished"),
            Job("findings", self._ledger.findings.nightly, cron="41 4 * * *", description="look for what the data contradicts"),
        ]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Derive from now on."""
        self._ledger.automatic.listen()
        hub.tasks.start("meter points", self._ledger.automatic.work)
        self._ledger.findings.listen()
        hub.tasks.start("ledger", self._ledger.deriver.work)
        hub.tasks.start("places", Moves(hub.bus, self._ledger.registrar).work)
        hub.tasks.start("findings", self._ledger.findings.work)
