"""What may be stated of an automation, in the YAML and over the API."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.rules.automations.automation import MODES, SINGLE
from ohmstead.plugins.rules.automations.kinds import ACTION, CONDITION, TRIGGER, Kinds

RUNS_MOST = 100
PRIORITY_MOST = 1000


def parts(kinds: Kinds) -> dict[Any, Any]:
    """The options of an automation that is not made of a blueprint."""
    return {
        vol.Optional("name", description="name for people; the id unless stated"): validate.text,
        vol.Optional("description", description="what it is for"): validate.text,
        vol.Optional("trigger", default=[], description="what sets it off: any of these"): kinds.many(TRIGGER),
        vol.Optional("condition", default=[], description="what must hold then: all of these"): kinds.many(CONDITION),
        vol.Required("action", description="what is done, one after the other"): vol.All(kinds.many(ACTION), vol.Length(min=1)),
        vol.Optional("mode", default=SINGLE, description="while it runs: single leaves a new run out, restart ends the old one, "
                     "queued and parallel take up to limit"): validate.one_of(*MODES),
        vol.Optional("limit", default=10, description="runs that wait (queued) or run (parallel) at most"): validate.integer(1, RUNS_MOST),
        vol.Optional("priority", default=0, description="whose command counts where several command one device; the greatest"):
            validate.integer(-PRIORITY_MOST, PRIORITY_MOST),
        vol.Optional("enabled", default=True, description="false: it waits until somebody enables it"): validate.boolean,
    }  # fmt: skip
