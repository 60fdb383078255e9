"""What a plugin that does not ship with Ohmstead is given as its hub: enough to listen and to work, nothing to break.

Its tasks run on the second event loop, and events reach it through a bounded stream, never inline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import Clock
from ohmstead.core.events import Event
from ohmstead.core.model import State
from ohmstead.core.quantity import Quantities
from ohmstead.core.supervise import Task

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

STREAM_SIZE = 10_000
STEADY_S = 10.0  # work that ends sooner does not count as up, so that it is started again less and less often


class Visitor:
    """The house as a foreign plugin sees it."""

    def __init__(self, hub: Hub, plugin: str) -> None:
        self._hub = hub
        self._plugin = plugin
        self._home = asyncio.get_running_loop()
        self.clock: Clock = hub.clock
        self.quantities: Quantities = hub.quantities
        self.config_dir: Path = hub.config_dir
        self.log = logging.getLogger(f"ohmstead_user.{plugin}")

    async def states(self) -> list[State]:
        """The live states as they are now; awaited on the plugin's own loop."""

        async def snapshot() -> list[State]:
            return list(self._hub.states)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(snapshot(), self._home))

    async def listen(self, *event_classes: type[Event]) -> AsyncIterator[Event]:
        """The events of these classes, oldest dropped when the plugin is slower than the house; on its own loop."""
        ready, here = asyncio.Event(), asyncio.get_running_loop()
        stream = self._hub.bus.stream(*event_classes, size=STREAM_SIZE, wake=lambda: here.call_soon_threadsafe(ready.set))
        self._home.call_soon_threadsafe(stream.__enter__)
        try:
            while True:
                while (event := stream.take()) is not None:
                    yield event
                ready.clear()
                if stream.empty:
                    await ready.wait()
        finally:
            self._home.call_soon_threadsafe(stream.__exit__, None, None, None)

    def run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work` on the plugin's loop for as long as the house stands, started again whenever it ends."""

        async def there(task: Task) -> None:
            steady = self._home.call_later(STEADY_S, task.up)
            try:
                await self._hub.second.call(work)
            finally:
                steady.cancel()

        def crash_loop(reason: str) -> None:
            self._hub.quarantine(self._plugin, f"{name}: {reason}")

        task = task_name(self._plugin, name)
        self._home.call_soon_threadsafe(lambda: self._hub.tasks.start(task, there, on_crash_loop=crash_loop))


def task_name(plugin: str, name: str) -> str:
    """What a foreign plugin's task goes by among the tasks of the house."""
    return f"{plugin}: {name}"
