"""`/audit`: the log over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, to_ms
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.audit.audit import Audit


def instant(value: Any) -> int:
    """An aware instant, as milliseconds since 1970; from before or after all calendars it is their first or last."""
    try:
        return min(max(to_ms(datetime.fromisoformat(value)), EARLIEST_MS), LATEST_MS)
    except (TypeError, ValueError, OverflowError):
        raise vol.Invalid("expected an instant with its offset, such as 2026-02-07T11:26:00Z (in a URL write + as %2B)") from None


LIST: dict[Any, Any] = {
    vol.Optional("type", description='such as device.offline; device.* is all that begin so'): validate.text,
    vol.Optional("subject", description="only what happened to this id"): validate.text,
    vol.Optional("device", description="only what is about this device"): validate.text,
    vol.Optional("person", description="only what this person, device or token did"): validate.slug,
    vol.Optional("start", description="from this instant on"): instant,
    vol.Optional("end", description="up to this instant, not included"): instant,
    vol.Optional("limit", default=100, description="how many, 1 to 1000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="the nextCursor of the page before"): validate.integer(1, 10**15),
}


class AuditRoutes:
    """The operations on the log. They take the scope admin: what is beside the chain is personal."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("audit",)
        return [
            Route("GET", "/audit", self.listing, "admin", "What happened and who did it, the newest first", query=LIST, tags=tags),
            Route("GET", "/audit/verify", self.verify, "admin", "Whether the log is as it was written", tags=tags),
            Route("DELETE", "/audit/personal/{who}", self.forget, "admin", "Delete names and addresses kept of somebody", tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of entries."""
        limit = call.query["limit"]
        found = await self._audit.search.find(call.query, call.query.get("cursor"), limit + 1)
        more = str(found[limit - 1]["number"]) if len(found) > limit else None
        return Reply(found[:limit], next_cursor=more)

    async def verify(self, call: Call) -> Any:
        """The verdict; `ok` is false where the log does not hold."""
        return msgspec.to_builtins(await self._audit.verify())

    async def forget(self, call: Call) -> dict[str, Any]:
        """How many entries lost what was kept beside them; the entries stay."""
        return {"who": call.path["who"], "forgotten": await self._audit.forget(call.path["who"])}
