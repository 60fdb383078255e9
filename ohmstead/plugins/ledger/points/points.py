"""Meter points: the roles energy plays in a house. Each outlives the devices that measure it.

Loads hang under the computed consumption of their premises: import + generation + discharge − export − charge. The
premises of a location are the nearest home, apartment, building or facility from it upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from ohmstead.core.errors import NotFound
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.devices.locations import HOME, Locations

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.points.bindings import Binding


class Role(StrEnum):
    """What the energy of a meter point does."""

    GRID_IMPORT = "grid_import"
    GRID_EXPORT = "grid_export"
    PV = "pv"
    BATTERY_IN = "battery_in"  # charge
    BATTERY_OUT = "battery_out"  # discharge
    EV = "ev"
    HEAT_PUMP = "heat_pump"
    LOAD = "load"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"
    CUSTOM = "custom"
    CONSUMPTION = "consumption"  # computed, one for each premises that has sources


SIGNS: Mapping[Role, int] = {  # what consumption is computed from
    Role.GRID_IMPORT: 1, Role.PV: 1, Role.BATTERY_OUT: 1, Role.GRID_EXPORT: -1, Role.BATTERY_IN: -1,
}  # fmt: skip
LOADS = frozenset({Role.EV, Role.HEAT_PUMP, Role.LOAD})  # under consumption unless another parent is stated
VOLUMES = frozenset({Role.GAS, Role.WATER})
BY_PEOPLE = tuple(role for role in Role if role is not Role.CONSUMPTION)
PREMISES = ("home", "apartment", "building", "facility")


class MeterPoint(msgspec.Struct, frozen=True):
    """One meter point. `key` stands for it in tables.

    `origin` is yaml (read-only over the API), api, auto (made itself) or computed. `device` and `flow` are set while
    the automatic choice feeds it: whose readings, and which way they go (import, export, gas, water, heat).
    """

    key: int
    id: str
    name: str
    role: Role
    location: str = HOME
    parent: str | None = None  # as stated; see MeterPoints.parent
    category: str | None = None  # for consumption by category
    origin: str = "api"
    device: str | None = None
    flow: str | None = None

    @property
    def unit(self) -> str:
        """kWh, or m³; its integers are millionths of that: mWh, or mL."""
        return "m³" if self.role in VOLUMES else "kWh"


class MeterPoints:
    """All meter points with their bindings, in memory. Belongs to the event loop's thread."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self._by_id: dict[str, MeterPoint] = {}
        self._by_key: dict[int, MeterPoint] = {}
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._by_device: dict[str, set[str]] = {}
        self._by_series: dict[str, set[str]] = {}
        self._order: list[MeterPoint] | None = []
        locations.holds.append(self._stated_in)

    def __iter__(self) -> Iterator[MeterPoint]:
        if self._order is None:
            self._order = sorted(self._by_id.values(), key=lambda point: point.id)
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, slug: object) -> bool:
        return slug in self._by_id

    def find(self, slug: str) -> MeterPoint | None:
        """The meter point, or None."""
        return self._by_id.get(slug)

    def get(self, slug: str) -> MeterPoint:
        """The meter point; NotFound."""
        found = self._by_id.get(slug)
        if found is None:
            raise NotFound(f"there is no meter point {slug[:64]!r}.{did_you_mean(slug, self._by_id)}")
        return found

    def by_key(self, key: int) -> MeterPoint | None:
        """The meter point that `key` stands for in tables, or None."""
        return self._by_key.get(key)

    def bindings(self, slug: str) -> tuple[Binding, ...]:
        """Its bindings in order of time."""
        return self._bindings.get(slug, ())

    def fed_by(self, device: str) -> list[MeterPoint]:
        """The meter points that the automatic choice feeds from a device."""
        return [self._by_id[slug] for slug in sorted(self._by_device.get(device, ()))]

    def measured_by(self, address: str) -> list[MeterPoint]:
        """The meter points that a series, `device.quantity`, is bound to at any time."""
        return [self._by_id[slug] for slug in sorted(self._by_series.get(address, ()))]

    def within(self, location: str) -> list[MeterPoint]:
        """The meter points in a location and in what lies within."""
        inside = self.locations.within(location)
        return [point for point in self if point.location in inside]

    def by_role(self, location: str, *roles: Role) -> list[MeterPoint]:
        """The meter points of these roles that belong to the premises of `location`."""
        premises = self.premises(location)
        return [point for point in self if point.role in roles and self.premises(point.location) == premises]

    def consumption(self, location: str) -> MeterPoint | None:
        """The computed consumption of the premises of `location`; None while nothing feeds them."""
        found = self._by_id.get(consumption_id(self.premises(location)))
        return found if found is not None and found.role is Role.CONSUMPTION else None

    def parent(self, slug: str) -> str | None:
        """What a meter point hangs under; see `above`."""
        return self.above(self._by_id[slug])

    def above(self, point: MeterPoint) -> str | None:
        """The parent stated, for a load else the consumption of its premises."""
        if point.parent is None and point.role in LOADS:
            found = self.consumption(point.location)
            return None if found is None else found.id
        return point.parent

    def children(self, slug: str) -> list[MeterPoint]:
        """The meter points that hang directly under it."""
        return [point for point in self if self.parent(point.id) == slug]

    def composition(self, slug: str) -> tuple[tuple[str, int], ...]:
        """What a computed meter point is made of: slugs with +1 or −1. Empty for those that are measured."""
        point = self._by_id[slug]
        if point.role is not Role.CONSUMPTION:
            return ()
        return tuple((source.id, SIGNS[source.role]) for source in self.by_role(point.location, *SIGNS))

    def sum_of(self, slug: str) -> MeterPoint | None:
        """The computed meter point that one is part of, or None."""
        point = self._by_id[slug]
        return self.consumption(point.location) if point.role in SIGNS else None

    def premises(self, location: str | None) -> str:
        """The nearest home, apartment, building or facility from `location` upwards."""
        seen: set[str] = set()
        while location is not None and location in self.locations and location not in seen:
            seen.add(location)
            place = self.locations.get(location)
            if place.kind in PREMISES:
                return location
            location = place.parent
        return HOME

    def kind_at(self, location: str | None) -> str:
        """What kind of premises `location` belongs to."""
        return self.locations.get(self.premises(location)).kind

    def zone_of(self, slug: str) -> str:
        """The IANA zone of its location."""
        return self.locations.zone_of(self._by_id[slug].location)

    def put(self, point: MeterPoint, bindings: Iterable[Binding] | None = None) -> None:
        """Take in a meter point as it is stored, with these bindings or those it has."""
        kept = self.bindings(point.id) if bindings is None else tuple(sorted(bindings, key=lambda binding: binding.from_ms))
        self.remove(point.id)
        self._by_id[point.id] = self._by_key[point.key] = point
        self._bindings[point.id] = kept
        self._index(point, set.add)

    def remove(self, slug: str) -> None:
        """Forget a meter point."""
        point = self._by_id.pop(slug, None)
        if point is not None:
            self._index(point, set.discard)
            del self._by_key[point.key], self._bindings[slug]

    def _stated_in(self, location: str) -> list[str]:
        """What people put there over the API; what the YAML and devices put there goes where those say."""
        return [f"meter point {point.id}" for point in self if point.location == location and point.origin == "api"]

    def _index(self, point: MeterPoint, change: Callable[[set[str], str], None]) -> None:
        self._order = None
        if point.device is not None:
            change(self._by_device.setdefault(point.device, set()), point.id)
        for address in {address for binding in self._bindings[point.id] for address in binding.series()}:
            change(self._by_series.setdefault(address, set()), point.id)


def consumption_id(premises: str) -> str:
    """The id of the computed consumption of premises."""
    return "consumption" if premises == HOME else f"consumption-{premises}"[:64]


def is_reserved(slug: str) -> bool:
    """Whether only a computed meter point may have this id."""
    return slug == "consumption" or slug.startswith("consumption-")


def circle(parents: Mapping[str, str | None], start: str) -> list[str]:
    """The way from `start` over its parents back to itself; empty when there is none."""
    way = [start]
    while (parent := parents.get(way[-1])) is not None and parent not in way[1:]:
        way.append(parent)
        if parent == start:
            return way
    return []
