"""Where devices are: locations that nest, each with a time zone of its own or its parent's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ohmstead.core.errors import Conflict, Invalid, NotFound

HOME = "home"
KINDS = ("home", "apartment", "building", "facility", "floor", "room", "other")


class Location(msgspec.Struct, frozen=True):
    """One place. `area_m2` in square metres, coordinates in degrees; `time_zone` None means the parent's."""

    id: str
    name: str
    kind: str = "other"
    parent: str | None = None
    address: str | None = None
    area_m2: float | None = None
    time_zone: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    origin: str = "api"  # yaml (read-only over the API) or api


class Locations:
    """All locations, in memory. `home` is always there: the root of those without a parent."""

    def __init__(self) -> None:
        self._by_id: dict[str, Location] = {HOME: Location(HOME, "Home", "home", time_zone="UTC", origin="yaml")}
        self.holds: list[Callable[[str], Iterable[str]]] = []  # what of other rooms is in a location and keeps it there

    def __iter__(self) -> Iterator[Location]:
        return iter(sorted(self._by_id.values(), key=lambda place: place.id))

    def __contains__(self, location: str) -> bool:
        return location in self._by_id

    def get(self, location: str) -> Location:
        """The location; NotFound."""
        found = self._by_id.get(location)
        if found is None:
            raise NotFound(f"there is no location {location!r}")
        return found

    def restore(self, places: Iterable[Location]) -> None:
        """Take in what the database holds."""
        self._by_id.update({place.id: place for place in places})

    def zone_of(self, location: str | None) -> str:
        """The IANA zone of a location: its own, its parent's, at last the home's."""
        seen: set[str] = set()
        while location is not None and location in self._by_id and location not in seen:
            seen.add(location)
            place = self._by_id[location]
            if place.time_zone is not None:
                return place.time_zone
            location = place.parent
        return self._by_id[HOME].time_zone or "UTC"

    def within(self, location: str) -> set[str]:
        """The location and all that are nested in it."""
        found, rest = {location}, [location]
        while rest:
            parent = rest.pop()
            inner = [place.id for place in self._by_id.values() if place.parent == parent and place.id not in found]
            found.update(inner)
            rest += inner
        return found

    def made(self, given: Mapping[str, Any]) -> Location:
        """A new location, checked; Conflict when the id is taken, Invalid for a parent that cannot be."""
        if given["id"] in self._by_id:
            raise Conflict(f"location {given['id']!r} exists already")
        return self._checked(Location(**given))

    def changed(self, location: str, given: Mapping[str, Any]) -> Location:
        """The location with some of it changed, checked."""
        return self._checked(msgspec.structs.replace(self.writable(location), **given))

    def writable(self, location: str) -> Location:
        """The location if it may be changed over the API; Conflict for one of the YAML."""
        place = self.get(location)
        if place.origin == "yaml":
            raise Conflict(f"location {location!r} is defined in the configuration file; change it there")
        return place

    def removable(self, location: str, devices: Iterable[str]) -> None:
        """Conflict while something is in it: other locations, or the given devices."""
        self.writable(location)
        inner = [place.id for place in self._by_id.values() if place.parent == location] + [*devices, *self._held(location)]
        if inner:
            raise Conflict(f"location {location!r} still holds {', '.join(sorted(inner)[:5])}; move them first")

    def put(self, place: Location) -> None:
        """Take in a location that is stored."""
        self._by_id[place.id] = place

    def remove(self, location: str) -> None:
        """Forget a location."""
        self._by_id.pop(location, None)

    def from_yaml(self, defined: Mapping[str, Location], used: set[str]) -> tuple[list[Location], list[str]]:
        """Make `defined` the YAML's locations; what to write and which to delete.

        One that left the YAML while something or other locations are in it stays, and becomes one of the API's.
        """
        left = [p for p in self._by_id.values() if p.origin == "yaml" and p.id not in defined and p.id != HOME]
        parents = {p.parent for p in self._by_id.values() if p.origin == "api"} | {p.parent for p in defined.values()} | used
        needed = {p.id for p in left if p.id in parents or self._held(p.id)}
        stay = [msgspec.structs.replace(p, origin="api") for p in left if p.id in needed]
        gone = [p.id for p in left if p.id not in needed]
        for location in gone:
            del self._by_id[location]
        self._by_id.update({**defined, **{p.id: p for p in stay}})
        return [*defined.values(), *stay], gone

    def _held(self, location: str) -> list[str]:
        return [each for held in self.holds for each in held(location)]

    def _checked(self, place: Location) -> Location:
        if place.parent is None:
            return place
        if place.parent not in self._by_id:
            raise _wrong_parent(f"there is no location {place.parent!r}")
        if place.parent in self.within(place.id):
            raise _wrong_parent(f"{place.parent!r} lies within {place.id!r}")
        return place


def _wrong_parent(message: str) -> Invalid:
    return Invalid(f"parent: {message}", [{"path": "parent", "message": message}])


def cycle(parents: Mapping[str, str | None]) -> list[str] | None:
    """The ids of a cycle among locations, from one round to itself, or None."""
    for start in parents:
        way = [start]
        while (parent := parents.get(way[-1])) is not None:
            if parent in way:
                return [*way[way.index(parent) :], parent]
            way.append(parent)
    return None
