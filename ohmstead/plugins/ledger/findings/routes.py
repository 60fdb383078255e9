"""`/findings`: the inbox over the API."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import NotFound
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.ledger import layers
from ohmstead.plugins.ledger.corrections import asked
from ohmstead.plugins.ledger.corrections.routes import effect
from ohmstead.plugins.ledger.findings.finding import Cause, Correct, Finding, Remedy, Swap
from ohmstead.plugins.ledger.findings.findings import Findings
from ohmstead.plugins.ledger.points.routes import DRY

LIST: dict[Any, Any] = {
    vol.Optional("meter_point", description="only of this meter point"): validate.slug,
    vol.Optional("cause", description="only of this cause"): validate.one_of(*(cause.value for cause in Cause)),
    vol.Optional("status", description="open, dismissed or closed"): validate.one_of("open", "dismissed", "closed"),
    vol.Optional("limit", default=100, description="how many, 1 to 1000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="the nextCursor of the page before"): validate.integer(1, 10**15),
}
_REASON = vol.All(str, vol.Length(max=1000))
ACCEPT: dict[Any, Any] = {
    vol.Optional("reason", description="why; the finding's own text unless given"): _REASON,
    vol.Optional("adjust", default=False, description="also over issued bills, which then get an adjustment"): validate.boolean,
}
DISMISS: dict[Any, Any] = {vol.Required("reason", description="why this is no mistake"): _REASON}


class FindingRoutes:
    """The operations on findings."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one = ("findings",), "/findings/{id}"
        return [
            Route("GET", "/findings", self.listing, "read", "What the data contradicts, the newest first", query=LIST, tags=tags),
            Route("GET", one, self.one, "read", "One finding", tags=tags),
            Route("POST", f"{one}/accept", self.accept, "write", "Do what is proposed", ACCEPT, DRY, tags=tags),
            Route("POST", f"{one}/dismiss", self.dismiss, "write", "Say that it is no mistake", DISMISS, tags=tags),
            Route("POST", f"{one}/reopen", self.reopen, "write", "Take a dismissal back", tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of findings."""
        wanted = {name: call.query[name] for name in ("meter_point", "cause", "status") if name in call.query}
        limit = call.query["limit"]
        found = await self._findings.listing(wanted, call.query.get("cursor"), limit + 1)
        more = str(found[limit - 1].number) if len(found) > limit else None
        return Reply([shown(each) for each in found[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One finding."""
        return shown(await self._findings.get(_number(call)))

    async def accept(self, call: Call) -> dict[str, Any]:
        """Accept what one proposes, or with `dry_run` say what that would do."""
        if call.query["dry_run"]:
            found = await self._findings.preview(_number(call))
            return {"effect": None if found is None else effect(found)}
        finding, correction = await self._findings.accept(_number(call), call.who.id, call.body.get("reason"), call.body["adjust"])
        return {"finding": shown(finding), "correction": correction}

    async def dismiss(self, call: Call) -> dict[str, Any]:
        """Dismiss one."""
        return shown(await self._findings.dismiss(_number(call), call.body["reason"], call.who.id))

    async def reopen(self, call: Call) -> dict[str, Any]:
        """Reopen one."""
        return shown(await self._findings.reopen(_number(call)))


def _number(call: Call) -> int:
    text = call.path["id"]
    if not text.isdecimal() or len(text) > 9:
        raise NotFound(f"there is no finding {text[:64]}")
    return int(text)


def shown(finding: Finding) -> dict[str, Any]:
    """A finding for the API."""
    found, more = finding.found, len(finding.days) - 1
    money = [{"contract": contract, "currency": currency, "amount": amount} for contract, currency, amount in finding.worth]
    return {
        "id": finding.number, "cause": found.cause.value, "meter_point": finding.meter_point, "series": found.series,
        "start": iso(found.start_ms), "end": iso(found.end_ms), "kwh": None if found.mwh is None else layers.kwh(found.mwh), "money": money,
        "text": f"{found.text} (and {more} more days of that month)" if more > 0 else found.text, "proposal": _remedy(found.remedy),
        "status": finding.status, "found": iso(finding.found_ms), "told": _iso(finding.notified_ms), "closed": _iso(finding.closed_ms),
        "closed_by": finding.closed_by, "reason": finding.reason,
    }  # fmt: skip


def _remedy(remedy: Remedy | None) -> dict[str, Any] | None:
    if remedy is None:
        return None
    if isinstance(remedy, Correct):
        return {"action": "correct", "correction": asked.shown(remedy.change)}
    if isinstance(remedy, Swap):
        return {"action": "swap", "at": iso(remedy.at_ms), "closing": remedy.closing, "opening": remedy.opening}
    return {"action": "undo", "correction": remedy.number}


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
