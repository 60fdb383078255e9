"""All alert rules of the house: those of the YAML and those that the API made, checked against what they speak of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol
from sqlalchemy import delete, insert, select, update

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.quantity import Quantities
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.findings.finding import Cause
from ohmstead.plugins.people.address import is_address
from ohmstead.plugins.people.schema import OWNER
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.rule import READING, RULE, STORM, SYSTEM, Options, Problem, Rule, contradictions, made
from ohmstead.plugins.rules.alerts.sources.readings import TARIFF
from ohmstead.plugins.rules.alerts.sources.source import Source
from ohmstead.plugins.rules.tables import alert_rules as table
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.points.points import MeterPoints
    from ohmstead.plugins.people.people import People
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

RESERVED = (SYSTEM, STORM)
MOST_NAMED = 12  # of what there is instead


class World(msgspec.Struct, frozen=True):
    """What there is for rules to speak of. `open_house`: devices may come by themselves."""

    devices: frozenset[str]
    points: frozenset[str]
    locations: frozenset[str]
    recipients: frozenset[str]
    contracts: frozenset[str]
    open_house: bool


class AlertRules:
    """The rules, in memory; those that are active are watched by the sources of their kinds."""

    def __init__(
        self, storage: Storage, clock: Clock, quantities: Quantities, devices: Devices, points: MeterPoints, people: People, alerts: Alerts,
        sources: Mapping[str, Source], asks: Callable[[str], frozenset[tuple[str, str]]],
    ) -> None:  # fmt: skip
        self._storage, self._clock, self._quantities = storage, clock, quantities
        self._devices, self._points, self._people = devices, points, people
        self._alerts, self._sources, self._asks = alerts, sources, asks
        self._rules: dict[str, Rule] = {}
        self.contracts: Callable[[], Mapping[str, str]] = dict  # id -> origin; for the house to join
        self._running = False

    async def open(self) -> None:
        """Read what the API made. What no longer can be, is named in the log and left alone."""
        query = select(table).where(table.c.tenant_id == self._storage.tenant_id)
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            try:
                self._rules[row.id] = made(row.id, vol.Schema(RULE)(msgspec.json.decode(row.body)), "api", row.created_by, row.created_ms)
            except vol.Invalid as error:
                log.warning("alert rule %s cannot be used: %s", row.id, error)

    def run(self) -> None:
        """Watch for all that are active, from now on."""
        self._running = True
        for rule in self._rules.values():
            self._start(rule)

    def __iter__(self) -> Iterator[Rule]:
        return iter(sorted(self._rules.values(), key=lambda rule: rule.id))

    def get(self, id_: str) -> Rule:
        """The rule; NotFound."""
        found = self._rules.get(id_)
        if found is None:
            raise NotFound(f"there is no alert rule {id_[:64]!r}.{did_you_mean(id_, self._rules)}")
        return found

    def evaluate(self, rule: Rule) -> list[dict[str, Any]]:
        """What a rule says now of each of its subjects, and why; of one that is not active, nothing."""
        return self._sources[rule.kind].evaluate(rule) if rule.status == "active" else []

    # The YAML

    async def apply(self, defined: Mapping[str, Options] | None) -> None:
        """Make these the YAML's rules."""
        fresh = {id_: made(id_, options, "yaml") for id_, options in (defined or {}).items()}
        for id_ in [id_ for id_, rule in self._rules.items() if rule.origin == "yaml" and id_ not in fresh]:
            await self._drop(self._rules[id_], "its rule was removed")
        for id_, rule in fresh.items():
            old = self._rules.get(id_)
            if old is None or old.options != rule.options:
                await self._put(rule)

    def problems(self, sections: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong with the YAML's although each option is right."""
        world = self._stated_world(sections)
        for id_, options in sections["alerts"].items():
            there = self._rules.get(id_)
            if id_ in RESERVED:
                yield (id_,), "the house has a rule of this id itself; choose another"
            elif there is not None and there.origin == "api":
                yield (id_,), "an alert rule of this id was made over the API; delete it there, or choose another id"
            yield from (((id_, *keys), text) for keys, text in self._wrong(options, world))

    def _stated_world(self, sections: Mapping[str, Any]) -> World:
        devices = {entry.device.id for entry in self._devices if entry.device.origin != "yaml"}
        places = {place.id for place in self._devices.locations if place.origin != "yaml"}
        people: Mapping[str, Any] = sections.get("people") or {}
        roles = {role for person in people.values() for role in person.get("roles", ())}
        contracts = {id_ for id_, origin in self.contracts().items() if origin != "yaml"}
        return World(
            devices=frozenset({*devices, *sections["devices"], *sections.get("integrations", ())}),
            points=frozenset({*(point.id for point in self._points), *sections["meter_points"]}),
            locations=frozenset({*places, *sections["locations"], HOME}),
            recipients=frozenset({OWNER, *people, *roles}), contracts=frozenset({*contracts, *(sections.get("contracts") or ())}),
            open_house=sections["registry"].get("auto", True),
        )  # fmt: skip

    def _world(self) -> World:
        people = list(self._people)
        return World(
            frozenset(entry.device.id for entry in self._devices), frozenset(point.id for point in self._points),
            frozenset(place.id for place in self._devices.locations), frozenset({role for each in people for role in each.roles}),
            frozenset(self.contracts()), open_house=False,
        )  # fmt: skip

    def _wrong(self, options: Options, world: World) -> Iterator[Problem]:
        found = list(contradictions(options))
        yield from found
        yield from self._wrong_quantity(options, bool(found))
        yield from _unknown(options, "device", "device", world.devices, world.open_house)
        yield from _unknown(options, "meter_point", "meter point", world.points, world.open_house)
        yield from _unknown(options, "location", "location", world.locations, False)
        yield from _unknown(options, "contract", "contract", world.contracts, False)
        if "template" in options:
            yield from self._wrong_template(options["template"], world)
        causes = [cause.value for cause in Cause]
        strange = [each for each in options.get("cause", ()) if each not in causes]
        yield from ((("cause",), f"there is no cause {each!r}.{did_you_mean(each, causes)}") for each in strange)
        yield from _nobody(options, world.recipients)

    def _wrong_template(self, template: str, world: World) -> Iterator[Problem]:
        """What cannot be read, and states and meter points that cannot be."""
        try:
            asks = sorted(self._asks(template))
        except Invalid as error:
            yield ("template",), str(error)
            return
        for name, argument in asks:
            device, _, quantity = argument.partition(".")
            if name != "state":
                yield from _unknown({"template": argument}, "template", "meter point", world.points, world.open_house)
            elif quantity not in self._quantities:
                yield ("template",), f"there is no quantity {quantity[:64]!r}.{did_you_mean(quantity, self._quantities)}"
            elif device.startswith(f"{TARIFF}_"):
                yield from _unknown({"template": device.removeprefix(f"{TARIFF}_")}, "template", "contract", world.contracts, False)
            elif device != TARIFF:
                yield from _unknown({"template": device}, "template", "device", world.devices, world.open_house)

    def _wrong_quantity(self, options: Options, contradicted: bool) -> Iterator[Problem]:
        name = options.get("quantity")
        if name is None or options["kind"] != READING:
            return
        quantity = self._quantities.get(name)
        if quantity is None:
            hint = did_you_mean(name, self._quantities) or " Such as power, voltage, current, temperature, power_factor or frequency"
            yield ("quantity",), f"there is no quantity {name[:64]!r}.{hint}"
        elif not contradicted and (comparison := compare.stated(options)) is not None:
            try:
                fitted = comparison.fit(quantity.kind)
            except ValueError as error:
                yield (comparison.word,), str(error)
                return
            numbers = [value for value in (fitted.value, fitted.high) if isinstance(value, float)]
            if any(not quantity.low <= value <= quantity.high for value in numbers):
                span = f"{quantity.low:g} to {quantity.high:g} {quantity.unit}".rstrip()
                yield (comparison.word,), f"{name} is never that; it goes from {span}"

    # The API

    async def make(self, id_: str, given: Options, who: str) -> Rule:
        """A new rule of checked options. Conflict when the id is taken, Invalid."""
        if id_ in self._rules or id_ in RESERVED:
            raise Conflict(f"alert rule {id_!r} exists already")
        rule = self._checked(id_, given, who, self._clock.now_ms())
        row = {"id": id_, "body": _json(given), "created_ms": rule.created_ms, "created_by": who}

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(insert(table).values(tenant_id=self._storage.tenant_id, **row))

        await self._storage.write(write)
        await self._put(rule)
        return rule

    async def change(self, id_: str, given: Options) -> Rule:
        """Other options for a rule that the API made. NotFound, Conflict, Invalid."""
        old = self._writable(id_)
        rule = self._checked(id_, given, old.created_by, old.created_ms)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(update(table).where(*self._is(id_)).values(body=_json(given)))

        await self._storage.write(write)
        await self._put(rule)
        return rule

    async def remove(self, id_: str) -> None:
        """Delete a rule that the API made; its alerts stay, those that are open resolved. NotFound, Conflict."""
        rule = self._writable(id_)

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(delete(table).where(*self._is(id_)))

        await self._storage.write(write)
        await self._drop(rule, "its rule was removed")

    def _writable(self, id_: str) -> Rule:
        rule = self.get(id_)
        if rule.origin == "yaml":
            raise Conflict(f"alert rule {id_!r} is defined in the configuration file; change it there")
        return rule

    def _checked(self, id_: str, given: Options, who: str, created_ms: int) -> Rule:
        wrong = [{"path": ".".join(keys), "message": text} for keys, text in self._wrong(given, self._world())]
        if wrong:
            raise Invalid("the rule is not right", wrong)
        return made(id_, given, "api", who, created_ms)

    def _is(self, id_: str) -> Iterable[Any]:
        return table.c.tenant_id == self._storage.tenant_id, table.c.id == id_

    # In force

    async def _put(self, rule: Rule) -> None:
        old = self._rules.get(rule.id)
        if old is not None:
            self._stop(old)
            if rule.status != "active":
                await self._alerts.end(self._alerts.of_rule(rule.id), f"its rule is {rule.status}")
        self._rules[rule.id] = rule
        self._start(rule)

    async def _drop(self, rule: Rule, why: str) -> None:
        self._stop(rule)
        del self._rules[rule.id]
        await self._alerts.end(self._alerts.of_rule(rule.id), why)

    def _start(self, rule: Rule) -> None:
        if self._running and rule.status == "active":
            self._sources[rule.kind].start(rule)

    def _stop(self, rule: Rule) -> None:
        if self._running and rule.status == "active":
            self._sources[rule.kind].stop(rule)
        self._alerts.forget(rule.id)


def _unknown(options: Options, key: str, what: str, known: frozenset[str], may_come: bool) -> Iterator[Problem]:
    value = options.get(key)
    if value is None or value in known:
        return
    hint = did_you_mean(value, known)
    if not may_come and not hint and len(known) <= MOST_NAMED:
        hint = f" There are {', '.join(sorted(known))}" if known else " There are none yet"
    if hint or not may_come:
        yield (key,), f"there is no {what} {value!r}.{hint}"


def _nobody(options: Options, known: frozenset[str]) -> Iterator[Problem]:
    """Recipients that are neither people nor roles nor addresses."""
    lists: list[tuple[tuple[str, ...], Any]] = [(("notify",), options["notify"])]
    lists += [(("escalation", str(place), "notify"), level["notify"]) for place, level in enumerate(options["escalation"])]
    for keys, recipients in lists:
        for each in recipients:
            if each not in known and not is_address(each):
                yield keys, f"there is no person, role or address {each[:64]!r}.{did_you_mean(each, known)}"


def _json(options: Options) -> str:
    return msgspec.json.encode(options).decode()
