"""Runs one configured device: its stream into ingest, its commands out, "unavailable" when it is gone.

The hub owns the task, the retry, the log line and the clock; the integration owns only its device.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol

import msgspec

from ohmstead.core.clock import Clock, from_ms, to_ms
from ohmstead.core.errors import NotFound, PluginError, Rejected, Unavailable, Unsupported
from ohmstead.core.ingest import Batch, Ingest
from ohmstead.core.isolation import SecondLoop
from ohmstead.core.model import Command, DeviceInfo, DeviceStatus, Prices, Reading, Status
from ohmstead.core.plugin import Integration, Item, Link
from ohmstead.core.supervise import Task, Tasks

COMMAND_LIMIT_S = 10.0
BREATH = 100  # items taken in a row before the other tasks get their turn
FLOOD_PER_S = 5000.0  # readings a foreign plugin may send per second over the long run
FLOOD_BURST = 50_000.0
FORMAT = "reading"


class Registry(Protocol):
    """What a runner tells the devices' registry."""

    def announce(self, info: DeviceInfo, device: str) -> None:
        """What a device says of itself; `device` is the one whose stream it came from."""

    def report(self, status: Status, device: str) -> None:
        """How a device says it is."""


class Source(Protocol):
    """What makes the context an integration gets, on the loop it runs on."""

    def __call__(self, device: str, after_stored: Callable[[Callable[[], None]], None], foreign: bool) -> Any: ...


class Entry(msgspec.Struct, frozen=True):
    """One configured device: its id, integration, checked options, and the plugin it is from if that is foreign."""

    device: str
    integration: Integration
    options: Mapping[str, Any]
    foreign: str | None = None


class Runner:
    """The life of one entry."""

    def __init__(self, entry: Entry, ingest: Ingest, registry: Registry, clock: Clock, second: SecondLoop,
                 make_context: Source, quarantine: Callable[[str, str], None]) -> None:  # fmt: skip
        self.entry = entry
        self._ingest, self._registry, self._clock, self._second = ingest, registry, clock, second
        self._make_context, self._quarantine = make_context, quarantine  # the latter takes a plugin and the reason
        self._link: Link | None = None
        self._source = f"{entry.integration.type}:{entry.device}"
        self._tokens, self._filled = FLOOD_BURST, clock.monotonic()
        self._given = 0  # items a foreign stream gave, counted on its loop
        self._taken = 0  # items of it that were taken here
        self._asked: deque[tuple[int, Callable[[], None]]] = deque()  # to call once that many are taken and stored
        self.devices = {entry.device}

    async def run(self, task: Task) -> None:
        """Take in what the device says until it is gone."""
        entry = self.entry
        after = self._after_stored if entry.foreign is None else self._after_stored_elsewhere()
        context = self._make_context(entry.device, after, entry.foreign is not None)
        self._given = self._taken = 0
        self._asked.clear()  # what was asked of an earlier stream is never answered: its sender sends again
        async with aclosing(self._items(context)) as items:
            async for item in items:
                self._take(item)
                if not isinstance(item, DeviceInfo):  # a name is known before the device has answered
                    task.up()
                self._taken += 1
                self._answer()
                if entry.foreign is not None:
                    self._meter(entry.foreign)
                if self._taken % BREATH == 0:
                    await asyncio.sleep(0)
                await self._ingest.room()
        raise Unavailable("the device ended its stream")

    def _items(self, context: Any) -> AsyncGenerator[Item, None]:
        if self.entry.foreign is None:
            return self._stream(context)
        return self._second.stream(lambda: self._counted(context))

    async def _counted(self, context: Any) -> AsyncGenerator[Item, None]:
        async with aclosing(self._stream(context)) as items:
            async for item in items:
                self._given += 1
                yield item

    async def _stream(self, context: Any) -> AsyncGenerator[Item, None]:
        """The device's own stream, on whichever loop this runs."""
        integration, options = self.entry.integration, self.entry.options
        if integration.connect is None:
            if integration.readings is None:
                raise PluginError(f"integration {integration.type} declares neither readings nor connect")
            async for item in integration.readings(options, context):
                yield item
            return
        async with self._opened(integration.connect(options, context)) as link:
            async for item in link.readings():
                yield item

    @asynccontextmanager
    async def _opened(self, connection: AbstractAsyncContextManager[Link]) -> AsyncIterator[Link]:
        async with connection as link:
            self._link = link
            try:
                yield link
            finally:
                self._link = None

    def _take(self, item: Item) -> None:
        if isinstance(item, Reading):
            self._reading(item)
        elif isinstance(item, DeviceInfo | Status):
            try:
                self._told(item)
            except Rejected as refusal:
                self._refuse(item, str(refusal))
        elif isinstance(item, Prices):
            self._ingest.hear(item, self.entry.device, self._source)
        else:
            raise PluginError(f"a stream yields Reading, DeviceInfo, Status or Prices, not {type(item).__name__}")

    def _told(self, item: DeviceInfo | Status) -> None:
        if isinstance(item, DeviceInfo):
            self._registry.announce(item, self.entry.device)
            if item.id is not None:
                self.devices.add(item.id)
        else:
            self._registry.report(item, self.entry.device)

    def _refuse(self, item: DeviceInfo | Status, reason: str) -> None:
        """The house does not take in a device behind this one: its stream goes on, and the reason can be read."""
        batch = self._ingest.batch(self._source, FORMAT)
        batch.refuse(reason, msgspec.json.encode(item), self.entry.device, self.entry.device, "announcement")
        self._ingest.send(batch)

    def _reading(self, reading: Reading) -> None:
        device = reading.device or self.entry.device
        batch = self._ingest.batch(self._source, FORMAT)
        add(batch, device, reading)
        if not batch.letters:  # names that the house refuses are endless
            self.devices.add(device)
        self._ingest.send(batch)

    def _meter(self, plugin: str) -> None:
        now = self._clock.monotonic()
        self._tokens = min(FLOOD_BURST, self._tokens + (now - self._filled) * FLOOD_PER_S) - 1
        self._filled = now
        if self._tokens < 0:
            self._quarantine(plugin, "it floods the house with readings")
            raise PluginError(f"plugin {plugin} floods the house with more than {FLOOD_PER_S:g} readings a second")

    def _after_stored(self, callback: Callable[[], None]) -> None:
        """Call back once everything taken so far is committed: an empty batch settles after all before it."""
        batch = self._ingest.batch(self._source, FORMAT)
        batch.on_settled(lambda error: callback() if error is None else None)
        self._ingest.send(batch)

    def _after_stored_elsewhere(self) -> Callable[[Callable[[], None]], None]:
        here = asyncio.get_running_loop()

        def after(callback: Callable[[], None]) -> None:
            here.call_soon_threadsafe(self._ask, self._given, callback)

        return after

    def _ask(self, given: int, callback: Callable[[], None]) -> None:
        """What was yielded before may still be on the bridge between the loops: it has to be taken first."""
        self._asked.append((given, callback))
        self._answer()

    def _answer(self) -> None:
        while self._asked and self._asked[0][0] <= self._taken:
            self._after_stored(self._asked.popleft()[1])

    def gone(self, reason: str) -> None:
        """The device cannot be reached: say so of it and of everything behind it."""
        for device in self.devices:
            self._registry.report(Status(DeviceStatus.OFFLINE, device, message=reason), self.entry.device)

    def crash_loop(self, reason: str) -> None:
        """Its code fails whatever is tried: a foreign plugin that does so is out."""
        if self.entry.foreign is not None:
            self._quarantine(self.entry.foreign, f"{self.entry.device}: {reason}")

    async def command(self, command: Command) -> None:
        """Tell the device. Unsupported, Unavailable when it is not connected or does not answer."""
        if command.capability not in self.entry.integration.capabilities:
            raise Unsupported(f"{self.entry.integration.type} takes no {command.capability!r} command")
        link = self._link
        if link is None:
            raise Unavailable(f"{self.entry.device} is not connected")
        try:
            if self.entry.foreign is None:
                await self._clock.timeout(link.command(command), COMMAND_LIMIT_S)
            else:
                await self._second.call(lambda: link.command(command), COMMAND_LIMIT_S)
        except TimeoutError:
            raise Unavailable(f"{self.entry.device} does not answer") from None


