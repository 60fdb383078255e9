"""What the book of prices declares to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.listener import Listener
from ohmstead.plugins.tariffs.prices.routes import PriceRoutes
from ohmstead.plugins.tariffs.prices.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


class PricesPlugin:
    """The book as a plugin like anyone's."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The book's tables."""
        return [TABLES]

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/prices`."""
        return PriceRoutes(self._book, hub.clock).all()

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Take in what feeds give from now on."""
        listener = Listener(self._book)
        listener.listen(hub.bus)
        hub.tasks.start("prices", listener.work)
