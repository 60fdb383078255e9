"""Marks of what has to be derived anew: by readings, written along with them, and by people, on a meter point."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.plugins.ledger.tables import point_marks


class Reach(StrEnum):
    """From where on a meter point is derived anew."""

    TRACKS = "tracks"  # from the readings: bindings, and corrections below the live layer
    LAYERS = "layers"  # only what lies over the live layer: imports, corrections of intervals


class Marks:
    """Which series are bound, so that their readings leave marks; and marks on meter points."""

    def __init__(self) -> None:
        self._bound: set[str] = set()

    def bind(self, addresses: Iterable[str]) -> None:
        """Have readings of these series, `device.quantity`, leave marks from now on.

        Call it before the transaction that writes a binding: a reading that comes right behind it must not be missed.
        """
        self._bound.update(addresses)

    def unbind(self, addresses: Iterable[str]) -> None:
        """No binding has these series any more; call it after the transaction."""
        self._bound.difference_update(addresses)

    async def point(self, tx: AsyncConnection, key: int, start_ms: int, end_ms: int | None, reach: Reach) -> None:
        """Mark a span of the meter point with that key; `end_ms` None is to the end. In the transaction that changes it."""
        await tx.execute(insert(point_marks).values(point_id=key, start_ms=start_ms, end_ms=end_ms, reach=reach.value))
