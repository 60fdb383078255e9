"""All contracts of the house: those of the YAML and those that the API made, checked against what they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import voluptuous as vol
from sqlalchemy import delete, insert, select, update

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.billing.contract import Contract, contract, tariffs_of
from ohmstead.plugins.billing.schemas import CONTRACT
from ohmstead.plugins.billing.tables import contracts as table
from ohmstead.plugins.devices.locations import HOME, Locations
from ohmstead.plugins.ledger.points.points import MeterPoints, Role
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.tariffs.registry import Tariffs

Options = Mapping[str, Any]
Problem = tuple[str, str]  # the option, and what is wrong with it
CurrencyOf = Callable[[str], str | None]  # of a tariff; None: there is no such tariff
MOST_NAMED = 12  # of the tariffs there are
NO_CURRENCY = "XXX"  # ISO 4217's code for it, of a contract whose tariff is not there


class World(msgspec.Struct, frozen=True):
    """What a contract is checked against. `currencies` are those of the tariffs there are, by id."""

    locations: set[str]
    currencies: Mapping[str, str]
    contracts: Sequence[Contract]


class Contracts:
    """The contracts, in memory."""

    def __init__(self, storage: Storage, clock: Clock, locations: Locations, points: MeterPoints, tariffs: Tariffs) -> None:
        self._storage, self._clock, self._locations, self._points = storage, clock, locations, points
        self._tariffs = tariffs
        self._given: dict[str, tuple[Options, str]] = {}  # validated options, and where they are from

    async def open(self) -> None:
        """Read what the API made."""
        async with self._storage.read() as connection:
            found = await connection.execute(select(table.c.id, table.c.body).where(table.c.tenant_id == self._storage.tenant_id))
            for slug, body in found:
                self._given.setdefault(slug, (vol.Schema(CONTRACT)(msgspec.json.decode(body)), "api"))

    async def apply(self, defined: Mapping[str, Options]) -> None:
        """Make these the YAML's contracts."""
        kept = {slug: (options, origin) for slug, (options, origin) in self._given.items() if origin == "api" and slug not in defined}
        self._given = {**kept, **{slug: (options, "yaml") for slug, options in defined.items()}}

    def __iter__(self) -> Iterator[Contract]:
        return iter([self._made(slug, *self._given[slug]) for slug in sorted(self._given)])

    def __contains__(self, slug: object) -> bool:
        return slug in self._given

    def get(self, slug: str) -> Contract:
        """The contract; NotFound."""
        if slug not in self._given:
            raise NotFound(f"there is no contract {slug[:64]!r}.{did_you_mean(slug, self._given) or _list(self._given)}")
        return self._made(slug, *self._given[slug])

    def options(self, slug: str) -> Options:
        """What a contract was described with."""
        return self._given[self.get(slug).id][0]

    def of_point(self, point: str) -> list[Contract]:
        """The contracts that bill a meter point."""
        return [each for each in self if point in each.points]

    def main(self, location: str, at_ms: int) -> Contract | None:
        """The contract a location's prices are those of: in force at the instant, for electricity from the grid, the first by id.

        Where none is all of that, one in force goes before one for electricity. None where the location has none.
        """
        own = (each for each in self if each.location == location)
        return min(own, key=lambda each: (not each.holds(at_ms), not self._buys_electricity(each)), default=None)

    def _buys_electricity(self, contract: Contract) -> bool:
        return any(point is not None and point.role == Role.GRID_IMPORT for point in map(self._points.find, contract.imports))

    def problems(self, new: Contract) -> Iterator[Problem]:
        """What is wrong with a contract of the API although each option by itself is right."""
        currencies = {tariff.id: tariff.currency for tariff in self._tariffs}
        yield from self.contradictions(new, World({place.id for place in self._locations}, currencies, list(self)))
        for option, points in (("import", new.imports), ("export", new.exports)):
            for point in points:
                if self._points.find(point) is None:
                    yield option, f"there is no meter point {point!r}.{did_you_mean(point, [p.id for p in self._points])}"

    def yaml_problems(self, sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        """What is wrong with the YAML's contracts although each option by itself is right.

        A meter point that is not there yet is none of it: it appears once its device is first heard.
        """
        given: Mapping[str, Options] = sections["contracts"]
        currencies = {tariff.id: tariff.currency for tariff in self._tariffs if tariff.origin != "yaml"}
        currencies |= {slug: options["currency"] for slug, options in sections["tariffs"].items()}
        places = {place.id for place in self._locations if place.origin != "yaml"} | set(sections["locations"]) | {HOME}
        made = [contract(slug, options, sections["home"]["time_zone"], _currency(options, currencies.get), "yaml")
                for slug, options in given.items()]  # fmt: skip
        world = World(places, currencies, [*made, *(each for each in self if each.origin == "api")])
        for each in made:
            if self._given.get(each.id, ({}, ""))[1] == "api":
                yield (each.id,), "a contract of this id was made over the API; delete it there, or choose another id"
            else:
                yield from (((each.id, option), text) for option, text in self.contradictions(each, world))

    def contradictions(self, new: Contract, world: World) -> Iterator[Problem]:
        """What of a contract contradicts itself or the world, whatever meter points there are."""
        if new.location not in world.locations:
            yield "location", f"there is no location {new.location!r}.{did_you_mean(new.location, world.locations)}"
        if new.start_ms is not None and new.end_ms is not None and new.end_ms <= new.start_ms:
            yield "end", "lies before the start, or on it; expected a later day"
        for _, tariff in new.tariffs:
            currency = world.currencies.get(tariff)
            if currency is None:
                known = _list(world.currencies) if len(world.currencies) <= MOST_NAMED else ""
                yield "tariff", f"there is no tariff {tariff!r}.{did_you_mean(tariff, world.currencies) or known}"
            elif currency != new.currency:
                yield "tariff", f"tariff {tariff!r} is in {currency}, the contract in {new.currency}; a contract has one currency"
        yield from self._meter_points(new)
        for other in world.contracts:
            shared = sorted({*new.points} & {*other.points})
            if other.id != new.id and shared and new.overlaps(other):
                yield "import", f"contract {other.id!r} bills {shared[0]} at the same time; end one of them before the other starts"

    def _meter_points(self, new: Contract) -> Iterator[Problem]:
        if not new.points:
            yield "import", "expected at least one meter point to import or export by"
        twice = sorted({point for point in new.points if new.points.count(point) > 1})
        if twice:
            yield "export" if twice[0] in new.exports else "import", f"{twice[0]} is named twice"
        units = {found.unit for point in new.points if (found := self._points.find(point)) is not None}
        if len(units) > 1:
            yield "import", "the meter points measure different things, m³ and kWh; make a contract for each"

    async def add(self, slug: str, given: Options) -> Contract:
        """Keep a contract that the API makes. Conflict when the id is taken, Invalid for what cannot be."""
        if slug in self._given:
            raise Conflict(f"contract {slug!r} exists already")
        return await self._keep(slug, given, new=True)

    async def change(self, slug: str, given: Options) -> Contract:
        """Keep a contract with other options. NotFound, Conflict for one of the YAML, Invalid."""
        self.writable(slug)
        return await self._keep(slug, given, new=False)

    async def remove(self, slug: str) -> None:
        """Forget a contract of the API; its issued bills stay. NotFound, Conflict for one of the YAML."""
        self.writable(slug)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(delete(table).where(*self._row(slug)))

        await self._storage.write(write)
        self._given.pop(slug, None)

    def writable(self, slug: str) -> Contract:
        """The contract if it may be changed over the API; Conflict for one of the YAML."""
        found = self.get(slug)
        if found.origin == "yaml":
            raise Conflict(f"contract {slug!r} is defined in the configuration file; change it there")
        return found

    def checked(self, slug: str, given: Options, origin: str = "api") -> Contract:
        """The contract that options describe. Invalid with all that is wrong with it."""
        new = self._made(slug, given, origin)
        refuse(self.problems(new))
        return new

    async def _keep(self, slug: str, given: Options, new: bool) -> Contract:
        made = self.checked(slug, given)
        body = msgspec.json.encode(plain(given)).decode()

        async def write(tx: AsyncConnection) -> None:
            if new:
                row = {"tenant_id": self._storage.tenant_id, "id": slug, "body": body, "created_ms": self._clock.now_ms()}
                await tx.execute(insert(table).values(row))
            else:
                await tx.execute(update(table).where(*self._row(slug)).values(body=body))

        await self._storage.write(write)
        self._given[slug] = (given, "api")
        return made

    def _row(self, slug: str) -> tuple[Any, Any]:
        return table.c.tenant_id == self._storage.tenant_id, table.c.id == slug

    def _currency_of(self, tariff: str) -> str | None:
        return self._tariffs.get(tariff).currency if tariff in self._tariffs else None

    def _made(self, slug: str, given: Options, origin: str) -> Contract:
        zone = self._locations.zone_of(given.get("location", HOME))
        return contract(slug, given, zone, _currency(given, self._currency_of), origin)


def _currency(given: Options, currency_of: CurrencyOf) -> str:
    """That of the first tariff there is, unless the contract states one."""
    return given.get("currency") or next(filter(None, map(currency_of, tariffs_of(given))), NO_CURRENCY)


def refuse(problems: Iterable[Problem]) -> None:
    """Invalid with all of them, if there are any."""
    found = [{"path": option, "message": text} for option, text in problems]
    if found:
        raise Invalid("; ".join(f"{each['path']}: {each['message']}" for each in found), found)


def plain(given: Options) -> Any:
    """Options as JSON shows them, and as the schema takes them again."""
    if isinstance(given, Mapping):
        return {key: plain(value) for key, value in given.items()}
    if isinstance(given, list):
        return [plain(value) for value in given]
    if isinstance(given, tuple):
        return f"{given[0]:04}-{given[1]:02}"
    if hasattr(given, "isoformat"):
        return given.isoformat()[:10] if not hasattr(given, "minute") else given.isoformat("minutes")
    return given


def _list(known: Iterable[str]) -> str:
    names = sorted(known)
    return f" There are {', '.join(names)}" if names else " There are none yet"
