"""PostgreSQL keeps readings in one partition a month, made when first written to and dropped whole by retention.

Months outside of this century stay in the default partition, so that a device with a broken clock cannot have
partitions made without end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ohmstead.core.clock import to_ms

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
FIRST_MS = to_ms(datetime(2000, 1, 1, tzinfo=UTC))
LAST_MS = to_ms(datetime(2100, 1, 1, tzinfo=UTC))


def month_of(at_ms: int) -> tuple[int, int]:
    """The month of UTC, as (first instant, first instant of the next)."""
    first = datetime.fromtimestamp(at_ms // 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return to_ms(first), to_ms(after)


def name_of(start_ms: int) -> str:
    """The table of the month that begins there: readings_2026_11."""
    return f"readings_{datetime.fromtimestamp(start_ms // 1000, UTC):%Y_%m}"


class Partitions:
    """The months whose partition is known to be there."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._last = (0, 0)

    def missing(self, instants: Iterable[int]) -> list[tuple[int, int]]:
        """The months of the instants that need a partition made."""
        found: dict[int, int] = {}
        start, end = self._last
        for at_ms in instants:
            if not start <= at_ms < end and FIRST_MS <= at_ms < LAST_MS:
                start, end = self._last = month_of(at_ms)
                if start not in self._known:
                    found[start] = end
        return sorted(found.items())

    async def make(self, driver: Any, months: Iterable[tuple[int, int]]) -> None:
        """Make the partitions; a month of which the default partition holds rows already stays there."""
        import asyncpg  # type: ignore[import-untyped]

        for start, end in months:
            try:
                await driver.execute(
                    f"CREATE TABLE IF NOT EXISTS {name_of(start)} PARTITION OF readings FOR VALUES FROM ({start}) TO ({end})"
                )
            except asyncpg.CheckViolationError:
                log.info("readings of %s stay in the default partition", name_of(start))
            self._known.add(start)

    def forget(self) -> None:
        """Look anew: partitions were dropped."""
        self._known.clear()
        self._last = (0, 0)