def add(batch: Batch, device: str, reading: Reading) -> None:
    """Add a device's reading to a batch; what is refused becomes a dead letter that `decode` can replay."""
    try:
        feed = batch.feed(device, heard=not reading.stale)
        at_ms = None if reading.at is None else to_ms(reading.at)
        start_ms = None if reading.start is None else to_ms(reading.start)
        if reading.stale:
            reason = batch.seed(feed, reading.quantity, reading.value)
        else:
            reason = batch.add(feed, reading.quantity, reading.value, at_ms, start_ms)
    except Rejected as refusal:
        reason = str(refusal)
    if reason is not None:
        at = reading.at or from_ms(batch.now_ms)
        kept = {"quantity": reading.quantity, "value": reading.value, "at": at, "start": reading.start, "stale": reading.stale}
        raw = msgspec.json.encode(kept)
        batch.refuse(reason, raw, device, device, FORMAT)


def decode(batch: Batch, address: str, raw: bytes) -> None:
    """Replay a refused reading; `address` is its device."""
    add(batch, address, msgspec.convert(msgspec.json.decode(raw), Reading))


class Runners:
    """All entries of the house."""

    def __init__(self, tasks: Tasks, make: Callable[[Entry], Runner]) -> None:
        self._tasks, self._make = tasks, make
        self._running: dict[str, tuple[Runner, Task]] = {}

    async def apply(self, entries: Mapping[str, Entry]) -> list[str]:
        """Make exactly these run, touching only what changed; the ids that were started, stopped or restarted."""
        stale = [device for device, (runner, _) in self._running.items() if entries.get(device) != runner.entry]
        await asyncio.gather(*(self.stop(device) for device in stale))
        fresh = [device for device in entries if device not in self._running]
        for device in fresh:
            self._start(entries[device])
        return sorted({*stale, *fresh})

    def _start(self, entry: Entry) -> None:
        runner = self._make(entry)
        task = self._tasks.start(f"{entry.integration.type} {entry.device}", runner.run, on_down=runner.gone, on_given_up=runner.gone,
                                 on_crash_loop=runner.crash_loop)  # fmt: skip
        self._running[entry.device] = (runner, task)

    async def stop(self, device: str) -> None:
        """Stop one entry; nothing happens when it does not run."""
        found = self._running.pop(device, None)
        if found is not None:
            await self._tasks.stop(found[1].name)

    async def stop_plugin(self, plugin: str) -> None:
        """Stop every entry of a foreign plugin."""
        await asyncio.gather(*(self.stop(d) for d, (runner, _) in list(self._running.items()) if runner.entry.foreign == plugin))

    async def command(self, command: Command) -> None:
        """Pass a command to the runner of its device or of the gateway it is behind; NotFound when there is none."""
        for runner, _ in self._running.values():
            if command.device in runner.devices:
                await runner.command(command)
                return
        raise NotFound(f"no integration runs device {command.device!r}, so it takes no commands")

    def __iter__(self) -> Any:
        return iter(self._running.values())
