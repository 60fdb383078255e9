"""From validated options to what runs: conditions as functions, actions as a flat program with jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Quantities
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.people.address import is_address
from ohmstead.plugins.rules.automations.functions import meter_points
from ohmstead.plugins.rules.automations.kinds import ACTION, CONDITION, TRIGGER, Kinds
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.automations.world import World
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.templates import is_template

if TYPE_CHECKING:
    from ohmstead.plugins.rules.automations.post import Post
    from ohmstead.plugins.rules.template import Template

Options = Mapping[str, Any]
Key = str | int
Problem = tuple[tuple[Key, ...], str]
Test = Callable[[Run], bool]
Op = Callable[[Run], Any]  # None: done, next; an int: go on there; a Pause: wait; an awaitable: wait for what comes of it
Disarm = Callable[[], object]
Arm = Callable[["Post"], Disarm]


TARIFF = "tariff"  # no device: its live states are what the home's main contract costs
CONTRACT = f"{TARIFF}_"  # and, before its id, what any contract costs


class Delay(msgspec.Struct, frozen=True):
    """Wait so long."""

    delay_s: float


class Until(msgspec.Struct, frozen=True):
    """Wait until a trigger fires, for at most `timeout_s`."""

    arm: Arm
    timeout_s: float | None


class Known(msgspec.Struct, frozen=True):
    """What an automation may speak of. `open`: devices that nobody knows may still make themselves known.

    `placed`: it is known where the home is. `recipients`: people and roles; None where nobody is told.
    """

    devices: frozenset[str]
    quantities: Quantities
    automations: frozenset[str]
    open: bool = True
    placed: bool = True
    recipients: frozenset[str] | None = None


class Build(msgspec.Struct):
    """Of one automation. `path` are the keys that lead to what is being compiled, `problems` and `notes` what was found out."""

    world: World
    kinds: Kinds
    known: Known
    path: tuple[Key, ...] = ()
    problems: list[Problem] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    program: list[tuple[str, Op]] = msgspec.field(default_factory=list)
    calls: list[str] = msgspec.field(default_factory=list)  # automations that this one runs

    @contextmanager
    def at(self, *keys: Key) -> Iterator[None]:
        """Within a part of the options; what it finds wrong is noted with the way there."""
        before, self.path = self.path, (*self.path, *keys)
        try:
            yield
        except vol.MultipleInvalid as error:
            self.problems += [((*self.path, *_keys(each)), each.msg) for each in error.errors]
        except vol.Invalid as error:
            self.problems.append(((*self.path, *_keys(error)), error.msg))
        except Invalid as error:
            self.problems.append((self.path, str(error)))
        finally:
            self.path = before

    def wrong(self, text: str, *keys: Key) -> None:
        """Note a mistake at a part of the options."""
        self.problems.append(((*self.path, *keys), text))

    @property
    def where(self) -> str:
        """The place in the automation, for people: action 2 → choose 1 → do 3."""
        words: list[str] = []
        for key in self.path[1:]:  # the first is the automation
            if isinstance(key, int) and words:
                words[-1] += f" {key + 1}"
            else:
                words.append(str(key))
        return " → ".join(words)

    def test(self, conditions: list[Options], key: Key = CONDITION) -> Test | None:
        """Whether all of them hold; None when there are none. What each looked at is noted in the run."""
        tests: list[Test] = []
        for place, options in enumerate(conditions):
            with self.at(key, place):
                tests.append(self.kinds.of(CONDITION, options).compile(options, self))
        if len(tests) < 2:
            return tests[0] if tests else None
        return lambda run: all(test(run) for test in tests)

    def arm(self, options: Options) -> Arm:
        """What makes a trigger listen."""
        arm: Arm = self.kinds.of(TRIGGER, options).compile(options, self)
        return arm

    def add(self, actions: list[Options], key: Key = ACTION) -> None:
        """Append actions to the program."""
        for place, options in enumerate(actions):
            with self.at(key, place):
                kind = self.kinds.of(ACTION, options)
                act = kind.compile(options, self)
                if act is not None:
                    self.emit(act)

    def emit(self, op: Op) -> int:
        """Append one instruction; its place."""
        self.program.append((self.where, op))
        return len(self.program) - 1

    def put(self, place: int, op: Op) -> None:
        """Replace one that could not be made before what follows it was."""
        self.program[place] = (self.program[place][0], op)

    # Values

    def template(self, source: str) -> Template:
        """A compiled template, of which the series it asks for are checked. Invalid."""
        made = self.world.templates.compile(source)
        for name, argument in sorted(made.asks):
            if name == "state":
                self.compared(argument, None)
        for point in meter_points(made.asks):
            self.world.facts.want(point)
        return made

    def text(self, given: Any) -> Callable[[Run], str]:
        """A text, worked out where it is a template."""
        if not is_template(given):
            return lambda run: str(given)
        template = self.template(given)
        return lambda run: template.text(trigger=run.facts)

    def value(self, given: Any) -> Callable[[Run], float | str]:
        """A number or a text."""
        if not is_template(given):
            return lambda run: given
        template = self.template(given)
        return lambda run: template.value(trigger=run.facts)

    # What is spoken of

    def device(self, device: str, *keys: Key) -> None:
        """Note a device that cannot be there; one that may still come is only remarked upon."""
        known = self.known
        if device in known.devices:
            return
        if device.startswith(CONTRACT):
            contracts = sorted(each.removeprefix(CONTRACT) for each in known.devices if each.startswith(CONTRACT))
            id_ = device.removeprefix(CONTRACT)
            hint = did_you_mean(id_, contracts) or (f" There are {', '.join(contracts)}" if contracts else " There are none yet")
            self.wrong(f"there is no contract {id_[:64]!r}.{hint}", *keys)
            return
        hint = did_you_mean(device, known.devices)
        if not known.open or (hint and not _numbered(device, known.devices)):
            self.wrong(f"there is no device {device!r}.{hint}", *keys)
        else:
            self.notes.append(f"{self.where}: there is no device {device!r} yet")

    def compared(self, address: str, comparison: Comparison | None, *keys: Key) -> Comparison | None:
        """The comparison for values of that series, which is checked to be one."""
        device, _, name = address.partition(".")
        quantity = self.known.quantities.get(name)
        if quantity is None:
            self.wrong(f"unknown quantity {name!r}.{did_you_mean(name, self.known.quantities)}", *keys)
            return comparison
        self.device(device, *keys)
        try:
            return None if comparison is None else comparison.fit(quantity.kind)
        except ValueError as error:
            self.wrong(str(error), comparison.word if comparison else "")
            return comparison

    def recipient(self, name: str, *keys: Key) -> None:
        """Note somebody to be told who is neither a person nor a role nor an address."""
        known = self.known.recipients
        if known is not None and name not in known and not is_address(name):
            self.wrong(f"there is no person, role or address {name[:64]!r}.{did_you_mean(name, known)}", *keys)

    def automation(self, id_: str, *keys: Key) -> None:
        """Note that this one runs another, which has to be there."""
        self.calls.append(id_)
        if id_ not in self.known.automations:
            self.wrong(f"there is no automation {id_!r}.{did_you_mean(id_, self.known.automations)}", *keys)


def tariff(options: Options) -> str:
    """The device whose live states are the prices of the contract that options name, else of the home's main one."""
    return f"{CONTRACT}{options['contract']}" if "contract" in options else TARIFF


def _keys(error: vol.Invalid) -> list[Key]:
    return [key if isinstance(key, int) else str(key) for key in error.path]


def _numbered(device: str, known: frozenset[str]) -> bool:
    """Whether there is one whose id differs by its digits alone: plug_3 beside plug_1 is no slip of the pen."""
    bare = device.rstrip("0123456789")
    return bare != device and any(each.rstrip("0123456789") == bare for each in known)
