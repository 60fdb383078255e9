"""The records that flow through the house. Nonsense is refused when one is made and not looked for again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec

from ohmstead.core.quantity import Kind, Quantity

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def is_slug(text: str) -> bool:
    """Whether `text` can be an id: letters, digits, _ and -, at most 64, beginning with a letter or digit."""
    return SLUG.fullmatch(text) is not None


class Reading(msgspec.Struct, frozen=True):
    """What a device says of one quantity, in the quantity's canonical unit.

    `at` is aware; None means now. `device` is None for the device whose stream yields it, else the id of one behind
    it. `start` states the beginning of the period of a delta. `stale`: nobody knows since when it holds (a message that
    a broker retained), so it fills an empty state and is never stored. ValueError for a naive time, NaN or infinity.
    """

    quantity: str
    value: float | str
    at: datetime | None = None
    device: str | None = None
    start: datetime | None = None
    stale: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.quantity}: {self.value} is no number")
        for at in (self.at, self.start):
            if at is not None and at.tzinfo is None:
                raise ValueError(f"{self.quantity}: time without a zone: {at.isoformat()}")


class DeviceInfo(msgspec.Struct, frozen=True):
    """A device that a gateway announces, or what a device says of itself (`id` None: the one whose stream it is).

    `quiet_s` is for how long its kind is silent while all is well, for those that speak seldom.
    """

    id: str | None = None
    name: str | None = None
    kind: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    via: str | None = None
    tags: tuple[str, ...] = ()
    quiet_s: float | None = None


PRICE_BOUND = 1_000_000  # money per kWh
PRICE_DIGITS = 12  # decimals of a price per kWh that are kept, exactly
_LONGEST = 60  # digits of a price that are looked at


def price_units(per_kwh: Decimal) -> int:
    """A price per kWh as an integer of 10^-12 of the currency, exactly; ValueError for one that is none or has more decimals."""
    if not per_kwh.is_finite() or abs(per_kwh) >= PRICE_BOUND:
        raise ValueError(f"{_short(per_kwh)} is no price of a kWh")
    if len(per_kwh.as_tuple().digits) > _LONGEST or per_kwh.as_tuple().exponent < -_LONGEST:  # type: ignore[operator]  # it is finite
        raise ValueError(f"a price of {_short(per_kwh)} has more than {PRICE_DIGITS} decimals")
    numerator, denominator = per_kwh.as_integer_ratio()
    if 10**PRICE_DIGITS % denominator:
        raise ValueError(f"a price of {_short(per_kwh)} has more than {PRICE_DIGITS} decimals")
    return numerator * int(10**PRICE_DIGITS // denominator)


def _short(number: Decimal) -> str:
    text = str(number)
    return text if len(text) <= 40 else text[:37] + "…"


class Price(msgspec.Struct, frozen=True):
    """What a kWh costs from `start` up to `end`, both aware, exactly, in the currency of its `Prices`.

    It may be negative. ValueError for a naive time, an end that is not after the start, and a price that is no number,
    is beyond ±1,000,000 or has more than 12 decimals.
    """

    start: datetime
    end: datetime
    per_kwh: Decimal

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a price for a time without a zone: {self.start.isoformat()}")
        if self.start >= self.end:
            raise ValueError(f"a price ends at {self.end.isoformat()}, which is not after its start {self.start.isoformat()}")
        price_units(self.per_kwh)


class Prices(msgspec.Struct, frozen=True):
    """Prices that a feed gives, of one series and in one currency (ISO 4217), none overlapping another.

    `series` is None for the one named like the device whose stream yields them. The same again changes nothing; other
    prices for the same time replace those before. ValueError for prices that overlap, or a name or currency that is none.
    """

    currency: str
    prices: tuple[Price, ...]
    series: str | None = None

    def __post_init__(self) -> None:
        if re.fullmatch(r"[A-Z]{3}", self.currency) is None or not (self.series is None or is_slug(self.series)):
            raise ValueError(f"prices of {self.series!r} in {self.currency!r}: expected an id and a currency code such as EUR")
        for before, after in pairwise(sorted(self.prices, key=lambda price: price.start)):
            if after.start < before.end:
                raise ValueError(f"two prices for {after.start.isoformat()}: {before.per_kwh} and {after.per_kwh}")


class DeviceStatus(StrEnum):
    """Where a device stands."""

    UNKNOWN = "unknown"  # never heard of
    ONLINE = "online"
    OFFLINE = "offline"
    ERROR = "error"
    MAINTENANCE = "maintenance"  # a person works on it: never swept offline
    DECOMMISSIONED = "decommissioned"  # gone for good; its history stays


class Status(msgspec.Struct, frozen=True):
    """What a device says of its own health: online, offline or error; `device` as in Reading."""

    status: DeviceStatus
    device: str | None = None
    code: str | None = None
    message: str | None = None
    at: datetime | None = None


class Command(msgspec.Struct, frozen=True):
    """What a device is to do. `capability` is "switch" (value "on" or "off") or "set" (a quantity and its value)."""

    device: str
    capability: str
    value: float | str
    quantity: str | None = None


class Series:
    """One quantity of one device, addressed `device.quantity`.

    One object for the life of the house, compared by identity. `key` is the integer that stands for it in storage,
    None until something of it is stored. `low` and `high` are the range that ingest believes; `plain` says that its
    values are numbers of an instant, within bounds.
    """

    __slots__ = ("device", "high", "key", "kind", "low", "plain", "quantity", "unit")

    def __init__(self, device: str, quantity: Quantity, low: float | None = None, high: float | None = None) -> None:
        self.device = device
        self.quantity = quantity.name
        self.unit = quantity.unit
        self.kind = quantity.kind
        self.key: int | None = None
        self.bound(quantity.low if low is None else low, quantity.high if high is None else high)

    def bound(self, low: float, high: float) -> None:
        """Believe values of this range from now on."""
        self.low, self.high = low, high
        self.plain = self.kind in (Kind.GAUGE, Kind.COUNTER) and math.isfinite(low) and math.isfinite(high)

    @property
    def address(self) -> str:
        """`device.quantity`."""
        return f"{self.device}.{self.quantity}"

    def __repr__(self) -> str:
        return f"Series({self.address})"


class State(msgspec.Struct, frozen=True, gc=False):
    """The latest reading of one series.

    `changed_ms`: instant of the first reading with this value. `updated_ms`: instant of the newest reading.
    `reported_ms`: the hub's clock at the newest arrival, late ones included. `restored`: read back after a restart,
    nothing heard since.
    """

    series: Series
    value: float | str
    changed_ms: int
    updated_ms: int
    reported_ms: int
    restored: bool = False


class Cell:
    """Where the live state of one series is kept, and its band: the numbers from `low` to `high` that nobody has to hear of.

    Whoever watches sets the band; it begins as one that holds nothing.
    """

    __slots__ = ("high", "low", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.low, self.high = math.inf, -math.inf


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reading on its way to storage. `from_ms` is the start of a delta's period and None for the others."""

    series: Series
    at_ms: int
    value: float | str
    from_ms: int | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """What a reading said beside its value: for how long it was sampled, and the sender's word on its quality."""

    series: Series
    at_ms: int
    sampled_ms: int | None = None
    flags: str | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused, as it came.

    `format` names the decoder that can replay it, `address` what that decoder needs beside the bytes (a topic, a
    device id), `source` where it came from, for people.
    """

    format: str
    address: str
    source: str
    reason: str
    raw: bytes
    at_ms: int
    device: str | None = None


class Person(msgspec.Struct, frozen=True):
    """Who asks. `scopes` are what they may do; `device` restricts a device's own secret to that device."""

    id: str
    scopes: frozenset[str] = frozenset()
    device: str | None = None

    def may(self, scope: str) -> bool:
        """Whether one of the scopes covers `scope`; `*` covers all."""
        return "*" in self.scopes or scope in self.scopes


OFFLINE_AFTER_S = 120.0  # unless somebody says otherwise


class Device(msgspec.Struct, frozen=True):
    """A physical thing as the registry knows it; its live status and times are beside it, not in it."""

    id: str
    name: str
    kind: str = "other"
    location: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    via: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)
    offline_after_s: float = OFFLINE_AFTER_S
    ranges: Mapping[str, tuple[float, float]] = msgspec.field(default_factory=dict)
    origin: str = "api"  # yaml (read-only over the API), api, or auto
