"""What the devices declare to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.core.validate import slug
from ohmstead.plugins.devices import schemas
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.limits import limit, problems
from ohmstead.plugins.devices.location_routes import LocationRoutes
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.devices.routes import DeviceRoutes
from ohmstead.plugins.devices.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


class DevicesPlugin:
    """The registry as a plugin like anyone's. `configured.apply` puts its sections in force, all three at once."""

    def __init__(self, devices: Devices, commands: Commands) -> None:
        self._devices, self._commands = devices, commands

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The registry's tables."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`locations:`, `devices:` and `registry:`."""
        return [
            Section("locations", {slug: schemas.LOCATION}, description="places, which nest; home is always there", default={}),
            Section("devices", {slug: schemas.yaml_device(hub.quantities)}, description="devices, by id", default={}),
            Section("limits", {slug: limit}, self._commands.limits.apply,
                    "what no command may break: the house's fuse, a battery's reserve", default={},
                    problems=lambda sections: problems(sections, self._devices)),
            Section("registry", schemas.REGISTRY, description="which devices may come in, and their secrets", default={}),
        ]  # fmt: skip

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/devices` and `/locations`."""
        return DeviceRoutes(hub, self._devices, self._commands).all() + LocationRoutes(self._devices).all()

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """The sweep of the silent, which goes on whether the database is there or not."""
        return [Job("offline", self._devices.sweep, went=lambda: self._devices.swept, description="find who has been silent for too long")]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Sweep the silent and write what changed from now on."""
        self._devices.on_removed += [hub.ingest.drop, hub.states.forget]
        hub.tasks.start("devices", self._devices.work)
        hub.tasks.start("devices' journal", self._devices.write)
