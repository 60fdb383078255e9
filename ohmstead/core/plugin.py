"""The hooks a plugin may implement, and the records it hands over.

Hooks are synchronous and only declare; what they declare does the work. They are called at start and at reload, one
plugin at a time, never on a hot path. A hook that raises is named with its plugin in the log, and that plugin is
quarantined; the house goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pluggy

from ohmstead.core.model import Command, DeviceInfo, Prices, Reading, Status
from ohmstead.core.notice import Message
from ohmstead.core.quantity import Quantity
from ohmstead.core.route import Route

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub

PROJECT = "ohmstead"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Item = Reading | DeviceInfo | Status | Prices
Schema = Mapping[Any, Any]


class Link(Protocol):
    """A connection to a device that its stream and its commands share."""

    def readings(self) -> AsyncIterator[Item]:
        """What the device says, for as long as it is there."""

    async def command(self, command: Command) -> None:
        """Tell the device; return once it took the command. Its own report, not this, proves it was done."""


class Integration(msgspec.Struct, frozen=True):
    """One product family or format.

    `schema` maps voluptuous markers (with descriptions) to validators. `readings(options, context)` is an async
    generator: it ends or raises Unavailable when the device is gone, and the hub starts it again. A device that is
    commanded over the same connection declares `connect(options, context)` instead, an async context manager of a
    Link. `capabilities` are the commands it takes: "switch", "set".
    """

    type: str
    schema: Schema
    readings: Callable[[Mapping[str, Any], Any], AsyncIterator[Item]] | None = None
    connect: Callable[[Mapping[str, Any], Any], AbstractAsyncContextManager[Link]] | None = None
    capabilities: frozenset[str] = frozenset()
    description: str = ""
    zeroconf: tuple[str, ...] = ()  # service types that find it, e.g. "_shelly._tcp.local."
    recognise: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None  # found service -> options
    templates: Path | None = None  # a folder of YAML device templates, read by the configuration


class Section(msgspec.Struct, frozen=True):
    """A top-level part of the YAML: its key, schema, and what to do with it.

    `apply(value)` is called at start and after a reload that changed it, with validated data; None when the part is
    missing. `problems(sections)` is asked before that, with the house open and all validated parts by key: what of this
    one clashes with them or with what the house holds, as the keys that lead there from `key` on and what is wrong.
    `restart` names what of it needs a restart of the hub.
    """

    key: str
    schema: Any
    apply: Callable[[Any], Awaitable[None]] | None = None
    description: str = ""
    default: Any = None
    restart: bool = False
    problems: Callable[[Mapping[str, Any]], Iterable[tuple[tuple[str | int, ...], str]]] | None = None


class Job(msgspec.Struct, frozen=True):
    """Work on a schedule: five cron fields in the house's zone, or every `every_s` seconds.

    Work that keeps its own time has `went` instead, which tells of its newest turn: started_ms, ended_ms, took_s, result
    and next_ms. It is listed with the others, and run by the jobs only when somebody asks for it.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    cron: str | None = None
    every_s: float | None = None
    catch_up: bool = True  # run once at start when a due time passed while the hub was down
    description: str = ""
    went: Callable[[], Mapping[str, Any]] | None = None


class Tables(msgspec.Struct, frozen=True):
    """A feature's own tables: the folder of its migrations and its version table `schema_<feature>`."""

    feature: str
    migrations: Path
    after: tuple[str, ...] = ()


class ImportRow(msgspec.Struct, frozen=True):
    """One reading of a file: `quantity` and `value` are canonical; `place` says where it stood ("line 14")."""

    device: str
    quantity: str
    value: float | str
    at_ms: int
    from_ms: int | None = None
    place: str = ""


class PeriodRow(msgspec.Struct, frozen=True, gc=False):
    """The amount of one period [from_ms, to_ms) of a meter point in a file: an integer, 0 or more, in `unit`.

    `unit` is "mWh", or "mL" for gas and water; `estimated` where the file says that nobody measured it.
    """

    from_ms: int
    to_ms: int
    amount: int
    estimated: bool = False
    unit: str = "mWh"
    place: str = ""


