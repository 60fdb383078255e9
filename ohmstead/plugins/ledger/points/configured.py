"""What the configuration file says of meter points: checked against the rest, and laid over the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core.errors import Invalid
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.points.bindings import Binding, overlap, span
from ohmstead.plugins.ledger.points.plausible import plausible_per_h
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role, circle, is_reserved

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.points.automatic import Automatic
    from ohmstead.plugins.ledger.points.registrar import Registrar
    from ohmstead.plugins.ledger.schemas import Shapes

Options = Mapping[str, Any]
Problem = tuple[tuple[str, ...], str]
MEASURED = ("series", "bindings")


class Configured:
    """The `meter_points:` part of the YAML."""

    def __init__(self, shapes: Shapes, points: MeterPoints, registrar: Registrar, automatic: Automatic) -> None:
        self._shapes, self._points, self._registrar, self._automatic = shapes, points, registrar, automatic

    def problems(self, sections: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong with it although each part by itself is right."""
        given: Mapping[str, Options] = sections["meter_points"]
        places = {place.id for place in self._points.locations if place.origin != "yaml"} | set(sections["locations"]) | {HOME}
        stay = {point.id: point.parent for point in self._points if point.origin != "yaml" and point.id not in given}
        parents = {**stay, **{slug: options.get("parent") for slug, options in given.items()}}
        for slug, options in given.items():
            yield from self._clashes(slug, options)
            yield from _known((slug, "location"), "location", options.get("location"), places)
            yield from _known((slug, "parent"), "meter point", options.get("parent"), parents)
            if way := circle(parents, slug):
                yield (slug, "parent"), f"goes round in a circle: {' → '.join(way)}"
            yield from self._wrong_bindings(slug, options, sections["home"]["time_zone"])

    def _clashes(self, slug: str, options: Options) -> Iterator[Problem]:
        there = self._points.find(slug)
        if is_reserved(slug):
            yield (slug,), "the house computes this meter point itself; choose another id"
        elif there is not None and there.origin == "api":
            yield (slug,), "a meter point of this id was made over the API; delete it there, or choose another id"
        if "series" in options and "bindings" in options:
            yield (slug, "bindings"), "expected either series, for all time, or bindings"
        stray = [key for key in options if key not in MEASURED and key in {str(known) for known in self._shapes.binding}]
        if stray and "series" not in options:
            yield (slug, stray[0]), "belongs to a series; state that beside it"

    def _wrong_bindings(self, slug: str, options: Options, zone: str) -> Iterator[Problem]:
        made: list[tuple[Binding, tuple[str, ...]]] = []
        for keys, each in _stated(options):
            try:
                made.append((self._shapes.made(each, zone, 1), (slug, *keys)))
            except vol.Invalid as error:
                yield (slug, *keys, *map(str, error.path)), error.msg
        if found := overlap(binding for binding, _ in made):
            place = next(keys for binding, keys in made if binding is found[1])
            yield place, f"{span(found[1])} overlaps {span(found[0])}; end the earlier one where the later begins"

    async def apply(self, given: Mapping[str, Options]) -> None:
        """Put it in force, and write it."""
        async with self._registrar.deciding:
            await self._apply(given)
        self._automatic.look_at_all()

    async def _apply(self, given: Mapping[str, Options]) -> None:
        self._automatic.stated = given
        for slug, options in sorted(given.items()):
            point, bindings = self._described(slug, options)
            if point != self._points.find(slug) or _changed(bindings, self._points.bindings(slug)):
                await self._registrar.put(point, bindings)
        for point in [point for point in self._points if point.origin == "yaml" and point.id not in given]:
            if point.device is None:
                await self._registrar.remove(point.id)
            else:
                await self._registrar.put(_released(point))

    def _described(self, slug: str, options: Options) -> tuple[MeterPoint, list[Binding]]:
        old = self._points.find(slug)
        key, role = (0, Role.CUSTOM) if old is None else (old.key, old.role)
        said = {"name": slug, "role": role, "location": HOME} | {name: options[name] for name in OWN if name in options}
        said["role"] = Role(said["role"])
        if old is not None and not any(name in options for name in MEASURED):  # the automatic choice may go on feeding it
            said |= {"device": old.device, "flow": old.flow}
        point = MeterPoint(key, slug, origin="yaml", **said)
        return point, self._bindings(point, options)

    def _bindings(self, point: MeterPoint, options: Options) -> list[Binding]:
        zone, limit = self._points.locations.zone_of(point.location), plausible_per_h(self._points.kind_at(point.location), point.role)
        if not any(name in options for name in MEASURED):
            return [binding for binding in self._points.bindings(point.id) if binding.automatic]
        try:
            return [self._shapes.made(each, zone, limit) for _, each in _stated(options)]
        except vol.Invalid as error:  # `problems` has looked at it in the zone of before
            raise Invalid(f"meter_points → {point.id}: {error}") from error


OWN = ("name", "role", "location", "parent", "category")


def _stated(options: Options) -> Iterator[tuple[tuple[str, ...], Options]]:
    """Each binding, with the keys that lead to it."""
    if "series" in options:
        yield (), options
    for number, each in enumerate(options.get("bindings", ())):
        yield ("bindings", str(number)), each


def _changed(bindings: Sequence[Binding], there: Sequence[Binding]) -> bool:
    return {binding.unnumbered() for binding in bindings} != {binding.unnumbered() for binding in there}


def _released(point: MeterPoint) -> MeterPoint:
    """A meter point that left the YAML and that the automatic choice feeds: it follows its device again."""
    return msgspec.structs.replace(point, origin="auto", parent=None)


def _known(at: tuple[str, ...], what: str, value: str | None, known: Iterable[str]) -> Iterator[Problem]:
    if value is not None and value not in known:
        yield at, f"there is no {what} {value!r}.{did_you_mean(value, known)}"
