"""The house: knows no feature, no database, no web. What a device plugin needs is here by its short name."""

from ohmstead.core import validate
from ohmstead.core.errors import OhmsteadError, Refused, Unavailable, Unsupported
from ohmstead.core.model import Command, DeviceInfo, DeviceStatus, Reading, Status
from ohmstead.core.plugin import Integration, Link, hookimpl
from ohmstead.core.quantity import Kind, Quantity, convert

__all__ = [
    "Command", "DeviceInfo", "DeviceStatus", "Integration", "Kind", "Link", "OhmsteadError", "Quantity", "Reading", "Refused",
    "Status", "Unavailable", "Unsupported", "convert", "hookimpl", "validate",
]  # fmt: skip
