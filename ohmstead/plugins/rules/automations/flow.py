"""Actions that lead through a program: delay, wait, choose, repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.rules.automations.build import Arm, Build, Delay, Op, Test, Until
from ohmstead.plugins.rules.automations.kinds import ACTION, CONDITION, TRIGGER, Kinds
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.automations.state_triggers import duration

ROUNDS_MOST = 10_000


def kinds(all_: Kinds) -> Iterator[RuleKind]:
    """What this module adds."""
    conditions, actions = all_.many(CONDITION), all_.many(ACTION)
    branch = {
        vol.Required("when", description="conditions, all of which hold"): conditions,
        vol.Required("do", description="what is done then"): actions,
    }
    delay = {vol.Required("delay", description="go on after so long"): duration}
    wait = {vol.Required("wait_for", description="a trigger; go on once it fires, or after timeout"): _Wait(all_)}
    choose = {
        vol.Required("choose", description="branches, of which the first is done whose conditions hold"): [branch],
        vol.Optional("otherwise", default=[], description="what is done when none does"): actions,
    }
    repeat = {
        vol.Required("repeat", description="again and again"): {
            vol.Optional("times", description="how often"): validate.integer(1, ROUNDS_MOST),
            vol.Optional("while", description="as long as these conditions hold, looked at before each round"): conditions,
            vol.Optional("until", description="until these conditions hold, looked at after each round"): conditions,
            vol.Optional("at_most", default=100, description="rounds at most; the run fails when there would be more"):
                validate.integer(1, ROUNDS_MOST),
            vol.Required("do", description="what is done in each round"): actions,
        },
    }  # fmt: skip
    yield RuleKind(ACTION, "delay", delay, _delay, "go on after so long")
    yield RuleKind(ACTION, "wait_for", wait, _wait, "go on once a trigger fires")
    yield RuleKind(ACTION, "choose", choose, _choose, "do one of several things")
    yield RuleKind(ACTION, "repeat", repeat, _repeat, "do something again and again")


class _Wait:
    """A validator: a trigger, with a timeout beside it."""

    def __init__(self, all_: Kinds) -> None:
        self._one = all_.one(TRIGGER)

    def __call__(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise vol.Invalid("expected a trigger, such as {state: grid.power, above: 200, for: 5m}")
        checked = self._one({key: each for key, each in value.items() if key != "timeout"})
        if "timeout" not in value:
            return checked
        try:
            return {**checked, "timeout": duration(value["timeout"])}
        except vol.Invalid as error:
            raise vol.Invalid(error.msg, path=["timeout"]) from None


def _delay(options: Mapping[str, Any], build: Build) -> Op:
    pause = Delay(options["delay"])
    return lambda run: pause


def _wait(options: Mapping[str, Any], build: Build) -> Op:
    arm: Arm = lambda post: lambda: None  # noqa: E731 - stands for one that is wrong
    with build.at("wait_for"):
        arm = build.arm({key: value for key, value in options["wait_for"].items() if key != "timeout"})
    pause = Until(arm, options["wait_for"].get("timeout"))
    return lambda run: pause


def _choose(options: Mapping[str, Any], build: Build) -> None:
    ends: list[int] = []
    for number, branch in enumerate(options["choose"]):
        with build.at("choose", number):
            gate = build.emit(_nothing)
            test = build.test(branch["when"], "when")
            build.add(branch["do"], "do")
            ends.append(build.emit(_nothing))
            build.put(gate, _unless(test, len(build.program)))
    build.add(options["otherwise"], "otherwise")
    for end in ends:
        build.put(end, _goto(len(build.program)))


def _repeat(options: Mapping[str, Any], build: Build) -> None:
    given = options["repeat"]
    if sum(word in given for word in ("times", "while", "until")) != 1:
        raise vol.Invalid("expected one of times, while, until", path=["repeat"])
    with build.at("repeat"):
        start = build.emit(_nothing)
        before, after = build.test(given.get("while", []), "while"), build.test(given.get("until", []), "until")
        build.add(given["do"], "do")
        build.emit(_goto(start))
        build.put(start, _round(start, len(build.program), given, before, after))


def _round(start: int, end: int, given: Mapping[str, Any], before: Test | None, after: Test | None) -> Op:
    times, at_most = given.get("times"), given["at_most"]

    def act(run: Run) -> int | None:
        count = run.counters.get(start, 0)
        over = count >= times if times is not None else (before is not None and not before(run)) or (
            after is not None and count > 0 and after(run))
        if over:
            run.counters.pop(start, None)
            return end
        if times is None and count >= at_most:
            raise Invalid(f"it would be repeated more than {at_most} times")
        run.counters[start] = count + 1
        run.saw["round"] = count + 1
        return None

    return act


def _unless(test: Test | None, target: int) -> Op:
    def act(run: Run) -> int | None:
        holds = test is None or test(run)
        run.saw["when"] = holds
        return None if holds else target

    return act


def _goto(target: int) -> Op:
    return lambda run: target


def _nothing(run: Run) -> None:
    return None