class RegisterRow(msgspec.Struct, frozen=True, gc=False):
    """What the display of a meter point's meter showed at one instant: an integer, 0 or more, in `unit`, as in PeriodRow."""

    at_ms: int
    amount: int
    unit: str = "mWh"
    place: str = ""


class InvoiceRow(msgspec.Struct, frozen=True, gc=False):
    """One supplier's invoice of a file, as `POST /invoices` takes it; the contract may be left out."""

    body: Mapping[str, Any]
    place: str = ""


Found = ImportRow | PeriodRow | RegisterRow | InvoiceRow | str


class Into(StrEnum):
    """Where the rows of a file go."""

    DEVICES = "devices"  # ImportRow: readings, as the devices would have sent them
    METER_POINT = "meter_point"  # PeriodRow or RegisterRow: a numbered import of one meter point
    INVOICES = "invoices"  # InvoiceRow: what a supplier billed


class Importer(msgspec.Struct, frozen=True):
    """Reads rows from a file.

    `read(path, options)` yields rows of the kind that `into` says, or a str: a mistake of that place, which is skipped
    and reported. What cannot be read at all raises Invalid. `layer` is where rows of a meter point go unless told:
    live, manual or settled. Two importers may have one name when they go into different places.
    """

    name: str
    suffixes: tuple[str, ...]
    schema: Schema
    read: Callable[[Path, Mapping[str, Any]], Iterator[Found]]
    description: str = ""
    into: Into = Into.DEVICES
    layer: str = "settled"


class TariffKind(msgspec.Struct, frozen=True):
    """One kind of component of a tariff, pure: facts in, lines out.

    `schema` maps voluptuous markers (with descriptions) to validators. `compile(options, holidays)` makes a rule of
    validated options; voluptuous.Invalid for options that contradict each other. `charge(turns, till)` prices one
    component of a bill: each turn has the `rule` and the `part` (a span under one version) it applies to, in order of
    time; `till` takes the lines and keeps what the next bill must know.
    """

    type: str
    schema: Schema
    compile: Callable[[Mapping[str, Any], frozenset[date]], Any]
    charge: Callable[[Any, Any], None]
    description: str = ""


class Channel(msgspec.Struct, frozen=True):
    """A way to reach people: for addresses `scheme://…` of its schemes; "*" takes all that nobody else does.

    `send(message, address)` returns what the other side answered once it took the message. Unavailable: not now, try
    again. Refused and Unsupported: never, the message bounces. It must not repeat the address, which is secret, in what
    it answers or raises. It is given a time limit, and the same `message.id` on every attempt.
    """

    name: str
    schemes: tuple[str, ...]
    send: Callable[[Message, str], Awaitable[str]]
    description: str = ""


class RuleKind(msgspec.Struct, frozen=True):
    """One kind of part of an automation: `part` is "trigger", "condition" or "action", `name` the key that marks it in the YAML.

    `schema` maps voluptuous markers (with descriptions), that of `name` among them, to validators. `compile(options,
    build)` makes of validated options what runs; voluptuous.Invalid for what contradicts itself. A trigger becomes
    `arm(post) -> disarm`, which from then on calls `post.fire(facts)`; a condition `test(run) -> bool`; an action
    `act(run)`, which returns None when it is done, or an awaitable of what came of it.
    """

    part: str
    name: str
    schema: Schema
    compile: Callable[[Mapping[str, Any], Any], Any]
    description: str = ""


class Declared(msgspec.Struct):
    """What one plugin declared, held as plain objects."""

    integrations: list[Integration] = msgspec.field(default_factory=list)
    quantities: list[Quantity] = msgspec.field(default_factory=list)
    sections: list[Section] = msgspec.field(default_factory=list)
    tables: list[Tables] = msgspec.field(default_factory=list)
    routes: list[Route] = msgspec.field(default_factory=list)
    jobs: list[Job] = msgspec.field(default_factory=list)
    importers: list[Importer] = msgspec.field(default_factory=list)


