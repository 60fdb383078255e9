"""A small broker inside the hub, for those who have none: amqtt (MQTT 3.1.1), and who may do what there.

On a loopback address anyone on this machine may do anything. On any other, nobody is anonymous: a device signs in
with its id and secret, and may touch `devices/{its id}/#` and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from ohmstead.core.errors import ConfigError
from ohmstead.plugins.protocols.mqtt.filters import matches
from ohmstead.plugins.protocols.mqtt.options import PORT, Options

if TYPE_CHECKING:
    from ohmstead.plugins.protocols.broker.door import House

log = logging.getLogger(__name__)

Verify = Callable[[str, str], bool]

HUB = "ohmstead"  # the user name of the hub itself
WARNING = (
    "the embedded broker is for trying things out: it keeps nothing over a crash, forgets a message whose commit takes longer "
    "than 5 s, and has no shared subscriptions; for lasting use install Mosquitto and give mqtt → host (docs/mqtt.md)"
)
MISSING = "mqtt → broker: embedded needs one more package: pip install 'ohmstead[demo]'"


class Broker:
    """The embedded broker. `verify(device, secret)` says whether a device may sign in; port 0 takes any free one."""

    def __init__(self, verify: Verify, host: str = "127.0.0.1", port: int = PORT) -> None:
        self.host, self.port = host, port
        self._verify = verify
        self._password = secrets.token_urlsafe(32)
        self._open = is_loopback(host)
        self._broker: House | None = None

    @property
    def options(self) -> Options:
        """How the hub itself connects."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - names what a person wrote
        return Options(host, self.port, HUB, self._password, protocol=4)

    async def start(self) -> None:
        """Listen. ConfigError when the package is missing or the address is not to be had."""
        try:
            door = await asyncio.to_thread(import_module, f"{__name__}.door")
        except ImportError as error:
            raise ConfigError(MISSING) from error
        self._probe()
        for name in ("amqtt", "transitions"):  # every client's slip is an error to them
            logging.getLogger(name).setLevel(logging.CRITICAL)
        broker = self._broker = door.House(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{_bracketed(self.host)}:{self.port}"}},
                "plugins": {f"{door.__name__}.Door": {"keeper": self}},
            }
        )
        await broker.start()
        self.port = broker.bound_port
        log.info("embedded MQTT broker on %s:%d", self.host, self.port)

    def _probe(self) -> None:
        """Find out whether the address can be had, which amqtt reports as a crash of its own."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except OSError as error:
            raise ConfigError(f"mqtt: {self.host}:{self.port} cannot be listened on: {error.strerror}; try another port") from error

    async def stop(self) -> None:
        """Disconnect everybody and close the port."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()

    def admit(self, user: str | None, password: str | None) -> str | None:
        """Who signs in: the hub, a device's id, or "" for anyone on this machine; None when they may not."""
        if user == HUB and hmac.compare_digest((password or "").encode(), self._password.encode()):
            return HUB
        if self._open:
            return ""
        if user and user != HUB and password and self._verify(user, password):
            return user
        log.info("embedded MQTT broker: %r may not sign in", (user or "anonymous")[:64])
        return None

    def may(self, who: str | None, topic: str) -> bool:
        """Whether `who`, as `admit` named them, may publish to or subscribe to a topic or filter."""
        if who is None or who == HUB or who == "":
            return who is not None
        return topic.startswith(f"devices/{who}/") and matches(f"devices/{who}/#", topic)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
