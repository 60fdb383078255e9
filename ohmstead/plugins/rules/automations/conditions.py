"""Conditions: and, or, not, a state, a window of time, a template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.automations.build import Build, Test
from ohmstead.plugins.rules.automations.kinds import CONDITION, Kinds
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.automations.state_triggers import address, duration
from ohmstead.plugins.tariffs import windows
from ohmstead.plugins.tariffs.schedule import Schedule

STATE = {
    vol.Required("state", description="device.quantity"): address,
    **compare.SCHEMA,
    vol.Optional("for", default=0, description="for how long it must have had its value"): duration,
}
KEYS = {str(marker): (marker, value) for marker, value in windows.KEYS.items()}
TIME = {
    vol.Required("time", description="local hours, such as 9-21 or 22:00-06:00"): KEYS["hours"][1],
    KEYS["days"][0]: KEYS["days"][1],
    KEYS["dates"][0]: KEYS["dates"][1],
}
TEMPLATE = {vol.Required("template", description="a template that says true or false"): str}


def kinds(all_: Kinds) -> Iterator[RuleKind]:
    """What this module adds."""
    many = all_.many(CONDITION)
    words = {"and": "all of them hold", "or": "at least one of them holds", "not": "none of them holds"}
    for word, text in words.items():
        schema = {vol.Required(word, description=text): many}
        yield RuleKind(CONDITION, word, schema, _joined(word), text)
    yield RuleKind(CONDITION, "state", STATE, _state, "a live value compares so")
    yield RuleKind(CONDITION, "time", TIME, _time, "it is within these hours, days and dates")
    yield RuleKind(CONDITION, "template", TEMPLATE, _template, "the template says true")


def _joined(word: str) -> Any:
    def compile_(options: Mapping[str, Any], build: Build) -> Test:
        tests: list[Test] = []
        for place, inner in enumerate(options[word]):
            with build.at(word, place):
                tests.append(build.kinds.of(CONDITION, inner).compile(inner, build))
        if word == "and":
            return lambda run: all(test(run) for test in tests)
        if word == "or":
            return lambda run: any(test(run) for test in tests)
        return lambda run: not any(test(run) for test in tests)

    return compile_


def _state(options: Mapping[str, Any], build: Build) -> Test:
    where, for_ms, facts, clock = options["state"], round(options["for"] * 1000), build.world.facts, build.world.clock
    comparison = build.compared(where, compare.stated(options), "state")
    if comparison is None:
        raise vol.Invalid(f"expected a comparison: {', '.join(compare.SYMBOLS)}")
    met = comparison.enters()

    def test(run: Run) -> bool:
        state = facts.state(where)
        if state is None:
            run.saw[where] = None
            return False
        run.saw[where] = state.value
        return met(state.value) and (not for_ms or clock.now_ms() - state.changed_ms >= for_ms)

    return test


def _time(options: Mapping[str, Any], build: Build) -> Test:
    given = {"hours": options["time"], **{key: options[key] for key in ("days", "dates") if key in options}}
    schedule, facts, clock = Schedule((windows.window(given),), (0,)), build.world.facts, build.world.clock

    def test(run: Run) -> bool:
        now = clock.now_ms()
        run.saw["now_ms"] = now
        return any(True for _ in schedule.runs(facts.zone, now, now + 1))

    return test


def _template(options: Mapping[str, Any], build: Build) -> Test:
    template = build.template(options["template"])

    def test(run: Run) -> bool:
        said = template.true(trigger=run.facts)
        run.saw["template"] = said
        return said

    return test
