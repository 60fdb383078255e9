"""Triggers on live states: a comparison that begins to hold, a change, a rate of change, a price."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import State
from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.automations.build import Arm, Build, Disarm, tariff
from ohmstead.plugins.rules.automations.kinds import TRIGGER
from ohmstead.plugins.rules.automations.post import Post
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Turn

SAMPLES = 2_000  # readings that a rate looks back at; of more it takes every few


def address(value: Any) -> str:
    """device.quantity."""
    if isinstance(value, str) and all(map(validate.slug, parts := value.split("."))) and len(parts) == 2:
        return value
    raise vol.Invalid("expected device.quantity, such as grid.power")


def duration(value: Any) -> float:
    """A time span up to 31 days, in seconds."""
    found = validate.duration(value)
    if found > 31 * 86_400:
        raise vol.Invalid("expected at most 31d")
    return found


FOR = {vol.Optional("for", default=0, description="for how long it must hold"): duration}
STATE = {
    vol.Required("state", description="device.quantity; without a comparison every change of the value counts"): address,
    **compare.SCHEMA,
    **FOR,
}
RATE = {
    vol.Required("rate", description="device.quantity, a number, of which the change counts"): address,
    vol.Optional("per", default="1m", description="the change over this time"): vol.All(duration, vol.Range(min=1)),
    **compare.SCHEMA,
    **FOR,
}
PRICE = {
    vol.Required("price", description="now, or export: what one more kWh costs now, or pays when it is sold"):
        validate.one_of("now", "export"),
    vol.Optional("contract", description="whose price; the home's main contract unless stated"): validate.slug,
    **compare.SCHEMA,
    **FOR,
}  # fmt: skip


def kinds() -> Iterator[RuleKind]:
    """What this module adds."""
    yield RuleKind(TRIGGER, "state", STATE, _state, "a live value begins to compare so, or changes")
    yield RuleKind(TRIGGER, "rate", RATE, _rate, "a live value changes so fast")
    yield RuleKind(TRIGGER, "price", PRICE, _price, "the price of a kWh begins to compare so")


def _needed(options: Mapping[str, Any]) -> Comparison:
    comparison = compare.stated(options)
    if comparison is None:
        raise vol.Invalid(f"expected a comparison: {', '.join(compare.SYMBOLS)}")
    return comparison


def _state(options: Mapping[str, Any], build: Build) -> Arm:
    where = options["state"]
    comparison = build.compared(where, compare.stated(options), "state")
    return _changed(where, options["for"]) if comparison is None else _compared(where, comparison, options["for"])


def _compared(where: str, comparison: Comparison, for_s: float) -> Arm:
    for_ms = round(for_s * 1000)

    def facts(turn: Turn) -> Mapping[str, Any]:
        return {"state": where, "value": turn.value, "at_ms": turn.at_ms}

    def arm(post: Post) -> Disarm:
        return post.watch(post.gate(comparison, for_ms, facts, where), where)

    return arm


def _changed(where: str, for_s: float) -> Arm:
    """Each change, or one that stayed for a while."""

    def arm(post: Post) -> Disarm:
        latest: list[Any] = [None, None]

        def facts(turn: Turn) -> Mapping[str, Any]:
            return {"state": where, "value": latest[0], "before": latest[1], "at_ms": turn.at_ms}

        gate = post.gate(Comparison("equals", 1.0), round(for_s * 1000), facts, where)

        def moved(new: State, old: State | None) -> None:
            if old is not None and new.value != old.value:
                latest[:] = new.value, old.value
                gate.reset()
                gate.look(1.0, new.updated_ms)
            elif gate.waiting:
                gate.look(1.0, new.updated_ms)

        unwatch = post.world.watches.watch(where, moved)

        def disarm() -> None:
            unwatch()
            post.world.watches.drop(gate)

        return disarm

    return arm


def _rate(options: Mapping[str, Any], build: Build) -> Arm:
    where, per_ms, for_ms = options["rate"], round(options["per"] * 1000), round(options["for"] * 1000)
    comparison = _needed(options)
    build.compared(where, comparison, "rate")

    def arm(post: Post) -> Disarm:
        def facts(turn: Turn) -> Mapping[str, Any]:
            return {"rate": where, "value": turn.value, "per_s": per_ms / 1000, "at_ms": turn.at_ms}

        gate = post.gate(comparison, for_ms, facts, where)
        past = Past(per_ms)

        def moved(new: State, old: State | None) -> None:
            if not isinstance(new.value, str):
                gate.look(past.change(new.updated_ms, new.value), new.updated_ms)

        unwatch = post.world.watches.watch(where, moved)

        def disarm() -> None:
            unwatch()
            post.world.watches.drop(gate)

        return disarm

    return arm


class Past:
    """The last readings of a series: what the value was a while ago. A value holds until the next reading."""

    def __init__(self, per_ms: int) -> None:
        self._per_ms = per_ms
        self._apart_ms = per_ms // SAMPLES
        self._readings: deque[tuple[int, float]] = deque()

    def change(self, at_ms: int, value: float) -> float:
        """How much greater the value is than `per_ms` before; than the first one while that is not known."""
        readings = self._readings
        if not readings or at_ms - readings[-1][0] >= self._apart_ms:
            readings.append((at_ms, value))
        while len(readings) > 1 and readings[1][0] <= at_ms - self._per_ms:
            readings.popleft()
        return value - readings[0][1]


def _price(options: Mapping[str, Any], build: Build) -> Arm:
    where = f"{tariff(options)}.{'price_now' if options['price'] == 'now' else 'price_now_export'}"
    key = "contract" if "contract" in options else "price"
    return _compared(where, build.compared(where, _needed(options), key) or _needed(options), options["for"])
