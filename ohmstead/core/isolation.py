"""A second event loop in its own thread, for plugins that do not ship with Ohmstead: one that blocks delays only its like.

Also the watchdog, a thread that notices when a loop stands still and names the plugin, file and line that holds it.
Code that never lets go of the interpreter lock cannot be contained, only named.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import FrameType
from typing import Any, TypeVar

from ohmstead.core.errors import PluginError

log = logging.getLogger(__name__)

T = TypeVar("T")
BLOCKED_S = 1.0
BRIDGE_SIZE = 1000
_END = object()


class SecondLoop:
    """Runs coroutines of foreign plugins away from the house's own loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread on first use; the loop it runs."""
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(self.loop,), name="plugins", daemon=True)
            self._thread.start()
        return self.loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def call(self, work: Callable[[], Awaitable[T]], within_s: float | None = None) -> T:
        """The result of `await work()`, all of it over there; TimeoutError after `within_s`."""

        async def there() -> T:
            return await work()

        future = asyncio.run_coroutine_threadsafe(there(), self.start())
        waiting = asyncio.wrap_future(future)
        try:
            return await (asyncio.wait_for(waiting, within_s) if within_s else waiting)
        except (TimeoutError, asyncio.CancelledError):
            future.cancel()
            raise

    async def stream(self, make: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
        """The items of an async iterator that runs over there, through a bounded bridge that slows it when we are slow."""
        here = asyncio.get_running_loop()
        bridge: asyncio.Queue[Any] = asyncio.Queue(BRIDGE_SIZE)

        async def pump() -> None:
            try:
                async with aclosing(make()) as items:
                    async for item in items:
                        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(bridge.put(item), here))
                last: Any = _END
            except Exception as error:  # carried over and raised on our side
                last = error
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(bridge.put(last), here))

        running = asyncio.run_coroutine_threadsafe(pump(), self.start())
        try:
            while (item := await bridge.get()) is not _END:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            running.cancel()

    async def stop(self, within_s: float = 2.0) -> None:
        """Cancel what runs there and end the thread; one that blocks is left behind as the daemon it is."""
        loop, thread = self.loop, self._thread
        self.loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_end(within_s / 2), loop)
        await asyncio.to_thread(thread.join, within_s)
        if thread.is_alive():
            log.error("a plugin blocks its event loop and was left behind")


async def _end(within_s: float) -> None:
    """Cancel everything on the running loop, let it clean up for so long, and stop the loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait({asyncio.gather(*tasks, return_exceptions=True)}, timeout=within_s)
    await asyncio.sleep(0.01)  # whoever waits elsewhere is told
    asyncio.get_running_loop().stop()


Owner = Callable[[str], str | None]  # the plugin that a source file belongs to
Blocked = Callable[[str | None, str, int], None]  # plugin, file, line


class Watchdog:
    """Looks from its own thread whether the loops still turn, and says who holds one for longer than a second."""

    def __init__(self, owner: Owner, on_blocked: Blocked, blocked_s: float = BLOCKED_S) -> None:
        self._owner, self._on_blocked, self._blocked_s = owner, on_blocked, blocked_s
        self._loops: list[_Pulse] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._home = asyncio.get_running_loop()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch one more loop; called on any thread."""
        pulse = _Pulse(loop, self._blocked_s / 4)
        self._loops.append(pulse)
        loop.call_soon_threadsafe(pulse.beat)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._blocked_s / 4):
            for pulse in self._loops:
                if not pulse.named and pulse.thread and time.monotonic() - pulse.last > self._blocked_s:
                    pulse.named = True
                    frame = sys._current_frames().get(pulse.thread)
                    if frame is not None and frame.f_code.co_filename != selectors.__file__:  # a loop that waits is only starved
                        self._name(frame)

    def _name(self, frame: FrameType | None) -> None:
        plugin, file, line = blame(frame, self._owner)
        who = f"plugin {plugin}" if plugin else "the hub's own loop"
        log.warning("%s blocks for more than %g s at %s:%d", who, self._blocked_s, file, line)
        self._home.call_soon_threadsafe(self._on_blocked, plugin, file, line)

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        for pulse in self._loops:
            pulse.stopped = True
        if self._thread is not None:
            self._thread.join(2)


class _Pulse:
    """The heartbeat of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, every_s: float) -> None:
        self.loop, self.every_s = loop, every_s
        self.thread: int | None = None
        self.last = time.monotonic()
        self.named = self.stopped = False

    def beat(self) -> None:
        self.thread = threading.get_ident()
        self.last = time.monotonic()
        self.named = False
        if not self.stopped:
            self.loop.call_later(self.every_s, self.beat)


def blame(frame: FrameType | None, owner: Owner) -> tuple[str | None, str, int]:
    """The innermost frame of a plugin's own file and that plugin; without one, the innermost frame and None."""
    innermost = ("?", 0) if frame is None else (frame.f_code.co_filename, _line(frame))
    while frame is not None:
        plugin = owner(frame.f_code.co_filename)
        if plugin is not None:
            return plugin, frame.f_code.co_filename, _line(frame)
        frame = frame.f_back
    return None, *innermost


def _line(frame: FrameType) -> int:
    line: int | None = frame.f_lineno  # what the compiler adds by itself has none
    return frame.f_code.co_firstlineno if line is None else line


def in_thread(work: Callable[[], T], within_s: float, what: str) -> T:
    """The result of plain foreign code, run in its own thread; PluginError when it takes longer, then left behind."""
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # SystemExit of a plugin must not end the house
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(within_s)
    if thread.is_alive():
        raise PluginError(f"{what} takes longer than {within_s:g} s")
    if failure:
        raise failure[0]
    return result[0]


def guard(second: SecondLoop, handler: Callable[[Any], Awaitable[T]], within_s: float = 30.0) -> Callable[[Any], Awaitable[T]]:
    """The same handler, run on the second loop."""

    async def elsewhere(call: Any) -> T:
        return await second.call(lambda: handler(call), within_s)

    return elsewhere
