"""All automations of the house: those of the YAML and those that the API made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.supervise import Task
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.rules.automations import schema
from ohmstead.plugins.rules.automations.automation import Automation, digest
from ohmstead.plugins.rules.automations.blueprints import Blueprints
from ohmstead.plugins.rules.automations.book import run_of
from ohmstead.plugins.rules.automations.build import Build, Known, Problem
from ohmstead.plugins.rules.automations.engine import Engine
from ohmstead.plugins.rules.automations.journal import Journal
from ohmstead.plugins.rules.automations.kinds import Kinds
from ohmstead.plugins.rules.automations.run import RUNNING, STOPPED, Run
from ohmstead.plugins.rules.automations.world import World
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.devices.arbiter import Arbiter
    from ohmstead.plugins.rules.automations.book import Stood
    from ohmstead.plugins.storage.storage import Storage

log = logging.getLogger(__name__)

Options = Mapping[str, Any]


class Automations:
    """The service: `hub.get(Automations)`. `known(ids)` says what may be spoken of now beside automations of these ids."""

    def __init__(self, world: World, kinds: Kinds, storage: Storage, arbiter: Arbiter, known: Callable[[Iterable[str]], Known]) -> None:
        self.kinds, self._known, self._storage, self._arbiter = kinds, known, storage, arbiter
        self._clock = world.clock
        self.journal = Journal(storage, world.clock, world.watches, arbiter)
        self.engine = Engine(world, self.journal)
        self.blueprints = Blueprints()
        self.schema = schema.automation(kinds, self.blueprints.expand)
        self._stood: dict[str, Stood] = {}
        self._begun = False

    # Reading back

    async def open(self) -> None:
        """Read what the API made and how it stood. Storage must be open."""
        async with self._storage.read() as conn:
            self._stood = await self.journal.book.stood(conn)
            made = await self.journal.book.made(conn)
            self._runs = await self.journal.book.runs(conn)
            self._traces = await self.journal.book.traces(conn)
            for held in await self.journal.book.held(conn):
                self._arbiter.restore(*held)
        for id_, options in made.items():
            self._put(id_, vol.Schema(self.schema)(options), "api", made)

    def begin(self) -> None:
        """Let all of them listen, and go on with the runs that waited."""
        self._begun = True
        for automation in self:
            self._recall(automation)
            if automation.enabled:
                self.engine.arm(automation)
        for body in self._runs:
            self._go_on(body)
        self._runs, self._traces = [], {}

    def _recall(self, automation: Automation) -> None:
        for body in self._traces.get(automation.id, ()):
            automation.traces.append(run_of(automation, body))
        self.journal.knows(automation.id, {run.id for run in automation.traces})

    def _go_on(self, body: Mapping[str, Any]) -> None:
        automation = self.engine.automations.get(body["automation"])
        if automation is None:
            self.journal.gone(body["id"])
            return
        run = run_of(automation, body)
        if body["digest"] != automation.digest or not automation.enabled:
            self.engine.stop(run, "it was changed while the hub was down" if automation.enabled else "it was disabled")
        else:
            run.result = RUNNING
            places = [(device, capability) for device, capability in body["claims"]]
            self._arbiter.take_again(places, run.id, automation.id, automation.priority)
            self.engine.restore(run, body["due_ms"])

    async def work(self, task: Task) -> None:
        """Write what changes, for ever."""
        try:
            await self.journal.work(task)
        finally:
            await self.engine.close()
            await self.journal.flush()

    # Looking

    def __iter__(self) -> Iterator[Automation]:
        return iter([self.engine.automations[id_] for id_ in sorted(self.engine.automations)])

    def get(self, id_: str) -> Automation:
        """One; NotFound."""
        found = self.engine.automations.get(id_)
        if found is None:
            raise NotFound(f"there is no automation {id_[:64]!r}.{did_you_mean(id_, self.engine.automations)}")
        return found

    # Putting in force

    def compiled(self, id_: str, options: Options, origin: str, known: Known) -> tuple[Automation, list[Problem], list[str]]:
        """The automation, what is wrong with it, and which others it runs."""
        return compiled(self.engine.world, self.kinds, known, id_, options, origin)

    def _put(self, id_: str, options: Options, origin: str, others: Iterable[str] = ()) -> Automation:
        automation, problems, _ = self.compiled(id_, options, origin, self._known([*others, *self.engine.automations, id_]))
        for keys, text in problems:
            log.warning("automation %s: %s: %s", id_, " → ".join(map(str, keys[1:])), text)
        for note in automation.notes:
            log.info("automation %s: %s", id_, note)
        stood = self._stood.get(id_)
        if stood is not None:
            automation.count, automation.last_ms = stood.times, stood.last_ms
            automation.enabled = automation.enabled if stood.enabled is None else stood.enabled
        before = self.engine.automations.get(id_)
        if before is not None:
            self.engine.remove(id_, "it was changed")
            automation.traces.extend(before.traces)
        self.engine.add(automation, armed=self._begun)
        return automation

    async def apply(self, defined: Mapping[str, Options]) -> None:
        """Make these the YAML's automations; those that are as before go on undisturbed."""
        for automation in list(self):
            if automation.origin == "yaml" and automation.id not in defined:
                self.engine.remove(automation.id, "it was taken out of the configuration")
        for id_, options in defined.items():
            before = self.engine.automations.get(id_)
            if before is None or before.origin != "yaml" or before.digest != digest(options):
                self._put(id_, options, "yaml", defined)

    def problems(self, defined: Mapping[str, Options], known: Known) -> Iterator[Problem]:
        """What is wrong with the YAML's although each option by itself is right."""
        calls: dict[str, list[str]] = {}
        for id_, options in defined.items():
            before = self.engine.automations.get(id_)
            if before is not None and before.origin == "api":
                yield (id_,), "an automation of this id was made over the API; delete it there, or choose another id"
            _, problems, calls[id_] = self.compiled(id_, options, "yaml", known)
            yield from problems
        for loop in loops(calls):
            yield (loop[0], "action"), f"automations run each other without end: {' → '.join(loop)}"

    # Changing over the API

    def checked(self, id_: str, given: Any) -> Options:
        """Options of the API, checked whole. Invalid."""
        try:
            options: Options = vol.Schema(self.schema)(given)
        except vol.MultipleInvalid as error:
            raise _invalid((each.path, each.msg) for each in error.errors) from None
        known = self._known([*self.engine.automations, id_])
        others = {other.id: [step["run"] for step in _every(other.options["action"]) if "run" in step] for other in self if other.id != id_}
        _, problems, calls = self.compiled(id_, options, "api", known)
        found = [(keys[1:], text) for keys, text in problems]
        found += [(("action",), f"automations run each other without end: {' → '.join(loop)}") for loop in loops({**others, id_: calls})]
        if found:
            raise _invalid(found)
        return options

    async def put(self, id_: str, given: Any, new: bool) -> Automation:
        """Keep one that the API makes or changes. Conflict when the id is taken, or for one of the YAML; NotFound; Invalid."""
        if new and id_ in self.engine.automations:
            raise Conflict(f"automation {id_!r} exists already")
        if not new:
            self._writable(id_)
        options = self.checked(id_, given)
        now = self._clock.now_ms()
        await self._storage.write(lambda tx: self.journal.book.put(tx, id_, options, now))
        return self._put(id_, options, "api")

    async def remove(self, id_: str) -> None:
        """Forget one of the API. NotFound, Conflict for one of the YAML."""
        self._writable(id_)
        await self.journal.flush()
        await self._storage.write(lambda tx: self.journal.book.remove(tx, id_))
        self._stood.pop(id_, None)
        self.engine.remove(id_, "it was deleted")
        self.journal.forget(id_)

    def _writable(self, id_: str) -> None:
        if self.get(id_).origin == "yaml":
            raise Conflict(f"automation {id_!r} is defined in the configuration file; change it there")

    async def enable(self, id_: str, enabled: bool) -> Automation:
        """Switch one on or off, wherever it is defined; that outlives a restart. Disabled, its runs end where they are. NotFound."""
        automation = self.get(id_)

        async def write(tx: AsyncConnection) -> None:
            await self.journal.book.switch(tx, automation, enabled)

        await self._storage.write(write)
        if automation.enabled and not enabled:
            self.engine.disarm(automation, "it was disabled")
        elif enabled and not automation.enabled and self._begun:
            self.engine.arm(automation)
        automation.enabled = enabled
        return automation

    def run(self, id_: str, who: str) -> Run:
        """Set one off by hand, whether or not it is enabled; its conditions are not asked. NotFound."""
        return self.engine.fire(self.get(id_), {"by": who}, by_hand=True)

    def stop(self, id_: str, who: str) -> int:
        """End the runs of one; how many. NotFound."""
        runs = list(self.get(id_).runs.values())
        for run in runs:
            self.engine.stop(run, f"{who} stopped it")
        return sum(run.result == STOPPED for run in runs)


