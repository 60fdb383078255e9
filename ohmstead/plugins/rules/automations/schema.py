"""What may be stated of an automation, in the YAML and over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.rules.automations.actions import plain
from ohmstead.plugins.rules.automations.automation import MODES, SINGLE
from ohmstead.plugins.rules.automations.kinds import ACTION, CONDITION, TRIGGER, Kinds, cleared

RUNS_MOST = 100
PRIORITY_MOST = 1000


def automation(kinds: Kinds, expand: Callable[[Any], Any]) -> Any:
    """A validator of a whole automation; `expand` puts its blueprint in its place."""

    def expanded(value: Any) -> Any:
        found = expand(value)
        if found is not value:
            try:
                cleared(parts(kinds), found)
            except vol.MultipleInvalid as error:
                first = error.errors[0]  # it stands in the blueprint's file, not here
                way = ".".join(map(str, first.path))
                raise vol.Invalid(f"with these inputs {way} of the blueprint is wrong: {first.msg}", path=["inputs"]) from None
        return found

    return vol.All(expanded, parts(kinds), _whole)


def _whole(value: dict[str, Any]) -> dict[str, Any]:
    if not value["action"]:
        raise vol.RequiredFieldInvalid("is missing (what is done, one after the other); or state a blueprint", path=["action"])
    return value


def parts(kinds: Kinds) -> dict[Any, Any]:
    """What may be stated of an automation. Those of a blueprint are in its place by the time this is asked."""
    return {
        vol.Optional("name", description="name for people; the id unless stated"): validate.text,
        vol.Optional("description", description="what it is for"): validate.text,
        vol.Optional("trigger", default=[], description="what sets it off: any of these"): kinds.many(TRIGGER),
        vol.Optional("condition", default=[], description="what must hold then: all of these"): kinds.many(CONDITION),
        vol.Optional("action", default=[], description="what is done, one after the other"): kinds.many(ACTION),
        vol.Optional("mode", default=SINGLE, description="while it runs: single leaves a new run out, restart ends the old one, "
                     "queued and parallel take up to limit"): validate.one_of(*MODES),
        vol.Optional("limit", default=10, description="runs that wait (queued) or run (parallel) at most"): validate.integer(1, RUNS_MOST),
        vol.Optional("priority", default=0, description="whose command counts where several command one device; the greatest"):
            validate.integer(-PRIORITY_MOST, PRIORITY_MOST),
        vol.Optional("enabled", default=True, description="false: it waits until somebody enables it"): validate.boolean,
        vol.Optional("blueprint", description="instead of trigger, condition and action: name of a file in blueprints/, or of one that "
                     "comes with Ohmstead"): validate.slug,
        vol.Optional("inputs", description="of the blueprint, by name"): plain,
    }  # fmt: skip
