"""A storage with nothing but a book of prices in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ohmstead.core.bus import Bus
from ohmstead.core.clock import ManualClock
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.tables import TABLES


@dataclass
class Shelf:
    """The book and what it stands on."""

    clock: ManualClock
    bus: Bus
    storage: Storage
    book: PriceBook


@asynccontextmanager
async def price_shelf(url: str, folder: Path) -> AsyncIterator[Shelf]:
    """Open one on a database."""
    clock, bus = ManualClock(), Bus()
    storage = Storage(url, folder, clock, bus)
    await storage.open([TABLES])
    try:
        yield Shelf(clock, bus, storage, PriceBook(storage, clock, bus))
    finally:
        await storage.close()
