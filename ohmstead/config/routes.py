"""What the house offers over the API about itself: its plugins, and reading its configuration again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ohmstead.config.backups import Backups
from ohmstead.config.imports import Imports
from ohmstead.core.errors import ConfigError, Invalid
from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Call, Route

if TYPE_CHECKING:
    from ohmstead.config.house import House
    from ohmstead.core.hub import Hub
    from ohmstead.core.loader import Plugin


class HouseRoutes:
    """The house as a plugin like anyone's."""

    def __init__(self, house: House) -> None:
        self._house = house

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/plugins`, `/reload`, `/imports/readings`."""
        tags = ("house",)
        return [
            Route("GET", "/plugins", self.plugins, "read", "Plugins: where from, what they declare, what is quarantined", tags=tags),
            Route("GET", "/reload", self.look, "read", "What a reload would have to say, without doing it", tags=tags),
            Route("POST", "/reload", self.reload, "admin", "Read the configuration again and change what changed", tags=tags),
            Imports(hub).route(),
            Backups(self._house.parts).route(),
        ]

    async def plugins(self, call: Call) -> list[dict[str, Any]]:
        """All of them, in order of loading."""
        return [shown(plugin) for plugin in self._house.hub.plugins]

    async def look(self, call: Call) -> dict[str, Any]:
        """Every mistake in the configuration as its files are now."""
        try:
            self._house.check(await asyncio.to_thread(self._house.document))
        except ConfigError as error:
            return {"problems": list(error.problems)}
        return {"problems": []}

    async def reload(self, call: Call) -> dict[str, Any]:
        """What changed; Invalid with one line for every mistake, and then nothing did."""
        try:
            done = await self._house.reload()
        except ConfigError as error:
            raise Invalid("the configuration has mistakes; the house goes on with the one it has", list(error.problems)) from None
        return {"changed": list(done.changed), "needs_restart": list(done.needs_restart)}


def shown(plugin: Plugin) -> dict[str, Any]:
    """One plugin for people and programs."""
    return {
        "name": plugin.name, "origin": plugin.origin, "quarantined": plugin.quarantined,
        "declares": {hook.removeprefix("ohmstead_"): list(things) for hook, things in plugin.declared.items() if things},
    }  # fmt: skip
