"""What we add to amqtt: who may sign in, who may touch which topic, and closing what it leaves open."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.contexts import Action, BaseContext  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]


class House(Broker):  # type: ignore[misc]
    """amqtt's broker, which forgets to close a connection when both sides end it at once, and shows retained messages
    to those whose subscription it has just refused."""

    async def stream_connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str) -> None:
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()

    async def _publish_retained_messages_for_subscription(self, subscription: tuple[str, int], session: Session) -> None:
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    @property
    def bound_port(self) -> int:
        """The port it listens on."""
        return int(self._servers["default"].instance.sockets[0].getsockname()[1])


class Door(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]
    """Notes on each session whom it let in.

    What a session says of itself is not to be trusted: amqtt writes the user name of a second connection into the
    session of the first before it asks whether the second may sign in.
    """

    @dataclass
    class Config:
        """`keeper` is the Broker that decides."""

        keeper: Any = None

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._keeper = self.config.keeper

    async def authenticate(self, *, session: Session) -> bool | None:
        who = self._keeper.admit(session.username, session.password)
        if who is not None:
            session.let_in_as = who
        return who is not None

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        if session is None or topic is None:
            return False
        return bool(self._keeper.may(getattr(session, "let_in_as", None), topic))
