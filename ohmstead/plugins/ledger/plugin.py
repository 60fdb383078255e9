"""What the ledger declares to the house. Every part of it adds its sections and routes to the lists here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.ledger.configured import Configured
from ohmstead.plugins.ledger.import_routes import ImportRoutes
from ohmstead.plugins.ledger.interval_routes import IntervalRoutes
from ohmstead.plugins.ledger.point_routes import PointRoutes
from ohmstead.plugins.ledger.schemas import Shapes
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
        return [
            Section("meter_points", {slug: shapes.yaml_point}, configured.apply, "the roles energy plays, and what measures them",
                    default={}, problems=configured.problems),
        ]  # fmt: skip

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """Meter points, intervals, imports, corrections, findings, verify."""
        return [
            *PointRoutes(self._ledger, Shapes(hub.quantities)).all(),
            *IntervalRoutes(self._ledger, hub.clock).all(),
            *ImportRoutes(self._ledger, hub.get(Storage), hub.clock).all(),
        ]

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Clearing away imports that nobody finished."""
        return [Job("imports", self._ledger.imports.tidy, every_s=3600, description="clear away imports that nobody finished")]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Derive from now on."""
        self._ledger.automatic.listen()
        hub.tasks.start("meter points", self._ledger.automatic.work)
        hub.tasks.start("ledger", self._ledger.deriver.work)
