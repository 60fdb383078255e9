"""What a device says of itself, laid over what people said of it."""

from __future__ import annotations

from typing import Any

import msgspec

from ohmstead.core.model import OFFLINE_AFTER_S, Device, DeviceInfo

FACTS = ("manufacturer", "model", "firmware", "serial")


def filled(device: Device, info: DeviceInfo) -> Device:
    """The device with what was said of it: always the facts, a name and a place in the house only where nobody gave one."""
    facts: dict[str, Any] = {name: value for name in FACTS if (value := getattr(info, name)) is not None}
    if info.name is not None and device.name == device.id:
        facts["name"] = info.name
    if info.kind is not None and device.kind == "other":
        facts["kind"] = info.kind
    if info.via is not None and device.via is None and info.via != device.id:
        facts["via"] = info.via
    if info.tags and not device.tags:
        facts["tags"] = info.tags
    if info.quiet_s is not None and device.offline_after_s == OFFLINE_AFTER_S:
        facts["offline_after_s"] = info.quiet_s
    return msgspec.structs.replace(device, **facts)
