"""Sockets live on the house's own loop. A plugin that runs on the second loop is served across."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Home:
    """The loop that all transports belong to: the one `bind` was first called on."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self) -> None:
        """Make the running loop the home, unless there is one already."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work()`, which runs at home wherever it is awaited."""
        self.bind()
        assert self._loop is not None
        if asyncio.get_running_loop() is self._loop:
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))
