"""Who receives what: handlers by topic filter, and the filters nobody holds at the moment."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.protocols.mqtt.filters import covers, matches, problem
from ohmstead.plugins.protocols.mqtt.message import Message

TOPICS_KEPT = 10_000

Handler = Callable[[Message], object]
Unsubscribe = Callable[[], None]


class Subscription(msgspec.Struct):
    """The handlers of one filter, each with the QoS it wants."""

    handlers: list[tuple[Handler, int]] = msgspec.field(default_factory=list)

    @property
    def qos(self) -> int:
        """The highest that any of them wants."""
        return max(qos for _, qos in self.handlers)


class Receivers(msgspec.Struct, frozen=True):
    """Where the messages of one topic go. `awaited`: nobody is there, but somebody may be back soon."""

    topic: str
    handlers: tuple[Handler, ...]
    awaited: bool


class Subscriptions:
    """Handlers by filter.

    A filter whose last handler left, or that the broker knows from an earlier run, is an orphan: for a while its
    messages are parked without acknowledgement, since an integration that failed is started again and one that is
    configured is about to start. Then it is unsubscribed.
    """

    def __init__(self, clock: Clock, changed: Callable[[], object], orphan_s: float) -> None:
        self._clock, self._changed, self._orphan_s = clock, changed, orphan_s
        self._by_filter: dict[str, Subscription] = {}
        self._orphans: dict[str, float] = {}  # filter -> when it is given up
        self._topics: dict[bytes, Receivers] = {}
        self._parked: list[Message] = []

    @property
    def wanted(self) -> dict[str, int]:
        """The filters to subscribe, with their QoS: those that somebody holds and no wider one covers.

        Where two overlap a broker may send a message twice, and Mosquitto does.
        """
        held = self._by_filter
        wide = {f: [n for n in held if covers(f, n)] for f in held if not any(covers(other, f) for other in held if other != f)}
        return {f: max(held[n].qos for n in narrow) for f, narrow in wide.items()}

    def add(self, filter: str, handler: Handler, qos: int) -> Callable[[], None]:  # noqa: A002
        """Let `handler` receive; what is parked for the filter comes first. ConfigError when it is no filter."""
        wrong = problem(filter)
        if wrong is not None:
            raise ConfigError(f"topic {filter!r}: {wrong}")
        entry = (handler, qos)
        self._by_filter.setdefault(filter, Subscription()).handlers.append(entry)
        self._orphans.pop(filter, None)
        self._moved()
        parked, self._parked = self._parked, []
        for message in parked:
            if matches(filter, message.topic):
                handler(message)
            else:
                self._parked.append(message)
        return lambda: self._remove(filter, entry)

    def _remove(self, filter_: str, entry: tuple[Handler, int]) -> None:
        subscription = self._by_filter.get(filter_)
        if subscription is None or entry not in subscription.handlers:
            return
        subscription.handlers.remove(entry)
        if not subscription.handlers:
            del self._by_filter[filter_]
            self.orphan(filter_)
        self._moved()

    def orphan(self, filter_: str) -> None:
        """The broker sends for this filter, and nobody holds it."""
        if filter_ not in self._by_filter:
            self._orphans.setdefault(filter_, self._clock.monotonic() + self._orphan_s)
            self._moved()

    def _moved(self) -> None:
        self._topics.clear()
        self._changed()

    def receivers(self, topic: bytes) -> Receivers:
        """Who receives the messages of a topic."""
        found = self._topics.get(topic)
        if found is None:
            if len(self._topics) >= TOPICS_KEPT:
                self._topics.clear()
            found = self._topics[topic] = self._look_up(topic.decode(errors="replace"))
        return found

    def _look_up(self, topic: str) -> Receivers:
        handlers = [h for filter_, subscription in self._by_filter.items() if matches(filter_, topic) for h, _ in subscription.handlers]
        awaited = not handlers and any(matches(filter_, topic) for filter_ in self._orphans)
        return Receivers(topic, tuple(handlers), awaited)

    def park(self, message: Message) -> None:
        """Keep a message for whoever comes for it."""
        self._parked.append(message)

    def forget_parked(self) -> None:
        """The connection they came over is gone; they come again."""
        self._parked.clear()

    @property
    def next_expiry_s(self) -> float | None:
        """How long until an orphan is given up; None when there is none."""
        return None if not self._orphans else max(0.0, min(self._orphans.values()) - self._clock.monotonic())

    def expired(self) -> list[str]:
        """The orphans given up by now. Nobody comes for their messages any more, so those are acknowledged."""
        now = self._clock.monotonic()
        gone = [filter_ for filter_, until in self._orphans.items() if until <= now]
        for filter_ in gone:
            del self._orphans[filter_]
        if gone:
            self._topics.clear()
            parked, self._parked = self._parked, []
            for message in parked:
                if any(matches(filter_, message.topic) for filter_ in self._orphans):
                    self._parked.append(message)
                else:
                    message.ack()
        return gone
