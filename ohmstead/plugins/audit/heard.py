"""The events of the core, as entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ohmstead.core import events
from ohmstead.core.model import DeviceStatus
from ohmstead.plugins.audit.entry import TEXT_LIMIT, Entry

Told = Mapping[type[Any], Callable[[Any], Entry | None]]  # how an event becomes an entry; None: it does not

REASONS = {DeviceStatus.MAINTENANCE: "maintenance_on"}
MADE = ("PUT", "PATCH", "DELETE")
OWN = ("/api/v1/devices/{id}/commands",)  # has entries of its own that say more


def status(event: events.DeviceStatusChanged) -> Entry:
    """device.online, device.offline, device.error, device.maintenance_on, device.decommissioned."""
    kind = f"device.{REASONS.get(event.new, event.new.value)}"
    return Entry(kind, event.device, event.device, data={"old": event.old.value, "reason": event.reason[:TEXT_LIMIT]}, at_ms=event.at_ms)


def device(event: events.DeviceChanged) -> Entry:
    """device.added, device.changed, device.removed."""
    return Entry(f"device.{event.change}", event.device, event.device)


def refused(event: events.DeadLettered) -> Entry:
    """What a source sent and nobody could take."""
    kind = "ingest.conflict" if event.reason == "conflict" else "ingest.rejected_schema"
    return Entry(kind, event.source[:TEXT_LIMIT], data={"reason": event.reason[:TEXT_LIMIT], "messages": event.count}, floods=True)


def denied(event: events.AccessDenied) -> Entry:
    """Somebody known who may not, a device with a wrong secret, a sender or somebody else with wrong credentials."""
    data = {"operation": event.operation, "scope": event.scope, "reason": event.reason[:TEXT_LIMIT]}
    nobody = event.who == "nobody"
    if event.who is not None and not nobody:
        kind = "permission.denied"
    elif event.device is not None and not nobody:
        kind = "auth.failed_device"
    elif event.scope == "ingest":
        kind = "ingest.rejected_auth"
    else:
        kind = "auth.missing" if nobody else "auth.failed"
    claimed = None if event.device is None else event.device[:TEXT_LIMIT]
    return Entry(kind, claimed or event.operation, claimed, event.who, data, _from(event.address), floods=True)


def operation(event: events.OperationDone) -> Entry | None:
    """config.changed for what was made, changed or removed over the API, api.called for what was done."""
    method, _, path = event.operation.partition(" ")
    if path in OWN:
        return None
    kind = "config.changed" if method in MADE or event.status == 201 else "api.called"
    data = {"operation": event.operation, "path": dict(event.path)}
    subject = event.path.get("id", path)
    about = subject if path.startswith("/api/v1/devices/{id}") else None
    return Entry(kind, subject, about, event.who, data, _from(event.address))


def begun(event: events.CommandBegun) -> Entry:
    """command.begun: what is under way when the hub dies has no other entry."""
    data = {"capability": event.capability, "quantity": event.quantity, "value": event.value}
    return Entry("command.begun", event.device, event.device, event.who, data)


def command(event: events.CommandDone) -> Entry:
    """command.acknowledged, command.unconfirmed, command.refused, command.failed."""
    data = {"capability": event.capability, "quantity": event.quantity, "value": event.value, "reason": event.reason[:TEXT_LIMIT],
            "took_ms": event.took_ms}  # fmt: skip
    return Entry(f"command.{event.result}", event.device, event.device, event.who, data)


def quarantined(event: events.PluginQuarantined) -> Entry:
    """plugin.quarantined."""
    return Entry("plugin.quarantined", event.plugin, data={"reason": event.reason[:TEXT_LIMIT]})


def _from(address: str) -> dict[str, str]:
    return {"address": address} if address else {}


DEVICES: Told = {  # told in the transaction that writes it
    events.DeviceStatusChanged: status,
    events.DeviceChanged: device,
}

CORE: Told = {
    events.DeadLettered: refused,
    events.AccessDenied: denied,
    events.CommandBegun: begun,
    events.CommandDone: command,
    events.ConfigReloaded: lambda event: Entry("config.reloaded", data={"changed": list(event.changed)}),
    events.SystemTrouble: lambda event: Entry("system.trouble", event.key, data={"severity": event.severity, "message": event.message}),
    events.SystemTroubleOver: lambda event: Entry("system.trouble_over", event.key) if event.heard else None,
    events.Stopping: lambda event: Entry("hub.stopping"),
}
