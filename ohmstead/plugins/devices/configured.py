"""What the configuration file defines of devices and locations, checked against the rest and laid over the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ohmstead.core.model import Device
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.devices.admission import LIMIT
from ohmstead.plugins.devices.facts import FACTS, filled
from ohmstead.plugins.devices.journal import LOCATION
from ohmstead.plugins.devices.locations import HOME, Location, cycle
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.devices.secrets import GRACE_S

Options = Mapping[str, Any]
Problem = tuple[tuple[str, ...], str]  # where in the YAML, and what is wrong


class Configured(msgspec.Struct, frozen=True):
    """Validated parts of the YAML. `integrations` are the ids under `integrations:`, devices like the others."""

    home: Options = msgspec.field(default_factory=dict)
    locations: Mapping[str, Options] = msgspec.field(default_factory=dict)
    devices: Mapping[str, Options] = msgspec.field(default_factory=dict)
    integrations: frozenset[str] = frozenset()
    registry: Options = msgspec.field(default_factory=dict)


def problems(registry: Devices, new: Configured) -> Iterator[Problem]:
    """What is wrong with it although each part by itself is right."""
    yield from _places(registry, new)
    known = {entry.device.id for entry in registry if entry.device.origin != "yaml"} | set(new.devices) | new.integrations
    places = {place.id for place in registry.locations if place.origin == "api"} | set(new.locations) | {HOME}
    for device in sorted({*new.devices, *new.integrations}):
        at = ("devices" if device in new.devices else "integrations", device)
        entry, options = registry.find(device), new.devices.get(device, {})
        if entry is not None and entry.device.origin == "api":
            yield at, "a device of this id was made over the API; delete it there, or choose another id"
        yield from _known(at, "location", options.get("location"), places)
        yield from _known(at, "via", options.get("via"), known - {device})


def _places(registry: Devices, new: Configured) -> Iterator[Problem]:
    api = {place.id: place.parent for place in registry.locations if place.origin == "api"}
    parents = {**api, **{place: options.get("parent") for place, options in new.locations.items()}}
    for place, options in sorted(new.locations.items()):
        if place in api:
            yield ("locations", place), "a location of this id was made over the API; delete it there, or choose another id"
        yield from _known(("locations", place), "parent", options.get("parent"), {*parents, HOME})
    if way := cycle(parents):
        yield ("locations", way[0], "parent"), f"goes round in a circle: {' → '.join(way)}"


def _known(at: tuple[str, ...], key: str, value: str | None, known: Iterable[str]) -> Iterator[Problem]:
    if value is not None and value not in known:
        yield (*at, key), f"there is no {'device' if key == 'via' else 'location'} {value!r}.{did_you_mean(value, known)}"


async def apply(registry: Devices, new: Configured) -> None:
    """Put it in force, and write it. Call it with a configuration that has no `problems`."""
    _apply_options(registry, new.registry)
    wanted = {device: new.devices.get(device, {}) for device in sorted({*new.devices, *new.integrations})}
    _apply_locations(registry, new, wanted)
    for device, options in wanted.items():
        _apply_device(registry, device, options)
    for device in [entry.device.id for entry in registry if entry.device.origin == "yaml" and entry.device.id not in wanted]:
        registry.remove(device)
    await registry.saved()


def _apply_options(registry: Devices, options: Options) -> None:
    registry.admission.enabled = options.get("auto", True)
    registry.admission.limit = options.get("auto_limit", LIMIT)
    registry.secrets.grace_s = options.get("secret_grace", GRACE_S)
    registry.secrets.max_age_s = options.get("secret_max_age")


def _apply_locations(registry: Devices, new: Configured, wanted: Mapping[str, Options]) -> None:
    home = {key: new.home[key] for key in ("name", "time_zone", "latitude", "longitude") if new.home.get(key) is not None}
    given = {HOME: {"name": "Home", "kind": "home", "time_zone": "UTC", **home, **new.locations.get(HOME, {})}}
    given |= {place: {"name": place, **options} for place, options in new.locations.items() if place != HOME}
    defined = {place: Location(id=place, origin="yaml", **options) for place, options in given.items()}
    used = {entry.device.location for entry in registry if entry.device.id not in wanted and entry.device.location is not None}
    written, gone = registry.locations.from_yaml(defined, used)
    registry.journal.note(LOCATION, *(place.id for place in written), *gone)


def _apply_device(registry: Devices, device: str, options: Options) -> None:
    given = {"name": device, "location": HOME, **options}
    if "offline_after" in given:
        given["offline_after_s"] = given.pop("offline_after")
    given["tags"] = tuple(given.get("tags", ()))
    entry = registry.find(device)
    if entry is not None:
        given |= {fact: getattr(entry.device, fact) for fact in FACTS}
    described = Device(id=device, origin="yaml", **given)
    if entry is not None and entry.told is not None:
        described = filled(described, entry.told)
    if entry is not None and entry.device.origin == "yaml":
        registry.update(entry, described)
    else:
        registry.add(described)
