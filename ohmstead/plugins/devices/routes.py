"""`/devices`: who is there, how they are, their secrets, and telling them what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Forbidden, Invalid
from ohmstead.core.model import Command, Device, DeviceStatus
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.devices import schemas
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.entry import Entry
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.devices.registry import Devices

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

BY_PEOPLE = (DeviceStatus.ONLINE, DeviceStatus.MAINTENANCE, DeviceStatus.DECOMMISSIONED)
LIMIT = vol.Optional("limit", default=100, description="at most so many, up to 1,000")
PAGE: dict[Any, Any] = {
    LIMIT: validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.text,
}
LINES: dict[Any, Any] = {
    LIMIT: validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.integer(-(2**53), 2**53),
}
FILTERS: dict[Any, Any] = {
    vol.Optional("status", description="only those of this status"): validate.one_of(*DeviceStatus),
    vol.Optional("tags", description="only those with all of these, separated by commas"): validate.text,
    vol.Optional("kind", description="only those of this kind"): validate.slug,
    vol.Optional("location", description="only those in this location or one that lies within"): validate.slug,
    **PAGE,
}
COMMAND: dict[Any, Any] = {
    vol.Required("capability", description="switch, or set"): validate.one_of("switch", "set"),
    vol.Required("value", description="on or off, or the value to set in the quantity's unit"): vol.Any(vol.All(float), int, str),
    vol.Optional("quantity", description="what to set"): validate.slug,
}
GRACE: dict[Any, Any] = {vol.Optional("grace", description="how long the old secret goes on working: 0s to end it at once"): schemas.grace}


class DeviceRoutes:
    """The operations on devices."""

    def __init__(self, hub: Hub, devices: Devices, commands: Commands) -> None:
        self._devices, self._commands = devices, commands
        self._api_device = schemas.api_device(hub.quantities)

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        standing = {
            vol.Optional("status", description="online (back in service), maintenance or decommissioned"): validate.one_of(*BY_PEOPLE),
            vol.Optional("reason", description="why, for the status history"): schemas.name,
        }
        made = {vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug, **self._api_device}
        changed = {**self._api_device, **standing}
        tags = ("devices",)
        return [
            Route("GET", "/devices", self.listing, "read", "Devices, in order of their ids", query=FILTERS, tags=tags),
            Route("POST", "/devices", self.make, "write", "Make a device; its secret is shown this once", body=made, status=201, tags=tags),
            Route("GET", "/devices/{id}", self.one, "read", "One device", tags=tags),
            Route("PUT", "/devices/{id}", self.change, "write", "Change what is given of a device", body=changed, tags=tags),
            Route("DELETE", "/devices/{id}", self.remove, "write", "Remove a device; its readings stay", tags=tags),
            Route("GET", "/devices/{id}/status", self.status, "read", "Where a device stands", tags=tags),
            Route("GET", "/devices/{id}/status-history", self.history, "read", "How it stood before, newest first", query=LINES, tags=tags),
            Route("POST", "/devices/{id}/secret", self.secret, "ingest", "A new secret, shown this once", query=GRACE, tags=tags),
            Route("POST", "/devices/{id}/commands", self.command, "write", "Tell a device what to do", body=COMMAND, tags=tags),
        ]  # fmt: skip

    async def listing(self, call: Call) -> Reply:
        """A page of devices."""
        wanted, after, limit = call.query, call.query.get("cursor", ""), call.query.get("limit", 100)
        places = self._devices.locations.within(wanted["location"]) if "location" in wanted else None
        found = sorted((e for e in self._devices if not e.unproven and _matches(e, wanted, places)), key=lambda e: e.device.id)
        rest = [entry for entry in found if entry.device.id > after]
        more = rest[limit - 1].device.id if len(rest) > limit else None
        return Reply([entry.shown() for entry in rest[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One device."""
        return self._devices.entry(call.path["id"]).shown()

    async def make(self, call: Call) -> Reply:
        """A new device with its first secret."""
        given = dict(call.body)
        entry = self._devices.add(self._described(Device(given["id"], given["id"], location=HOME), given))
        secret = self._devices.new_secret(entry.device.id)
        await self._devices.saved()
        return Reply({**entry.shown(), "secret": secret}, status=201)

    async def change(self, call: Call) -> dict[str, Any]:
        """Change a device, or where it stands; of one in the YAML only the latter."""
        entry, given = self._devices.entry(call.path["id"]), dict(call.body)
        status, reason = given.pop("status", None), given.pop("reason", None)
        if given and entry.device.origin == "yaml":
            raise _in_yaml(entry)
        device = self._described(entry.device, given)
        self._devices.prove(entry)
        if status is not None:
            self._devices.decide(entry, DeviceStatus(status), reason or f"set by {call.who.id}")
        self._devices.update(entry, device)
        await self._devices.saved()
        return entry.shown()

    async def remove(self, call: Call) -> Reply:
        """Remove a device."""
        entry = self._devices.entry(call.path["id"])
        if entry.device.origin == "yaml":
            raise _in_yaml(entry)
        self._devices.remove(entry.device.id)
        await self._devices.saved()
        return Reply({"id": entry.device.id, "removed": True})

    async def status(self, call: Call) -> dict[str, Any]:
        """Where a device stands."""
        return self._devices.entry(call.path["id"]).standing()

    async def history(self, call: Call) -> Reply:
        """A page of the status history; it outlives the device."""
        limit, cursor = call.query.get("limit", 100), call.query.get("cursor")
        lines = await self._devices.history(call.path["id"], cursor, limit + 1)
        if not lines:
            self._devices.entry(call.path["id"])
        more = str(lines[limit - 1]["at_ms"]) if len(lines) > limit else None
        return Reply([_line(line) for line in lines[:limit]], next_cursor=more)

    async def secret(self, call: Call) -> dict[str, Any]:
        """A new secret: for the owner always, for the device itself where secrets have a greatest age."""
        entry, who = self._devices.entry(call.path["id"]), call.who
        used = None
        if not who.may("admin"):
            if who.device != entry.device.id:
                raise Forbidden("only the owner or the device itself may have a new secret for it")
            if self._devices.secrets.max_age_s is None:
                raise Forbidden("secrets have no greatest age here (registry → secret_max_age), so the owner makes new ones")
            used = call.headers.get("x-device-secret", "")
        grace_s = call.query.get("grace") if used is None else None
        secret = self._devices.new_secret(entry.device.id, used, grace_s)
        await self._devices.saved()
        ends_ms = self._devices.secrets.ends_ms(entry.device.id)
        return {"device": entry.device.id, "secret": secret, "expires": None if ends_ms is None else iso(ends_ms)}

    async def command(self, call: Call) -> Reply:
        """Send a command: 200 once the device reported it done, 202 when it did not within ten seconds."""
        body = call.body
        switch = body["capability"] == "switch"
        if switch and (body["value"] not in ("on", "off") or "quantity" in body):
            raise Invalid('a switch is set "on" or "off"', [{"path": "value", "message": 'expected "on" or "off"'}])
        if not switch and "quantity" not in body:
            raise Invalid("what is to be set?", [{"path": "quantity", "message": "is missing"}])
        value = body["value"] if isinstance(body["value"], str) else float(body["value"])
        answer = await self._commands.send(Command(call.path["id"], body["capability"], value, body.get("quantity")), call.who.id)
        return Reply(answer, status=200 if answer["result"] == "acknowledged" else 202)

    def _described(self, device: Device, given: Mapping[str, Any]) -> Device:
        """The device with what is given, when all it points at is there."""
        location, via = given.get("location"), given.get("via")
        if location is not None and location not in self._devices.locations:
            raise Invalid(f"there is no location {location!r}", [{"path": "location", "message": "there is no such location"}])
        if via is not None and (via == device.id or via not in self._devices):
            raise Invalid(f"{via!r} is no other device", [{"path": "via", "message": "expected the id of another device"}])
        changes = {key: value for key, value in given.items() if key != "id"}
        if "tags" in changes:
            changes["tags"] = tuple(changes["tags"])
        return msgspec.structs.replace(device, **changes)


def _matches(entry: Entry, wanted: Mapping[str, Any], places: set[str] | None) -> bool:
    device = entry.device
    tags = {tag.strip() for tag in wanted.get("tags", "").split(",")} - {""}
    return (
        wanted.get("status", entry.status) == entry.status
        and wanted.get("kind", device.kind) == device.kind
        and tags.issubset(device.tags)
        and (places is None or device.location in places)
    )


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": iso(line["at_ms"]), "old": line["old"], "status": line["status"], "reason": line["reason"], "code": line["code"]}


def _in_yaml(entry: Entry) -> Conflict:
    return Conflict(f"device {entry.device.id!r} is defined in the configuration file; change it there")
