"""`/rules`: alert rules over the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.rule import RULE, STATUSES, Options, Rule, shown, with_status
from ohmstead.plugins.rules.alerts.rules import AlertRules

LIST: dict[Any, Any] = {
    vol.Optional("status", description="only those that are active, paused or archived; archived ones are not listed else"):
        validate.one_of(*STATUSES),
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="nextCursor of the page before"): validate.slug,
}  # fmt: skip
BODY: dict[Any, Any] = {
    vol.Optional("comparison", description="the comparison as a symbol: >, <, >=, <=, ==, != or between; needs a threshold"): validate.text,
    vol.Optional("threshold", description="what is compared with: a number, a text, or both ends of a between"):
        vol.Any(float, int, str, [vol.Any(float, int)], msg="expected a number, a text, or a list of two numbers"),
    **RULE,
}  # fmt: skip
NEW: dict[Any, Any] = {vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug, **BODY}
STATUS: dict[Any, Any] = {vol.Required("status", description="active, paused or archived"): validate.one_of(*STATUSES)}


class RuleRoutes:
    """The operations on alert rules."""

    def __init__(self, rules: AlertRules, alerts: Alerts, clock: Clock) -> None:
        self._rules, self._alerts, self._clock = rules, alerts, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one = ("rules",), "/rules/{id}"
        return [
            Route("GET", "/rules", self.listing, "read", "Alert rules, in order of their ids", query=LIST, tags=tags),
            Route("POST", "/rules", self.make, "write", "Make an alert rule", body=NEW, status=201, tags=tags),
            Route("GET", one, self.one, "read", "One alert rule", tags=tags),
            Route("PUT", one, self.change, "write", "State an alert rule anew", body=BODY, tags=tags),
            Route("DELETE", one, self.remove, "write", "Remove an alert rule; its alerts stay", tags=tags),
            Route("PUT", f"{one}/status", self.status, "write", "Pause, archive or activate an alert rule", body=STATUS, tags=tags),
            Route("POST", f"{one}/evaluate", self.evaluate, "read", "What a rule says now of each of its subjects, and why", tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of rules."""
        wanted, limit = call.query.get("status"), call.query["limit"]
        rest = [rule for rule in self._rules if rule.id > call.query.get("cursor", "")]
        rest = [rule for rule in rest if rule.status == wanted or (wanted is None and rule.status != "archived")]
        more = rest[limit - 1].id if len(rest) > limit else None
        return Reply([self._shown(rule) for rule in rest[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One rule."""
        return self._shown(self._rules.get(call.path["id"]))

    async def make(self, call: Call) -> dict[str, Any]:
        """A new rule."""
        rest = {key: value for key, value in call.body.items() if key != "id"}
        return self._shown(await self._rules.make(call.body["id"], in_words(rest), call.who.id))

    async def change(self, call: Call) -> dict[str, Any]:
        """Other options for a rule of the API."""
        return self._shown(await self._rules.change(call.path["id"], in_words(call.body)))

    async def remove(self, call: Call) -> None:
        """Delete one."""
        await self._rules.remove(call.path["id"])

    async def status(self, call: Call) -> dict[str, Any]:
        """Pause, archive, activate."""
        rule = self._rules.get(call.path["id"])
        return self._shown(await self._rules.change(rule.id, with_status(rule, call.body["status"])))

    async def evaluate(self, call: Call) -> dict[str, Any]:
        """Look now; nothing fires by it."""
        rule = self._rules.get(call.path["id"])
        return {"rule": rule.id, "status": rule.status, "at": iso(self._clock.now_ms()), "subjects": self._rules.evaluate(rule)}

    def _shown(self, rule: Rule) -> dict[str, Any]:
        last = self._alerts.last_ms(rule.id)
        found = shown(rule)
        created = found.pop("created_ms")
        return {**found, "created": iso(created) if created else None, "last_triggered": None if last is None else iso(last),
                "open_alerts": len(self._alerts.of_rule(rule.id))}  # fmt: skip


def in_words(body: Mapping[str, Any]) -> Options:
    """A body with symbols, checked again in the words of YAML. Invalid."""
    if "comparison" not in body and "threshold" not in body:
        return body
    try:
        words = compare.of_json(body)
        checked: Options = vol.Schema(RULE)(words)
    except vol.MultipleInvalid as error:
        raise Invalid("the rule is not right", [_place(each) for each in error.errors]) from None
    except vol.Invalid as error:
        raise Invalid("the rule is not right", [_place(error)]) from None
    return checked


def _place(error: vol.Invalid) -> dict[str, str]:
    keys = ["threshold" if key in compare.SYMBOLS else str(key) for key in error.path]
    return {"path": ".".join(keys), "message": error.msg}
