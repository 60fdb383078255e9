"""`/locations`: where devices are."""

from __future__ import annotations

from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.devices import schemas
from ohmstead.plugins.devices.journal import LOCATION
from ohmstead.plugins.devices.locations import Location
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.devices.routes import PAGE


class LocationRoutes:
    """The operations on locations."""

    def __init__(self, devices: Devices) -> None:
        self._devices, self._locations = devices, devices.locations

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        made = {vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug, **schemas.LOCATION}
        tags = ("locations",)
        return [
            Route("GET", "/locations", self.listing, "read", "Locations, in order of their ids", query=PAGE, tags=tags),
            Route("POST", "/locations", self.make, "write", "Make a location", body=made, status=201, tags=tags),
            Route("GET", "/locations/{id}", self.one, "read", "One location", tags=tags),
            Route("PUT", "/locations/{id}", self.change, "write", "Change what is given of a location", body=schemas.LOCATION, tags=tags),
            Route("DELETE", "/locations/{id}", self.remove, "write", "Remove a location that nothing is in", tags=tags),
            Route("GET", "/locations/{id}/devices", self.devices, "read", "Devices in it and in what lies within", query=PAGE, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of locations."""
        return _page(call, [(place.id, self._shown(place)) for place in self._locations])

    async def one(self, call: Call) -> dict[str, Any]:
        """One location."""
        return self._shown(self._locations.get(call.path["id"]))

    async def make(self, call: Call) -> Reply:
        """A new location."""
        return Reply(await self._keep(self._locations.made({"name": call.body["id"], **call.body})), status=201)

    async def change(self, call: Call) -> dict[str, Any]:
        """Change a location."""
        return await self._keep(self._locations.changed(call.path["id"], call.body))

    async def remove(self, call: Call) -> dict[str, Any]:
        """Remove an empty location."""
        location = call.path["id"]
        self._locations.removable(location, [e.device.id for e in self._devices if e.device.location == location])
        self._locations.remove(location)
        self._devices.journal.note(LOCATION, location)
        await self._devices.saved()
        return {"id": location, "removed": True}

    async def devices(self, call: Call) -> Reply:
        """A page of the devices in a location."""
        inside = self._locations.within(self._locations.get(call.path["id"]).id)
        found = sorted((e for e in self._devices if e.device.location in inside and not e.unproven), key=lambda e: e.device.id)
        return _page(call, [(entry.device.id, entry.shown()) for entry in found])

    async def _keep(self, place: Location) -> dict[str, Any]:
        await self._devices.keep_location(place)
        return self._shown(place)

    def _shown(self, place: Location) -> dict[str, Any]:
        return {**msgspec.structs.asdict(place), "time_zone": self._locations.zone_of(place.id)}


def _page(call: Call, found: list[tuple[str, dict[str, Any]]]) -> Reply:
    """The page of things sorted by id that follows the cursor."""
    after, limit = call.query.get("cursor", ""), call.query.get("limit", 100)
    rest = [(key, thing) for key, thing in found if key > after]
    more = rest[limit - 1][0] if len(rest) > limit else None
    return Reply([thing for _, thing in rest[:limit]], next_cursor=more)
