"""What the registry keeps of one device while the hub runs."""

from __future__ import annotations

from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.ingest import Feed
from ohmstead.core.model import Device, DeviceInfo, DeviceStatus


class Entry(msgspec.Struct, eq=False):
    """A device, its feed, and where it stands. `feed.heard_ms` is when it was last seen, 0 for never."""

    device: Device
    feed: Feed
    created_ms: int
    status: DeviceStatus = DeviceStatus.UNKNOWN
    reason: str = ""
    code: str | None = None
    since_ms: int = 0
    alarm: float | None = None  # monotonic time at which its silence is looked at
    unproven: bool = False  # made itself by a message nothing of which is stored yet
    said_ms: int = 0  # by its own clock, when it last said how it is
    told: DeviceInfo | None = None  # what it or its gateway last said it is

    def standing(self) -> dict[str, Any]:
        """Status for the API."""
        return {
            "device": self.device.id,
            "status": self.status.value,
            "reason": self.reason,
            "code": self.code,
            "since": iso(self.since_ms) if self.since_ms else None,
            "last_seen": iso(self.feed.heard_ms) if self.feed.heard_ms else None,
            "offline_after_s": self.device.offline_after_s,
        }

    def shown(self) -> dict[str, Any]:
        """The whole device for the API."""
        device = self.device
        return {
            "id": device.id,
            "name": device.name,
            "kind": device.kind,
            "location": device.location,
            "manufacturer": device.manufacturer,
            "model": device.model,
            "firmware": device.firmware,
            "serial": device.serial,
            "via": device.via,
            "tags": list(device.tags),
            "metadata": dict(device.metadata),
            "ranges": {quantity: list(span) for quantity, span in device.ranges.items()},
            "offline_after_s": device.offline_after_s,
            "origin": device.origin,
            "created": iso(self.created_ms),
            "status": self.status.value,
            "last_seen": iso(self.feed.heard_ms) if self.feed.heard_ms else None,
        }
