"""Live states come back after a restart, marked restored; nothing is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.errors import Rejected
from ohmstead.core.ingest import Ingest
from ohmstead.core.model import DeviceStatus, State

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.storage import Storage


async def restore(storage: Storage, devices: Devices, ingest: Ingest) -> int:
    """Put back the newest stored reading of every series whose device is there and in service; how many.

    Call it once, after the configuration is in force and before anything is received.
    """
    restored = 0
    for found in await storage.restore_states():
        entry = devices.find(found.device)
        if entry is None or entry.status is DeviceStatus.DECOMMISSIONED or found.quantity not in ingest.quantities:
            continue
        try:
            series = ingest.series(ingest.feed(found.device, "restart"), found.quantity)
        except Rejected:
            continue  # one quantity too many for a device; its history stays readable
        series.key = found.key
        ingest.restore(State(series, found.value, found.changed_ms, found.updated_ms, found.reported_ms, restored=True))
        restored += 1
    return restored
