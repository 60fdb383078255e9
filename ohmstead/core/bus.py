"""The event bus: listeners of an event's exact class are called in place, in one order that all of them see."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, KeysView
from types import TracebackType
from typing import Any, TypeVar

from ohmstead.core.events import Event

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Listener = Callable[[E], object]
Unsubscribe = Callable[[], None]


class Bus:
    """Publishes events to plain callables. Not thread-safe: it belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: dict[type[Event], tuple[Listener[Any], ...]] = {}
        self._waiting: deque[Event] = deque()
        self._publishing = False
        self._failing: set[Listener[Any]] = set()

    def subscribe(self, event_class: type[E], listener: Listener[E]) -> Unsubscribe:
        """Call `listener` with every event of exactly this class until the returned function is called."""
        self._listeners[event_class] = (*self._listeners.get(event_class, ()), listener)

        def unsubscribe() -> None:
            rest = list(self._listeners.get(event_class, ()))
            if listener in rest:
                rest.remove(listener)
                self._listeners[event_class] = tuple(rest)
            if not rest:
                self._listeners.pop(event_class, None)
            self._failing.discard(listener)

        return unsubscribe

    def wants(self, event_class: type[Event]) -> bool:
        """Whether anybody listens to this class, so that nobody makes events for nobody."""
        return event_class in self._listeners

    @property
    def heard(self) -> KeysView[type[Event]]:
        """The classes somebody listens to, as they are whenever one looks: for those who ask at every reading."""
        return self._listeners.keys()

    def publish(self, event: Event) -> None:
        """Call every listener of the event's class. What a listener publishes goes out after this event.

        Of a listener that raises, the first failure is logged; the others are called all the same.
        """
        if self._publishing:
            self._waiting.append(event)
            return
        self._publishing = True
        try:
            while True:
                for listener in self._listeners.get(type(event), ()):
                    try:
                        listener(event)
                    except Exception as error:
                        self._failed(listener, event, error)
                if not self._waiting:
                    return
                event = self._waiting.popleft()
        finally:
            self._publishing = False

    def _failed(self, listener: Listener[Any], event: Event, error: Exception) -> None:
        if listener not in self._failing:
            self._failing.add(listener)
            log.error("listener %s failed on %s; its further failures are not logged", listener, type(event).__name__, exc_info=error)

    def stream(self, *event_classes: type[Event], size: int = 1000, wake: Callable[[], object] | None = None) -> Stream:
        """The events of these classes as a bounded async iterator; use it in a `with` block. `wake` is told of each."""
        return Stream(self, event_classes, size, wake)


class Stream:
    """A bounded queue of events. When its reader is too slow the oldest go, counted in `dropped`."""

    def __init__(self, bus: Bus, event_classes: tuple[type[Event], ...], size: int, wake: Callable[[], object] | None) -> None:
        self._bus = bus
        self._classes = event_classes
        self._events: deque[Event] = deque(maxlen=size)
        self._ready = asyncio.Event()
        self._wake = wake or self._ready.set
        self._unsubscribe: list[Unsubscribe] = []
        self.dropped = 0

    def __enter__(self) -> Stream:
        self._unsubscribe = [self._bus.subscribe(cls, self._put) for cls in self._classes]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    def _put(self, event: Event) -> None:
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._wake()

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._events

    def take(self) -> Event | None:
        """The oldest event that waits, or None; may be called from another thread."""
        try:
            return self._events.popleft()
        except IndexError:
            return None

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while (event := self.take()) is not None:
                yield event
            self._ready.clear()
            await self._ready.wait()
