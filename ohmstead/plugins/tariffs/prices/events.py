"""What the book of prices tells the house."""

from __future__ import annotations

from ohmstead.core.events import Event


class PricesChanged(Event, frozen=True):
    """Prices of a series between two instants are others than before, after their commit; bills over them are dirty."""

    series: str
    start_ms: int
    end_ms: int
