"""What travels on the bus. The class of an event is its name; subscribers name the class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ohmstead.core.model import Cell, DeviceStatus, Prices, Row, Series, State


class Event(msgspec.Struct, frozen=True):
    """The base of all events; nothing is ever published as a bare Event."""


class StateChanged(Event, frozen=True, gc=False):
    """The live state of a series advanced to another value. `old` is None for the first one."""

    new: State
    old: State | None


class StateReported(Event, frozen=True, gc=False):
    """The live state of a series advanced in time; its value stayed."""

    new: State
    old: State


class StateNoted(Event, frozen=True, gc=False):
    """The live state of a series advanced, and to what its cell's band does not hold: whoever set the band wants to hear of it."""

    new: State
    old: State | None
    cell: Cell


class ReadingsStored(Event, frozen=True):
    """Rows that are new in storage, late and imported ones included, after their commit, sorted by series and time."""

    rows: tuple[Row, ...]


class SeriesAdded(Event, frozen=True):
    """A series exists for the first time in this run."""

    series: Series


class PricesHeard(Event, frozen=True):
    """A feed gave prices of a series; `source` is the integration and device it came from."""

    series: str
    prices: Prices
    source: str


class DeviceStatusChanged(Event, frozen=True):
    """A device went online, offline, … with the reason for people."""

    device: str
    old: DeviceStatus
    new: DeviceStatus
    reason: str
    at_ms: int


class DeviceChanged(Event, frozen=True):
    """A device was added to, changed in or removed from the registry."""

    device: str
    change: str  # added, changed, removed


class LocationChanged(Event, frozen=True):
    """A location was added or changed over the API; its time zone may be another one, and that of what lies within it."""

    location: str


class DeadLettered(Event, frozen=True):
    """Something was refused and put aside; one event per group of the same source."""

    source: str
    reason: str
    count: int


class PluginQuarantined(Event, frozen=True):
    """A plugin misbehaved and is out until the next start."""

    plugin: str
    reason: str


class ConfigReloaded(Event, frozen=True):
    """A new configuration is in force; `changed` names the entries that were started, stopped or restarted."""

    changed: tuple[str, ...]


class AccessDenied(Event, frozen=True):
    """Somebody was turned away. `who` is whoever that is, "nobody" who gave no credentials, None who gave wrong ones.

    `device` is the id that was claimed, by whoever claimed it; `operation` what was asked for ("POST /api/v1/telemetry",
    "MQTT CONNECT"), `scope` what that takes, `address` where it came from.
    """

    who: str | None
    device: str | None
    operation: str
    scope: str
    reason: str
    address: str


class OperationDone(Event, frozen=True):
    """Somebody changed something over the API. `operation` is method and path as declared, `path` its parameters and the id it answered."""

    who: str
    operation: str
    path: Mapping[str, str]
    status: int
    address: str


class CommandBegun(Event, frozen=True):
    """Somebody tells a device something; CommandDone says what came of it."""

    device: str
    capability: str
    quantity: str | None
    value: float | str
    who: str


class CommandDone(Event, frozen=True):
    """A device was told something, and what came of it: acknowledged, unconfirmed, refused or failed, after `took_ms`."""

    device: str
    capability: str
    quantity: str | None
    value: float | str
    who: str
    result: str
    reason: str
    took_ms: int


class SystemTrouble(Event, frozen=True):
    """Something is wrong with the hub itself. `key` names it until it is over; `severity` is low, medium, high or critical."""

    key: str
    severity: str
    title: str
    message: str


class SystemTroubleOver(Event, frozen=True):
    """What a SystemTrouble of this key said is over.

    `heard` False: this run of the hub saw no such trouble, so whoever remembers one from the run before may let it go.
    """

    key: str
    heard: bool = True


class Announced(Event, frozen=True):
    """News for the live socket: a message of type `kind` to whoever hears `device`. The newest of a kind and key counts."""

    kind: str
    key: str
    device: str
    payload: Mapping[str, Any]


class Stopping(Event, frozen=True):
    """The house is about to stop."""
