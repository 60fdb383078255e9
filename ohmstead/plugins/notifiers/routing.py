"""Which channel an address belongs to, and the way there for those of foreign plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.errors import ConfigError, Unsupported
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.plugins.people.address import scheme

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.core.loader import Plugin

REST = "*"
NOBODY = "nobody"  # the scheme of recipients that are nobody: nothing sends there, and the log of deliveries says so


class Routing:
    """The channels of all plugins by scheme. Those of foreign plugins run on the second loop."""

    def __init__(self) -> None:
        self._by_scheme: dict[str, tuple[Plugin, Channel]] = {}
        self._hub: Hub | None = None

    def gather(self, hub: Hub) -> None:
        """Ask every plugin for its channels; a foreign one whose scheme is taken is quarantined."""
        self._hub, self._by_scheme = hub, {}
        for plugin, channel in hub.plugins.collect("ohmstead_notifiers", hub=hub):
            taken = [name for name in channel.schemes if name in self._by_scheme]
            if not taken:
                self._by_scheme.update(dict.fromkeys(channel.schemes, (plugin, channel)))
            elif plugin.shipped:
                raise ConfigError(f"plugin {plugin.name}: another channel takes {taken[0]}:// already")
            else:
                hub.plugins.quarantine(plugin, f"another channel takes {taken[0]}:// already")

    def name(self, address: str) -> str:
        """The name of the channel for an address; the scheme when there is none."""
        found = self._find(address)
        return scheme(address) if found is None else found[1].name

    async def send(self, message: Message, address: str) -> str:
        """Hand a message to its channel; what it answered, or whatever it raises. Unsupported when there is none."""
        found = self._find(address)
        if found is None or self._hub is None:
            raise Unsupported("there is no such person, role or address" if scheme(address) == NOBODY else _MISSING.format(scheme(address)))
        plugin, channel = found
        if plugin.shipped:
            return await channel.send(message, address)
        return str(await self._hub.second.call(lambda: channel.send(message, address)))

    def _find(self, address: str) -> tuple[Plugin, Channel] | None:
        name = scheme(address)
        found = None if name == NOBODY else self._by_scheme.get(name) or self._by_scheme.get(REST)
        return None if found is None or found[0].quarantined is not None else found


_MISSING = "nothing here sends to {}://"
