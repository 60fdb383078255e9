"""Who hears of events in the transaction they are of, so that what it makes of them is stored with it or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ohmstead.core.events import Event
from ohmstead.plugins.storage.connection import AsyncConnection

Witness = Callable[[AsyncConnection, Sequence[Event]], Awaitable[None]]


async def nobody(tx: AsyncConnection, events: Sequence[Event]) -> None:
    """A house in which nobody wants to know."""
