"""The house's MQTT: keeps a connection up, hands messages out by topic filter, and publishes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.supervise import Task
from ohmstead.plugins.protocols.home import Home
from ohmstead.plugins.protocols.mqtt.frames import Publish
from ohmstead.plugins.protocols.mqtt.inbox import Inbox
from ohmstead.plugins.protocols.mqtt.message import Message
from ohmstead.plugins.protocols.mqtt.options import Options
from ohmstead.plugins.protocols.mqtt.session import Session
from ohmstead.plugins.protocols.mqtt.subscriptions import Handler, Subscriptions, Unsubscribe

if TYPE_CHECKING:
    from ohmstead.plugins.protocols.mqtt.adapter import Connection

log = logging.getLogger(__name__)

STATUS_TOPIC = "ohmstead/status"
ORPHAN_S = 75.0  # longer than a failed integration waits before it is started again
STEADY_S = 2.0  # a connection that ends sooner is no recovery: two hubs with one client id throw each other out for ever
FAILURE = 128  # a broker's answers to SUBSCRIBE from here on are refusals


class Mqtt:
    """One connection for the whole house, made anew with backoff whenever it ends, over one lasting session.

    A message at QoS 1 or 2 is acknowledged when all its receivers did, which they do after the commit; what is not
    acknowledged when the connection ends comes again over the next one. `has_room` says whether the writer takes
    more: while it does not, messages at QoS 0 are dropped and counted. Belongs to the loop of the house.
    """

    def __init__(self, data_dir: Path, clock: Clock, has_room: Callable[[], bool] = lambda: True, orphan_s: float = ORPHAN_S) -> None:
        self.connected = False
        self.received = self.dropped = self.unclaimed = self.acknowledged = self.connections = 0
        self._clock, self._has_room = clock, has_room
        self._session = Session(data_dir)
        self._changed = asyncio.Event()
        self._subscriptions = Subscriptions(clock, self._changed.set, orphan_s)
        self._home = Home()
        self._options: Options | None = None
        self._task: Task | None = None
        self._connection: Connection | None = None
        self._holding = False

    @property
    def options(self) -> Options | None:
        """Which broker; None while the house has none."""
        return self._options

    @property
    def reason(self) -> str | None:
        """Why it is not connected, None while it is or when there is no broker to connect to."""
        return None if self._task is None or self.connected else self._task.reason or "connecting"

    @property
    def unacknowledged(self) -> int:
        """Messages the broker still waits for."""
        return 0 if self._connection is None else len(self._connection.acks)

    async def apply(self, options: Options | None) -> None:
        """Connect to that broker from now on, or to none. Returns at once: a broker that is not there is no failure."""
        self._home.bind()
        if options == self._options and (self._task is not None or options is None):
            return
        await self.stop()
        self._holding = False
        self._options = options
        if options is not None:
            self._task = Task("MQTT", self._run, self._clock)
            self._task.start()

    def hold(self) -> None:
        """Take in nothing more, because the house stops: what comes stays with the broker. Acknowledgements still go out."""
        self._holding = True

    async def stop(self) -> None:
        """Say goodbye and disconnect; the session with its subscriptions stays at the broker."""
        task, self._task = self._task, None
        if self._connection is not None:
            await self._say(self._connection, b"offline")
        if task is not None:
            await task.stop()

    def subscribe(self, filter: str, handler: Handler, qos: int = 1) -> Unsubscribe:  # noqa: A002
        """Call `handler` in place with each message whose topic the filter asks for; it must be quick and not raise.

        The handler, or what it hands the message to, calls `message.ack()` once that is stored. Returns what ends it.
        ConfigError when this is no filter.
        """
        return self._subscriptions.add(filter, handler, qos)

    async def messages(self, *filters: str, qos: int = 1) -> AsyncIterator[Message]:
        """The messages of all these filters. Acknowledge each: `context.after_stored(message.ack)` after yielding its readings."""
        inbox = Inbox()
        leave = await self._home.run(lambda: self._join(filters, inbox, qos))
        try:
            async for message in inbox:
                yield message
        finally:
            await self._home.run(lambda: self._leave(leave, inbox))

    async def _join(self, filters: tuple[str, ...], inbox: Inbox, qos: int) -> list[Unsubscribe]:
        inbox.home = asyncio.get_running_loop()
        return [self._subscriptions.add(filter_, inbox.put, qos) for filter_ in filters]

    async def _leave(self, leave: list[Unsubscribe], inbox: Inbox) -> None:
        for unsubscribe in leave:
            unsubscribe()
        self.dropped += inbox.dropped
        for message in inbox.rest():
            self._subscriptions.park(message)

    async def publish(self, topic: str, payload: str | bytes, qos: int = 0, retain: bool = False, within_s: float = 10.0) -> None:
        """Publish, and at QoS 1 and 2 wait for the broker's word. Unavailable when it is not there or does not answer."""
        raw = payload.encode() if isinstance(payload, str) else payload
        await self._home.run(lambda: self._publish(topic, raw, qos, retain, within_s))

    async def _publish(self, topic: str, payload: bytes, qos: int, retain: bool, within_s: float) -> None:
        if self._connection is None:
            raise Unavailable("no MQTT broker is configured" if self._task is None else f"MQTT: {self.reason}")
        await self._connection.publish(topic, payload, qos, retain, within_s)

    async def _run(self, task: Task) -> None:
        """One connection, from dialling to its end."""
        from ohmstead.plugins.protocols.mqtt.adapter import Connection  # a house without a broker saves 0.1 s

        options = self._options
        assert options is not None
        client_id = await asyncio.to_thread(self._session.client_id)
        known = await asyncio.to_thread(self._session.filters, options.place)
        connection = Connection(options, client_id, (STATUS_TOPIC, b"offline"), self._received)
        for there in known:
            self._subscriptions.orphan(_bare(there))
        try:
            await connection.open()
            self._connection = connection
            await self._serve(task, connection, known)
        finally:
            self.connected, self._connection = False, None
            self._subscriptions.forget_parked()
            self.acknowledged += connection.acks.given
            await connection.close(in_peace=self._task is None)

    async def _serve(self, task: Task, connection: Connection, known: set[str]) -> None:
        there: dict[str, int] = {}
        steady = asyncio.get_running_loop().call_later(STEADY_S, task.up)
        try:
            while not connection.ended.done():
                self._changed.clear()
                await self._reconcile(connection, there, known)
                if not self.connected:
                    await self._say(connection, b"online")
                    self._welcome(task)
                await self._wait_for_change(connection)
        finally:
            steady.cancel()
        raise Unavailable(connection.reason)

    def _welcome(self, task: Task) -> None:
        self.connected = True
        self.connections += 1
        if task.reason is None:
            log.info("MQTT: connected to %s", self._options and self._options.place)

    async def _reconcile(self, connection: Connection, there: dict[str, int], known: set[str]) -> None:
        """Make the broker send what is wanted, and no longer what nobody came for."""
        assert self._options is not None
        place, wanted = self._options.place, {self._shared(f): qos for f, qos in self._subscriptions.wanted.items()}
        fresh = {f: qos for f, qos in wanted.items() if there.get(f) != qos}
        if fresh.keys() - known:
            known.update(fresh)
            await asyncio.to_thread(self._session.keep, place, known)
        if fresh:
            await self._subscribe(connection, fresh)
            there.update(fresh)
        gone = {*self._subscriptions.expired(), *self._subscriptions.wanted}  # the latter: under another group, or none
        stale = {f for f in known - wanted.keys() if _bare(f) in gone}
        if stale:
            await connection.unsubscribe(stale)
            known.difference_update(stale)
            for filter_ in stale:
                there.pop(filter_, None)
            await asyncio.to_thread(self._session.keep, place, known)

    async def _subscribe(self, connection: Connection, filters: dict[str, int]) -> None:
        answers = await connection.subscribe(filters.items())
        for filter_, answer in zip(filters, answers, strict=True):
            if answer >= FAILURE:
                log.warning("the MQTT broker does not let the hub subscribe to %s; nothing comes from there", filter_)

    async def _wait_for_change(self, connection: Connection) -> None:
        change = asyncio.create_task(self._changed.wait())
        both: set[asyncio.Future[Any]] = {change, connection.ended}
        waiting = asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        expiry_s = self._subscriptions.next_expiry_s
        try:
            await (waiting if expiry_s is None else self._clock.timeout(waiting, expiry_s))
        except TimeoutError:
            pass  # an orphan is due
        finally:
            change.cancel()

    async def _say(self, connection: Connection, word: bytes) -> None:
        try:
            await connection.publish(STATUS_TOPIC, word, 1, True, 2.0)
        except Unavailable as error:
            log.debug("%s was not said: %s", word, error)

    def _shared(self, filter_: str) -> str:
        group = None if self._options is None else self._options.shared
        return filter_ if group is None else f"$share/{group}/{filter_}"

    def _received(self, connection: Connection, publish: Publish) -> None:
        if self._holding:
            return
        self.received += 1
        to = self._subscriptions.receivers(publish.topic)
        message = Message(to.topic, publish.payload, publish.qos, publish.retain, publish.mid, connection.acks)
        if publish.qos:
            connection.acks.expect(message)
        elif not self._has_room():
            self.dropped += 1
            return
        handlers = to.handlers
        if len(handlers) == 1:
            handlers[0](message)
        elif handlers:
            message.share(len(handlers))
            for handler in handlers:
                handler(message)
        elif to.awaited and publish.qos:
            self._subscriptions.park(message)
        else:
            self.unclaimed += 1
            message.ack()


def _bare(filter_: str) -> str:
    """The filter behind `$share/group/`."""
    return filter_.split("/", 2)[2] if filter_.startswith("$share/") else filter_