class Hooks:
    """The hookspecs. A plugin implements those it needs; unknown ones are an error.

    A plugin that does not ship with Ohmstead gets a `Visitor` as its `hub`.
    """

    @hookspec
    def ohmstead_integrations(self) -> Integration | Iterable[Integration]:
        """Called when the plugin is loaded. Returns one Integration or several. A plugin that raises is quarantined.

        Example: `return Integration("shelly_plug", SCHEMA, readings)`
        """
        raise AssertionError

    @hookspec
    def ohmstead_quantities(self) -> Iterable[Quantity]:
        """Called when the plugin is loaded. Returns quantities the built-in table lacks. A plugin that raises is quarantined.

        Example: `return [Quantity("ozone", "ppm", Kind.GAUGE, "ozone in the air", 0, 100)]`
        """
        raise AssertionError

    @hookspec
    def ohmstead_sections(self, hub: Hub) -> Iterable[Section]:
        """Called before the configuration is checked. Returns the plugin's own parts of the YAML. A plugin that raises is quarantined.

        Example: `return [Section("tariffs", SCHEMA, self.apply, "what energy costs")]`
        """
        raise AssertionError

    @hookspec
    def ohmstead_tables(self) -> Iterable[Tables]:
        """Called before the database is opened. Returns the plugin's tables. A plugin that raises is quarantined.

        Example: `return [Tables("ledger", Path(__file__).parent / "migrations")]`
        """
        raise AssertionError

    @hookspec
    def ohmstead_routes(self, hub: Hub) -> Iterable[Route]:
        """Called at start and reload. Returns operations of the API. A plugin that raises is quarantined.

        Example: `return [Route("GET", "/hello", hello, scope="read", summary="Say hello")]`
        """
        raise AssertionError

    @hookspec
    def ohmstead_jobs(self, hub: Hub) -> Iterable[Job]:
        """Called at start and reload. Returns work on a schedule. A plugin that raises is quarantined.

        Example: `return [Job("retention", retention.run, cron="17 3 * * *")]`
        """
        raise AssertionError

    @hookspec
    def ohmstead_importers(self) -> Importer | Iterable[Importer]:
        """Called when the plugin is loaded. Returns readers of files. A plugin that raises is quarantined.

        Example: `return Importer("csv", (".csv",), SCHEMA, read)`
        """
        raise AssertionError

    @hookspec
    def ohmstead_tariffs(self) -> TariffKind | Iterable[TariffKind]:
        """Called before the configuration is checked. Returns kinds of components of tariffs. A plugin that raises is quarantined.

        Example: `return TariffKind("weather", SCHEMA, compile_rule, charge, "dearer when it is cold")`
        """
        raise AssertionError

    @hookspec
    def ohmstead_notifiers(self, hub: Hub) -> Channel | Iterable[Channel]:
        """Called at start. Returns ways to reach people. A plugin that raises is quarantined.

        Example: `return Channel("siren", ("siren",), send, "the siren on the roof")`
        """
        raise AssertionError

    @hookspec
    def ohmstead_rules(self) -> RuleKind | Iterable[RuleKind]:
        """Called before the configuration is checked. Returns kinds of parts of automations. A plugin that raises is quarantined.

        Of a plugin that does not ship with Ohmstead only actions are taken. They run on the second loop, at most 30 s:
        `await compile(options, None)(facts)`, where the facts are what set the run off; the answer is in the trace.

        Example: `return RuleKind("action", "siren", SCHEMA, compile_siren, "sound the siren")`
        """
        raise AssertionError

    @hookspec
    def ohmstead_started(self, hub: Hub) -> None:
        """Called once everything runs. Returns nothing; may start work that goes on. A plugin that raises is quarantined.

        Example: `hub.run("greeter", lambda: greet(hub))`
        """

    @hookspec
    def ohmstead_stopping(self, hub: Hub) -> None:
        """Called when the house stops, before anything is closed. Returns nothing. What it raises is logged.

        Example: `log.info("goodbye")`
        """
