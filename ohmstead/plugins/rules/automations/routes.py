"""`/automations`: what there is, making them, switching them, running them, and what came of it."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import NotFound
from ohmstead.core.route import ANYONE, Call, Reply, Route
from ohmstead.plugins.rules.automations.automation import Automation
from ohmstead.plugins.rules.automations.automations import Automations, settled

PAGE: dict[Any, Any] = {
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="nextCursor of the page before"): validate.slug,
}
TRACES: dict[Any, Any] = {vol.Optional("limit", default=20, description="at most so many, newest first"): validate.integer(1, 100)}
PATIENCE_S = 2.0  # how long an answer waits for the end of a run


class AutomationRoutes:
    """The operations on automations."""

    def __init__(self, automations: Automations) -> None:
        self._automations = automations

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("automations",)
        made = vol.Schema({vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug}, extra=vol.ALLOW_EXTRA)
        stated = vol.Schema({}, extra=vol.ALLOW_EXTRA)
        path = "/automations/{id}"
        blueprints = "Automations with inputs: blueprints/*.yaml, and those that come with Ohmstead"
        return [
            Route("GET", "/automations", self.listing, "read", "Automations, in order of their ids", query=PAGE, tags=tags),
            Route("POST", "/automations", self.make, "write", "Make an automation, as in the YAML", body=made, status=201, tags=tags),
            Route("GET", "/blueprints", self.blueprints, "read", blueprints, tags=tags),
            Route("GET", path, self.one, "read", "One automation, with what it is made of", tags=tags),
            Route("PUT", path, self.change, "write", "State an automation anew", body=stated, tags=tags),
            Route("DELETE", path, self.remove, "write", "Remove an automation", tags=tags),
            Route("POST", f"{path}/enable", self.enable, "write", "Enable an automation", tags=tags),
            Route("POST", f"{path}/disable", self.disable, "write", "Disable an automation and end its runs", tags=tags),
            Route("POST", f"{path}/run", self.run, "write", "Run it now, whatever its conditions; 202 while it still runs", tags=tags),
            Route("POST", f"{path}/stop", self.stop, "write", "End its runs", tags=tags),
            Route("GET", f"{path}/traces", self.traces, "read", "Its latest runs, step by step", query=TRACES, tags=tags),
            Route("POST", "/webhooks/{secret}", self.webhook, ANYONE, "Set off the automations of a webhook; its id is the secret",
                  takes="bytes", max_body=4_000, status=202, tags=tags),
            Route("GET", f"{path}/traces/{{run}}", self.trace, "read", "One run, step by step", tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of automations."""
        rest = [each for each in self._automations if each.id > call.query.get("cursor", "")]
        limit = call.query["limit"]
        return Reply([shown(each) for each in rest[:limit]], next_cursor=rest[limit - 1].id if len(rest) > limit else None)

    async def blueprints(self, call: Call) -> list[dict[str, Any]]:
        """What an automation can be made of."""
        return list(self._automations.blueprints.listing())

    async def one(self, call: Call) -> dict[str, Any]:
        """One automation."""
        found = self._automations.get(call.path["id"])
        return {**shown(found), "options": found.options, "notes": list(found.notes)}

    async def make(self, call: Call) -> Reply:
        """A new automation."""
        given = {key: value for key, value in call.body.items() if key != "id"}
        return Reply(shown(await self._automations.put(call.body["id"], given, new=True)), status=201)

    async def change(self, call: Call) -> dict[str, Any]:
        """Other options for an automation of the API."""
        return shown(await self._automations.put(call.path["id"], call.body, new=False))

    async def remove(self, call: Call) -> dict[str, Any]:
        """Forget an automation of the API."""
        await self._automations.remove(call.path["id"])
        return {"id": call.path["id"], "removed": True}

    async def enable(self, call: Call) -> dict[str, Any]:
        """Switch it on."""
        return shown(await self._automations.enable(call.path["id"], True))

    async def disable(self, call: Call) -> dict[str, Any]:
        """Switch it off."""
        return shown(await self._automations.enable(call.path["id"], False))

    async def run(self, call: Call) -> Reply:
        """Set it off by hand."""
        run = self._automations.run(call.path["id"], call.who.id)
        await settled(run, PATIENCE_S)
        return Reply(run.shown(), status=202 if run.ended_ms is None else 200)

    async def stop(self, call: Call) -> dict[str, Any]:
        """End its runs."""
        return {"id": call.path["id"], "stopped": self._automations.stop(call.path["id"], call.who.id)}

    async def traces(self, call: Call) -> list[dict[str, Any]]:
        """Runs under way, then those that ended, newest first."""
        found = self._automations.get(call.path["id"])
        runs = [*found.traces, *found.runs.values()]
        return [run.shown() for run in reversed(runs)][: call.query["limit"]]

    async def webhook(self, call: Call) -> dict[str, Any]:
        """Set off what waits for it."""
        text = call.raw.decode("utf-8", "replace")
        count = self._automations.engine.world.webhooks.call(call.path["secret"], {"webhook": True, "body": text})
        return {"automations": count}

    async def trace(self, call: Call) -> dict[str, Any]:
        """One run."""
        found = self._automations.get(call.path["id"])
        for run in [*found.runs.values(), *found.traces]:
            if run.id == call.path["run"]:
                return run.shown()
        raise NotFound(f"automation {found.id} has no trace of a run {call.path['run'][:64]!r}")


def shown(automation: Automation) -> dict[str, Any]:
    """One for people and programs."""
    last = automation.traces[-1].result if automation.traces else None
    return {
        "id": automation.id, "name": automation.name, "description": automation.options.get("description"), "enabled": automation.enabled,
        "mode": automation.mode, "priority": automation.priority, "origin": automation.origin, "running": len(automation.runs),
        "count": automation.count, "last_triggered": None if automation.last_ms is None else iso(automation.last_ms), "last_result": last,
    }  # fmt: skip