def compiled(
    world: World, kinds: Kinds, known: Known, id_: str, options: Options, origin: str
) -> tuple[Automation, list[Problem], list[str]]:
    """The automation in a world, what is wrong with it, and which others it runs."""
    build = Build(world, kinds, known, (id_,))
    triggers = []
    for place, trigger in enumerate(options["trigger"]):
        with build.at("trigger", place):
            triggers.append((trigger, build.arm(trigger)))
    conditions = build.test(options["condition"])
    build.add(options["action"])
    automation = Automation(id_, options, origin, triggers, conditions, build.program, build.notes)
    return automation, build.problems, build.calls


def loops(calls: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Automations that run each other in a circle, each circle once, as the way round it."""
    seen: set[str] = set()
    for start in calls:
        way = _way(calls, start, start, set())
        if way is not None and not seen & set(way):
            seen |= set(way)
            yield [start, *way]


def _way(calls: Mapping[str, Iterable[str]], at: str, to: str, been: set[str]) -> list[str] | None:
    for other in calls.get(at, ()):
        if other == to:
            return [other]
        if other not in been:
            been.add(other)
            rest = _way(calls, other, to, been)
            if rest is not None:
                return [other, *rest]
    return None


def _every(actions: Iterable[Options]) -> Iterator[Options]:
    """All actions, those within others too."""
    for action in actions:
        yield action
        for branch in action.get("choose", ()):
            yield from _every(branch["do"])
        yield from _every(action.get("otherwise", ()))
        if "repeat" in action:
            yield from _every(action["repeat"]["do"])


def _invalid(found: Iterable[tuple[Iterable[Any], str]]) -> Invalid:
    details = [{"path": ".".join(map(str, keys)), "message": text} for keys, text in found]
    return Invalid("; ".join(f"{each['path']}: {each['message']}" for each in details[:5]), details)


async def settled(run: Run, within_s: float) -> None:
    """Wait until a run came to its end, but not for long."""
    for _ in range(round(within_s * 100)):
        if run.ended_ms is not None:
            return
        await asyncio.sleep(0.01)
