"""Notices that locations are not what they were: of another time zone, of another kind, in another place, or gone.

Days, months and years are other spans then, and other meter points belong to their premises.
"""

from __future__ import annotations

import asyncio

from ohmstead.core.bus import Bus
from ohmstead.core.events import ConfigReloaded, LocationChanged
from ohmstead.core.supervise import Task
from ohmstead.plugins.ledger.points.registrar import Registrar


class Moves:
    """Has made anew what follows from it, at the start too: it may have changed while nobody looked."""

    def __init__(self, bus: Bus, registrar: Registrar) -> None:
        self._bus, self._registrar = bus, registrar
        self._due = asyncio.Event()

    async def work(self, task: Task) -> None:
        """Look at all meter points whenever it is due, for ever."""
        leave = [self._bus.subscribe(event, lambda _: self._due.set()) for event in (LocationChanged, ConfigReloaded)]
        try:
            while True:
                self._due.clear()
                await self._registrar.follow()
                task.up()
                await self._due.wait()
        finally:
            for each in leave:
                each()
