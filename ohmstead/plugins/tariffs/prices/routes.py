"""`/prices`: series of prices, what they say of a time, as known at another, and imports of one's own."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import is_slug
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.tariffs.moment import instant
from ohmstead.plugins.tariffs.prices.book import PriceBook, PriceImport
from ohmstead.plugins.tariffs.prices.rows import Given, spans
from ohmstead.plugins.tariffs.prices.timeline import Span, decimal

DAY_MS = 86_400_000
MAX_BODY = 16_000_000  # a year of quarter hours is some 3 MB
PER = {"kWh": 1, "MWh": 1000}
PAGE = {
    vol.Optional("limit", default=100, description="at most so many, up to 1,000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.integer(1, 1 << 53),
}
VALUES = {
    vol.Optional("start", description="from this instant on; now unless given"): instant,
    vol.Optional("end", description="up to this instant, not included; two days after the start unless given"): instant,
    vol.Optional("known_at", description="as it was recorded up to this instant"): instant,
    vol.Optional("limit", default=1000, description="at most so many, up to 10,000"): validate.integer(1, 10_000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.integer(0, 1 << 53),
}


class Import(msgspec.Struct):
    """Prices of one's own. `unit` is what a price is of; `dry_run` only says what would be new."""

    currency: str
    prices: list[Given]
    unit: str = "kWh"
    source: str = "api"
    dry_run: bool = False


class PriceRoutes:
    """The operations on prices."""

    def __init__(self, book: PriceBook, clock: Clock) -> None:
        self._book, self._clock = book, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags = ("prices",)
        return [
            Route("GET", "/prices", self.series, "read", "Series of prices", tags=tags),
            Route("GET", "/prices/{series}", self.values, "read", "Its prices in a span, as known at a time", query=VALUES, tags=tags),
            Route("GET", "/prices/{series}/imports", self.imports, "read", "Imports of it, newest first", query=PAGE, tags=tags),
            Route("POST", "/prices/{series}/imports", self.bring, "write", "Lay prices over what is known; the same again changes nothing",
                  body=Import, max_body=MAX_BODY, tags=tags),
        ]  # fmt: skip

    async def series(self, call: Call) -> list[dict[str, Any]]:
        """All series."""
        return [{"id": each.id, "currency": each.currency, "unit": "kWh"} for each in await self._book.series()]

    async def values(self, call: Call) -> Reply:
        """A page of prices, cut at the bounds of the span."""
        start = call.query.get("start", self._clock.now_ms())
        end, most = call.query.get("end", start + 2 * DAY_MS), call.query["limit"]
        if start >= end:
            raise Invalid("start must lie before end", [{"path": "start", "message": "expected an instant before end"}])
        begin = max(start, call.query.get("cursor", start))
        await self._book.one(call.path["series"])
        line = await self._book.timeline(call.path["series"], begin, end, call.query.get("known_at"))
        found = list(line.within(begin, end))
        more = str(found[most].start_ms) if len(found) > most else None
        return Reply([_span(each) for each in found[:most]], next_cursor=more)

    async def imports(self, call: Call) -> Reply:
        """A page of imports."""
        most = call.query["limit"]
        await self._book.one(call.path["series"])
        found = await self._book.imports(call.path["series"], call.query.get("cursor"), most + 1)
        more = str(found[most - 1].number) if len(found) > most else None
        return Reply([_import(each) for each in found[:most]], next_cursor=more)

    async def bring(self, call: Call) -> Reply:
        """Take prices in: 201 with the import, 200 with count 0 when they are known already."""
        body: Import = call.body
        name = call.path["series"]
        _check(name, body)
        found = await asyncio.to_thread(spans, body.prices, PER[body.unit])
        made = await self._book.add(name, body.currency, found, f"{body.source[:200]} by {call.who.id}", body.dry_run)
        if made is None:
            return Reply({"number": None, "series": name, "count": 0})
        return Reply(_import(made), status=200 if body.dry_run else 201)


def _check(name: str, body: Import) -> None:
    problems = []
    if not is_slug(name):
        problems.append({"path": "series", "message": "expected an id of letters, digits, _ and -, at most 64 characters"})
    if body.unit not in PER:
        problems.append({"path": "unit", "message": f"expected {' or '.join(PER)}"})
    if not body.prices:
        problems.append({"path": "prices", "message": "expected at least one price"})
    try:
        validate.currency(body.currency)
    except vol.Invalid as error:
        problems.append({"path": "currency", "message": error.msg})
    if problems:
        raise Invalid("the import is not right", problems)


def _span(span: Span) -> dict[str, Any]:
    return {"start": iso(span.start_ms), "end": iso(span.end_ms), "price": decimal(span.price), "import": span.number}


def _import(made: PriceImport) -> dict[str, Any]:
    return {"number": made.number or None, "series": made.series, "source": made.source, "recorded": iso(made.recorded_ms),
            "start": iso(made.start_ms), "end": iso(made.end_ms), "count": made.count}  # fmt: skip
