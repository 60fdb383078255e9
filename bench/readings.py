"""Rows as a full house brings them: at each instant every series reports once."""

from __future__ import annotations

from collections.abc import Iterable

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.ingest import Batch, Feed, Ingest
from ohmstead.core.model import Row, Series
from ohmstead.core.quantity import Quantities
from ohmstead.core.states import States
from ohmstead.plugins.storage.storage import Storage

SERIES = 1000
START_MS = 1_767_225_600_000  # 2026-01-01
STEP_MS = 10_000


class Everyone:
    """A registry that takes in every device."""

    def admit(self, device: str, source: str) -> Feed:
        """A new feed."""
        return Feed(device)

    def heard(self, feed: Feed, now_ms: int) -> None:
        """Nothing to note."""
        feed.online = True


def ingest(storage: Storage, bus: Bus, clock: Clock) -> Ingest:
    """The real way in, over a registry that refuses nobody."""
    return Ingest(bus, States(bus), clock, Quantities(), storage, Everyone())


def series(count: int = SERIES) -> list[Series]:
    """The power of so many devices."""
    power = Quantities()["power"]
    return [Series(f"meter-{number:04}", power) for number in range(count)]


def value(number: int) -> float:
    """A value that does not compress well and is exact in text."""
    return (number * 7919 % 49_999) * 0.25 + 1.5


def rows(owners: list[Series], count: int, first: int = 0, step_ms: int = STEP_MS) -> list[Row]:
    """`count` readings in order of time, from the `first` on."""
    width = len(owners)
    return [Row(owners[n % width], START_MS + n // width * step_ms, value(n)) for n in range(first, first + count)]


def batches(way_in: Ingest, readings: list[Row], size: int) -> list[Batch]:
    """The rows in batches as a source would send them."""
    made = []
    for place in range(0, len(readings), size):
        batch = way_in.batch("bench", "bench")
        batch.rows = readings[place : place + size]
        made.append(batch)
    return made


def plain(readings: Iterable[Row]) -> list[tuple[int, int, float]]:
    """The same for a bare driver, the series named by their keys."""
    return [(row.series.key or 0, row.at_ms, float(row.value)) for row in readings]
