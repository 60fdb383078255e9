"""A house that runs configured devices against fakes: the real hub, runner and protocols over the small store and registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.hub import Hub
from ohmstead.core.model import Command, DeviceInfo, DeviceStatus
from ohmstead.core.plugin import Integration
from ohmstead.core.runner import Entry
from ohmstead.plugins.protocols import Protocols
from tests.fakes.house import MemoryStore, OpenRegistry


class Street:
    """`async with Street() as street: await street.run(integration, plug={"host": …})`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.hub = Hub(Path("/nonexistent"), clock)
        self.store, self.registry, self.protocols = MemoryStore(), OpenRegistry(), Protocols(self.hub.clock)
        self.hub.connect(self.store, self.registry, self.protocols.context)

    async def run(self, integration: Integration, foreign: str | None = None, template: Mapping[str, Any] | None = None,
                  **devices: Mapping[str, Any]) -> None:  # fmt: skip
        """Start devices, their options checked and completed by the integration's schema."""
        more = {} if template is None else {"template": template}
        entries = {
            device: Entry(device, integration, {**validate.options(integration.schema, options), **more}, foreign)
            for device, options in devices.items()
        }
        await self.hub.runners.apply(entries)

    def values(self, device: str) -> dict[str, float | str]:
        """The newest value of each quantity of a device."""
        return {row.series.quantity: row.value for row in self.store.rows if row.series.device == device}

    def infos(self) -> dict[str | None, DeviceInfo]:
        """What devices said of themselves."""
        return {info.id: info for info, _ in self.registry.infos}

    @property
    def offline(self) -> list[str | None]:
        """The reasons for which devices were said to be gone."""
        return [status.message for status, _ in self.registry.statuses if status.status is DeviceStatus.OFFLINE]

    async def switch(self, device: str, value: str) -> None:
        await self.hub.runners.command(Command(device, "switch", value))

    async def __aenter__(self) -> Street:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hub.tasks.stop_all()
        await self.protocols.close()
        await self.hub.second.stop()
