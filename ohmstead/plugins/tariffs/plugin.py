"""What the tariffs declare to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Section, TariffKind, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.tariffs.kinds import capacity, dynamic, flat, minimum, percentage, registers, standing, tiers, time_of_use
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.routes import TariffRoutes

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

KINDS = (flat, time_of_use, registers, tiers, dynamic, capacity, standing, minimum, percentage)


class TariffsPlugin:
    """The tariffs as a plugin like anyone's."""

    def __init__(self, tariffs: Tariffs, routes: TariffRoutes) -> None:
        self._tariffs, self._routes = tariffs, routes

    @hookimpl
    def ohmstead_tariffs(self) -> list[TariffKind]:
        """The kinds of components that come with Ohmstead."""
        return [kind.KIND for kind in KINDS]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`tariffs:`."""
        schema = {slug: self._tariffs.schema}
        return [Section("tariffs", schema, self._tariffs.apply, "what energy costs, by id", default={}, problems=self._tariffs.problems)]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/tariffs`."""
        return self._routes.all()
