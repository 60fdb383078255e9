"""Puts the `mqtt:` part in force: the embedded broker if it asks for one, then the house's connection."""

from __future__ import annotations

from pathlib import Path

from ohmstead.core.errors import ConfigError
from ohmstead.plugins.protocols import acl
from ohmstead.plugins.protocols.broker import Broker, Verify
from ohmstead.plugins.protocols.mqtt import Mqtt, Options


class Messaging:
    """The broker inside the hub, where there is one, and the connection to whichever broker there is.

    For a broker of the owner's, the access lists that fit the house are written to `<data>/acl`.
    """

    def __init__(self, mqtt: Mqtt, verify: Verify, data_dir: Path) -> None:
        self._mqtt, self._verify, self._folder = mqtt, verify, data_dir / "acl"
        self._wanted: Options | None = None
        self._broker: Broker | None = None

    async def apply(self, wanted: Options | None) -> None:
        """Use that broker from now on, or none. ConfigError when the embedded one cannot listen; then the old one is used again."""
        before = self._wanted
        if wanted == before:
            return
        await self._use(None)
        try:
            await self._use(wanted)
        except ConfigError:
            await self._use(before)
            raise

    async def _use(self, wanted: Options | None) -> None:
        if wanted is None:
            await self._mqtt.apply(None)
            if self._broker is not None:
                broker, self._broker = self._broker, None
                await broker.stop()
        elif wanted.embedded:
            broker = Broker(self._verify, wanted.host, wanted.port)
            await broker.start()
            self._broker = broker
            await self._mqtt.apply(broker.options)
        else:
            acl.write(self._folder, wanted.username or acl.HUB)
            await self._mqtt.apply(wanted)
        self._wanted = wanted

    async def stop(self) -> None:
        """Say goodbye to the broker, with all acknowledgements, then stop the embedded one."""
        await self._mqtt.stop()
        await self._use(None)
