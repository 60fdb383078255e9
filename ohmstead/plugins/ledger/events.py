"""What the ledger says on the bus."""

from __future__ import annotations

from ohmstead.core.events import Event


class LedgerChanged(Event, frozen=True):
    """Intervals were derived anew and are committed: (meter point, start, end) in milliseconds since 1970, ends outside."""

    changes: tuple[tuple[str, int, int], ...]
