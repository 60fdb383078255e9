"""`/alerts`: what is wrong, and what people do about it."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.notice import SEVERITIES
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.rules.alerts.alert import Status, shown
from ohmstead.plugins.rules.alerts.alerts import Alerts
from ohmstead.plugins.rules.alerts.book import FILTERS
from ohmstead.plugins.tariffs.moment import instant

LONGEST_SNOOZE_S = 31 * 86_400.0


def _span(value: Any) -> float:
    return validate.between(1, LONGEST_SNOOZE_S, "seconds")(validate.duration(value))


_TEXT = vol.All(str, vol.Length(max=2000, msg="expected at most 2000 letters"))
LIST: dict[Any, Any] = {
    vol.Optional("status", description="only those that are triggered, acknowledged, suppressed, snoozed or resolved"):
        validate.one_of(*(status.value for status in Status)),
    vol.Optional("open", default=False, description="only those that are not resolved"): validate.boolean,
    vol.Optional("severity", description="only of this severity"): validate.one_of(*SEVERITIES),
    vol.Optional("rule", description="only of this rule"): validate.slug,
    vol.Optional("device", description="only about this device"): validate.slug,
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="nextCursor of the page before"): validate.integer(1, 10**15),
}  # fmt: skip
NOTED: dict[Any, Any] = {vol.Optional("comment", description="what is to be remembered of it"): _TEXT}
SNOOZE: dict[Any, Any] = {
    vol.Optional("for", description="how long, such as 2h; an hour unless stated"): _span,
    vol.Optional("until", description="or until this instant"): instant,
    **NOTED,
}
ASSIGN: dict[Any, Any] = {vol.Required("assignee", description="who is to take care of it; null: nobody"): vol.Maybe(validate.text)}
COMMENT: dict[Any, Any] = {vol.Required("text", description="what is to be said"): vol.All(_TEXT, validate.text)}


class AlertRoutes:
    """The operations on alerts."""

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts, self._clock = alerts, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one = ("alerts",), "/alerts/{id}"
        return [
            Route("GET", "/alerts", self.listing, "read", "Alerts, the newest first", query=LIST, tags=tags),
            Route("GET", one, self.one, "read", "One alert with its history", tags=tags),
            Route("POST", f"{one}/acknowledge", self.acknowledge, "write", "Say that you take care of it", NOTED, tags=tags),
            Route("POST", f"{one}/resolve", self.resolve, "write", "Say that it is over", NOTED, tags=tags),
            Route("POST", f"{one}/snooze", self.snooze, "write", "Silence it for a while", SNOOZE, tags=tags),
            Route("POST", f"{one}/assign", self.assign, "write", "Say who is to take care of it", ASSIGN, tags=tags),
            Route("POST", f"{one}/comment", self.comment, "write", "Say something about it", COMMENT, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of alerts."""
        where = {name: call.query[name] for name in FILTERS if name in call.query}
        limit = call.query["limit"]
        found = await self._alerts.listing(where, call.query["open"], call.query.get("cursor"), limit + 1)
        more = str(found[limit - 1].id) if len(found) > limit else None
        return Reply([shown(alert) for alert in found[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One alert, and what happened to it."""
        alert = await self._alerts.get(_number(call))
        lines = await self._alerts.history(alert.id)
        return {**shown(alert), "history": [{"at": iso(at.at_ms), "what": at.what, "who": at.who, "text": at.text} for at in lines]}

    async def acknowledge(self, call: Call) -> dict[str, Any]:
        """Acknowledge one."""
        return shown(await self._alerts.acknowledge(_number(call), call.who.id, call.body.get("comment")))

    async def resolve(self, call: Call) -> dict[str, Any]:
        """Resolve one."""
        return shown(await self._alerts.resolve(_number(call), call.who.id, call.body.get("comment")))

    async def snooze(self, call: Call) -> dict[str, Any]:
        """Snooze one."""
        if "for" in call.body and "until" in call.body:
            raise Invalid("until: expected either for or until", [{"path": "until", "message": "expected either for or until"}])
        until_ms = call.body.get("until") or self._clock.now_ms() + round(call.body.get("for", 3600.0) * 1000)
        return shown(await self._alerts.snooze(_number(call), until_ms, call.who.id, call.body.get("comment")))

    async def assign(self, call: Call) -> dict[str, Any]:
        """Assign one."""
        return shown(await self._alerts.assign(_number(call), call.body["assignee"], call.who.id))

    async def comment(self, call: Call) -> dict[str, Any]:
        """Comment on one."""
        return shown(await self._alerts.comment(_number(call), call.who.id, call.body["text"]))


def _number(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise NotFound(f"there is no alert {text[:64]!r}")
    return int(text)
