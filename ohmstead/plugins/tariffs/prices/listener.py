"""Takes what price feeds give into the book, whether the database is there or not."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from ohmstead.core.clock import to_ms
from ohmstead.core.errors import Conflict
from ohmstead.core.events import PricesHeard
from ohmstead.core.model import price_units
from ohmstead.core.supervise import Task
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.timeline import Span

if TYPE_CHECKING:
    from ohmstead.core.bus import Bus

log = logging.getLogger(__name__)

WAITING = 1000  # messages that wait while the database is away; beyond that the oldest go, and feeds give them again


class Listener:
    """A bounded queue between the feeds and the book."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._heard: deque[PricesHeard] = deque(maxlen=WAITING)
        self._ready = asyncio.Event()
        self._told: dict[str, str] = {}  # series -> the last refusal that was logged

    def listen(self, bus: Bus) -> None:
        """Hear of every price from now on."""
        bus.subscribe(PricesHeard, self._hear)

    def _hear(self, event: PricesHeard) -> None:
        if event.prices.prices:
            self._heard.append(event)
            self._ready.set()

    async def work(self, task: Task) -> None:
        """Take in what was heard, for ever. Unavailable while the database is away; nothing is lost by that."""
        task.up()
        while True:
            while self._heard:
                event = self._heard[0]
                await self._take(event)
                task.up()
                if self._heard and self._heard[0] is event:  # else the queue ran over meanwhile
                    self._heard.popleft()
            self._ready.clear()
            await self._ready.wait()

    async def _take(self, event: PricesHeard) -> None:
        spans = [Span(to_ms(price.start), to_ms(price.end), price_units(price.per_kwh)) for price in event.prices.prices]
        try:
            made = await self._book.add(event.series, event.prices.currency, spans, event.source)
        except Conflict as error:
            if self._told.get(event.series) != str(error):
                log.warning("prices of %s are not taken in: %s", event.source, error)
            self._told[event.series] = str(error)
            return
        if made is not None:
            log.info("%d prices of %s from %s", made.count, event.series, event.source)
