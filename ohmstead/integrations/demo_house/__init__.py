"""A house that is not there, for trying Ohmstead out: its devices speak real MQTT, the hub under it is the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.hub import Hub
from ohmstead.core.plugin import Integration, hookimpl

if TYPE_CHECKING:
    from ohmstead.integrations.demo_house.link import DemoLink
    from ohmstead.plugins.protocols.context import Context

SCHEMA = {
    vol.Optional("seed", default=1, description="another number is another house"): validate.integer(0, 2**31),
    vol.Optional("every", default="5s", description="how often the devices speak"): validate.seconds,
    vol.Optional("faults", default=0.0, description="share of messages with which a fault begins, 0 to 1"): validate.between(0, 1),
    vol.Optional("days", default=30, description="days of history written at the first start"): validate.between(0, 366),
}


class DemoHouse:
    """The plugin."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @hookimpl
    def ohmstead_integrations(self) -> Integration:
        words = "a simulated house of ten devices"
        return Integration("demo_house", SCHEMA, connect=self._connect, capabilities=frozenset({"switch"}), description=words)

    @asynccontextmanager
    async def _connect(self, options: Mapping[str, Any], context: Context) -> AsyncIterator[DemoLink]:
        from ohmstead.integrations.demo_house.link import DemoLink

        yield DemoLink(options, context, self._hub.ingest, self._hub.data_dir)
