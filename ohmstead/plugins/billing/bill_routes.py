"""`/bills`: what contracts cost, period by period, down to the slot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import NotFound
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.billing.bill import plain
from ohmstead.plugins.billing.bills import Bills
from ohmstead.plugins.billing.book import Entry
from ohmstead.plugins.billing.opened import Opener
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.tariffs.money import minor_unit

_LIMIT = validate.integer(1, 1000)
LIST: dict[Any, Any] = {
    vol.Optional("contract", description="only those of this contract"): validate.slug,
    vol.Optional("limit", default=100, description="at most so many"): _LIMIT,
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.text,
}
KNOWN: dict[Any, Any] = {
    vol.Optional("known_at", description="leave out what was recorded after this instant"): moment,
}
OF: dict[Any, Any] = {
    vol.Optional("period", default="current", description="current, last, a month such as 2026-03, or a day such as 2026-03-20"):
        validate.text,
    **KNOWN,
}  # fmt: skip
LINE: dict[Any, Any] = {
    vol.Optional("limit", default=1000, description="at most so many slots, up to 10,000"): validate.integer(1, 10_000),
    vol.Optional("cursor", default=0, description="meta.nextCursor of the page before"): validate.integer(0, 2**53),
}
ISSUE: dict[Any, Any] = {
    vol.Optional("accept_missing", default=False, description="true: issue it although energy or prices are missing"): validate.boolean,
}


class BillRoutes:
    """The operations on bills."""

    def __init__(self, bills: Bills, opener: Opener) -> None:
        self._bills, self._opener = bills, opener

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("bills",)
        adjust = "Issue what changed since it was issued as a bill of its own"
        return [
            Route("GET", "/bills", self.listing, "read", "Bills that are kept, newest period first", query=LIST, tags=tags),
            Route("GET", "/bills/{id}", self.one, "read", "A bill: issued, or as things stand", query=KNOWN, tags=tags),
            Route("GET", "/bills/{id}/lines/{line}", self.line, "read", "A line, opened down to its slots", query=LINE, tags=tags),
            Route("GET", "/bills/{id}/slots/{at}", self.slot, "read", "A slot: its layers and readings", tags=tags),
            Route("POST", "/bills/{id}/issue", self.issue, "write", "Freeze the bill of a period that has ended", body=ISSUE, tags=tags),
            Route("POST", "/bills/{id}/adjust", self.adjust, "write", adjust, body=ISSUE, tags=tags),
            Route("GET", "/contracts/{id}/bill", self.of, "read", "A contract's bill for a period", query=OF, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of bills without their lines."""
        limit = call.query["limit"]
        found = await self._bills.book.listing(call.query.get("contract"), call.query.get("cursor"), limit + 1)
        more = found[limit - 1].id if len(found) > limit else None
        return Reply([_shown(entry) for entry in found[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One bill."""
        return await self._bills.show(call.path["id"], _known_at(call))

    async def of(self, call: Call) -> dict[str, Any]:
        """The bill of a contract's period."""
        return await self._bills.of(call.path["id"], call.query["period"], _known_at(call))

    async def line(self, call: Call) -> Reply:
        """A page of a line's slots."""
        text = call.path["line"]
        if not text.isdecimal() or len(text) > 6:
            raise NotFound(f"there is no line {text[:40]!r}; lines are numbered from 1")
        number = int(text)
        shown, more = await self._opener.line(call.path["id"], number, call.query["cursor"], call.query["limit"])
        return Reply(shown, next_cursor=None if more is None else str(more))

    async def slot(self, call: Call) -> dict[str, Any]:
        """What a slot was made of."""
        try:
            at_ms = instant_ms(moment(call.path["at"]), "UTC")
        except vol.Invalid as error:
            raise NotFound(f"no slot {call.path['at'][:40]!r}: {error}") from None
        return await self._opener.slot(call.path["id"], at_ms)

    async def issue(self, call: Call) -> dict[str, Any]:
        """Freeze a bill."""
        return await self._bills.issue(call.path["id"], call.who.id, call.body["accept_missing"])

    async def adjust(self, call: Call) -> dict[str, Any]:
        """Issue an adjustment."""
        return await self._bills.adjust(call.path["id"], call.who.id, call.body["accept_missing"])


def _known_at(call: Call) -> int | None:
    at = call.query.get("known_at")
    return None if at is None else instant_ms(at, "UTC")


def _shown(entry: Entry) -> dict[str, Any]:
    total = plain(Decimal(entry.total_micro).scaleb(-6).quantize(Decimal(1).scaleb(-minor_unit(entry.currency))))
    return {
        "id": entry.id, "contract": entry.contract_id, "status": entry.status, "adjusts": entry.adjusts, "start": iso(entry.start_ms),
        "end": iso(entry.end_ms), "currency": entry.currency, "total": total, "digest": entry.digest,
        "made": iso(entry.made_ms), "issued": None if entry.issued_ms is None else iso(entry.issued_ms), "issued_by": entry.issued_by,
    }  # fmt: skip
