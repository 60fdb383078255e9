"""`/meter-points`: which there are, what measures them, and swapping a meter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.route import Call, Handler, Reply, Route
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.moments import instant_ms
from ohmstead.plugins.ledger.points.bindings import Binding, around, refuse_overlap
from ohmstead.plugins.ledger.points.plausible import plausible_per_h
from ohmstead.plugins.ledger.points.points import MeterPoint, Role, circle, is_reserved
from ohmstead.plugins.ledger.points.swap import swapped

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.ledger.schemas import Shapes

OWN = ("name", "role", "location", "parent", "category")
LISTING: dict[Any, Any] = {
    vol.Optional("location", description="only those in this location or one that lies within"): validate.slug,
    vol.Optional("role", description="only those of this role"): validate.one_of(*Role),
    vol.Optional("limit", default=100, description="at most so many, up to 1,000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.text,
}
DRY: dict[Any, Any] = {
    vol.Optional("dry_run", default=False, description="true: show what it would come to, and change nothing"): validate.boolean,
}


class PointRoutes:
    """The operations on meter points and their bindings."""

    def __init__(self, ledger: Ledger, shapes: Shapes) -> None:
        self._ledger, self._points, self._shapes = ledger, ledger.points, shapes

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        shapes, tags, one = self._shapes, ("meter points",), "/meter-points/{id}"
        made = {vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug, **shapes.api_point}
        bindings, binding = f"{one}/bindings", f"{one}/bindings/{{number}}"
        change = partial(Route, scope="write", query=DRY, tags=tags)
        return [
            Route("GET", "/meter-points", self.listing, "read", "Meter points, in order of their ids", query=LISTING, tags=tags),
            change("POST", "/meter-points", self._alone(self.make), summary="Make a meter point", body=made, status=201),
            Route("GET", one, self.one, "read", "One meter point", tags=tags),
            change("PUT", one, self._alone(self.change), summary="Change what is given; series for all time", body=shapes.api_point),
            Route("DELETE", one, self._alone(self.remove), "write", "Remove a meter point that nothing hangs under", tags=tags),
            Route("GET", bindings, self.bindings, "read", "What measures it, in order of time", tags=tags),
            change("POST", bindings, self._alone(self.bind), summary="Bind series for a span", body=shapes.binding, status=201),
            change("PUT", binding, self._alone(self.rebind), summary="Put another binding in the place of one", body=shapes.binding),
            change("DELETE", binding, self._alone(self.unbind), summary="Remove a binding that somebody made"),
            change("POST", f"{one}/swap", self._alone(self.swap), summary="Another meter took over, without a seam", body=shapes.swap),
        ]

    def _alone(self, handler: Handler) -> Handler:
        """The handler, while nobody else changes meter points: what it looks at is what it changes."""

        @wraps(handler)
        async def handle(call: Call) -> Any:
            async with self._ledger.registrar.deciding:
                return await handler(call)

        return handle

    async def listing(self, call: Call) -> Reply:
        """A page of meter points."""
        query, after = call.query, call.query.get("cursor", "")
        inside = list(self._points) if "location" not in query else self._points.within(self._points.locations.get(query["location"]).id)
        found = [point for point in inside if point.id > after and query.get("role", point.role) == point.role]
        limit = query["limit"]
        shown = [self._shown(point, self._points.bindings(point.id)) for point in found[:limit]]
        return Reply(shown, next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def one(self, call: Call) -> dict[str, Any]:
        """One meter point."""
        point = self._points.get(call.path["id"])
        return self._shown(point, self._points.bindings(point.id))

    async def make(self, call: Call) -> Reply:
        """A new meter point."""
        slug = call.body["id"]
        if slug in self._points:
            raise Conflict(f"meter point {slug!r} exists already")
        if is_reserved(slug):
            raise Conflict(f"{slug!r} is the id of a meter point that the house computes itself; choose another one")
        point = self._described(MeterPoint(0, slug, slug, Role.CUSTOM), call.body)
        return Reply(await self._keep(call, point, self._measured(point, call.body)), status=201)

    async def change(self, call: Call) -> dict[str, Any]:
        """Change a meter point. One that made itself is a person's from then on, and goes on choosing what measures it."""
        point = self._described(self._writable(call.path["id"]), call.body)
        return await self._keep(call, point, self._measured(point, call.body))

    async def remove(self, call: Call) -> dict[str, Any]:
        """Remove a meter point; one that made itself does not come back."""
        point = self._writable(call.path["id"])
        below = [each.id for each in self._points if each.parent == point.id]
        if below:
            raise Conflict(f"{', '.join(below[:5])} hang under meter point {point.id!r}; give them another parent first")
        for guard in self._ledger.registrar.guards:
            guard(point.id)
        await self._ledger.registrar.remove(point.id, refused=True)
        return {"id": point.id, "removed": True}

    async def bindings(self, call: Call) -> list[dict[str, Any]]:
        """What measures a meter point."""
        return [binding.shown() for binding in self._points.bindings(self._points.get(call.path["id"]).id)]

    async def bind(self, call: Call) -> Reply:
        """One more binding; automatic ones give way to it."""
        point = self._writable(call.path["id"])
        return Reply(await self._bound(call, point, [*self._stated(point), self._made(point, call.body)]), status=201)

    async def rebind(self, call: Call) -> list[dict[str, Any]]:
        """Another binding in the place of one; automatic ones give way to it."""
        point = self._writable(call.path["id"])
        old = self._numbered(point, call.path["number"])
        return await self._bound(call, point, [*(each for each in self._stated(point) if each != old), self._made(point, call.body)])

    async def unbind(self, call: Call) -> list[dict[str, Any]]:
        """Remove a binding; the automatic choice fills its time again, where it has anything."""
        point = self._writable(call.path["id"])
        old = self._numbered(point, call.path["number"])
        if old.automatic:
            raise Conflict(f"binding {old.number} is automatic and would come back; bind another series, or remove the meter point")
        return await self._bound(call, point, [each for each in self._stated(point) if each != old])

    async def swap(self, call: Call) -> list[dict[str, Any]]:
        """End one binding and begin the next."""
        point, body = self._writable(call.path["id"]), call.body
        after = self._made(point, body) if "series" in body else None
        at_ms = instant_ms(body["at"], self._points.zone_of(point.id))
        found = swapped(self._points.bindings(point.id), after, at_ms, body.get("closing"), body.get("opening"))
        return (await self._keep(call, point, found))["bindings"]  # type: ignore[no-any-return]

    def _shown(self, point: MeterPoint, bindings: Sequence[Binding]) -> dict[str, Any]:
        plain = {name: getattr(point, name) for name in ("id", "name", "role", "location")}
        rest = {name: getattr(point, name) for name in ("category", "unit", "origin", "device")}
        made_of = self._points.composition(point.id) if point.id in self._points else ()
        computed = [{"meter_point": slug, "sign": sign} for slug, sign in made_of]
        return {**plain, "parent": self._points.above(point), **rest, "time_zone": self._points.locations.zone_of(point.location),
                "bindings": [binding.shown() for binding in bindings], **({"computed_of": computed} if computed else {})}  # fmt: skip

    def _writable(self, slug: str) -> MeterPoint:
        point = self._points.get(slug)
        if point.origin == "yaml":
            raise Conflict(f"meter point {slug!r} is defined in the configuration file; change it there")
        if point.role is Role.CONSUMPTION:
            made_of = ", ".join(each for each, _ in self._points.composition(slug))
            raise Conflict(f"meter point {slug!r} is computed of {made_of}; change those")
        return point

    def _described(self, point: MeterPoint, given: Mapping[str, Any]) -> MeterPoint:
        """The meter point with what is given, when all it points at is there."""
        said = {name: given[name] for name in OWN if name in given}
        if said.get("location", HOME) not in self._points.locations:
            raise _wrong("location", f"there is no location {said['location']!r}")
        parent = said.get("parent")
        if parent is not None and parent not in self._points:
            raise _wrong("parent", f"there is no meter point {parent!r}")
        way = circle({**{each.id: each.parent for each in self._points}, point.id: said.get("parent", point.parent)}, point.id)
        if way:
            raise _wrong("parent", f"goes round in a circle: {' → '.join(way)}")
        if "role" in said:
            said["role"] = Role(said["role"])
        return msgspec.structs.replace(point, origin="api", **said)

    def _measured(self, point: MeterPoint, given: Mapping[str, Any]) -> list[Binding] | None:
        if "series" in given:
            return [self._made(point, given)]
        stray = [key for key in given if key not in ("id", *OWN)]
        if stray:
            raise _wrong(stray[0], "belongs to a series; give that beside it")
        return None

    def _made(self, point: MeterPoint, given: Mapping[str, Any]) -> Binding:
        limit = plausible_per_h(self._points.kind_at(point.location), point.role)
        try:
            return self._shapes.made(given, self._points.locations.zone_of(point.location), limit)
        except vol.Invalid as error:
            raise _wrong(".".join(map(str, error.path)), error.msg) from None

    def _stated(self, point: MeterPoint) -> list[Binding]:
        return [binding for binding in self._points.bindings(point.id) if not binding.automatic]

    def _numbered(self, point: MeterPoint, number: str) -> Binding:
        found = next((each for each in self._points.bindings(point.id) if str(each.number) == number), None)
        if found is None:
            raise NotFound(f"meter point {point.id!r} has no binding {number}")
        return found

    async def _bound(self, call: Call, point: MeterPoint, stated: list[Binding]) -> list[dict[str, Any]]:
        automatic = [binding for binding in self._points.bindings(point.id) if binding.automatic]
        return (await self._keep(call, point, [*around(automatic, stated), *stated]))["bindings"]  # type: ignore[no-any-return]

    async def _keep(self, call: Call, point: MeterPoint, bindings: Sequence[Binding] | None) -> dict[str, Any]:
        """Put it in force, unless the call only asks what would be; as it is then."""
        after = self._points.bindings(point.id) if bindings is None else bindings
        refuse_overlap(after, point.id)
        if call.query["dry_run"]:
            return self._shown(point, sorted(after, key=lambda binding: binding.from_ms))
        stored = await self._ledger.registrar.put(point, bindings)
        if point.device is not None:
            self._ledger.automatic.look_at(point.device)
        for device in {term.device for binding in bindings or () for term in binding.terms}:
            self._ledger.automatic.look_at(device)  # what it made by itself may give way
        return self._shown(stored, self._points.bindings(stored.id))


def _wrong(path: str, message: str) -> Invalid:
    return Invalid(f"{path}: {message}", [{"path": path, "message": message}])


