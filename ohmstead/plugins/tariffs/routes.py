"""`/tariffs`: what energy costs, as it was written; and what it costs now and ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import PRICE_DIGITS
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.tariffs.curve import curve
from ohmstead.plugins.tariffs.moment import instant
from ohmstead.plugins.tariffs.outlook import Outlook, outlook
from ohmstead.plugins.tariffs.prices.book import PriceBook
from ohmstead.plugins.tariffs.prices.timeline import decimal
from ohmstead.plugins.tariffs.records import TariffRecords
from ohmstead.plugins.tariffs.registry import API, Tariffs
from ohmstead.plugins.tariffs.selection import EXPORT, IMPORT
from ohmstead.plugins.tariffs.tariff import Tariff

INSTANTS = ("from", "until", "recorded")  # options that are instants, unless they are days
PAGE: dict[Any, Any] = {
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.slug,
}
SLOT_MS = 900_000
DAY_MS = 86_400_000
LONGEST_MS = 400 * DAY_MS
_WHICH: dict[Any, Any] = {
    vol.Optional("direction", default=IMPORT, description="import, or export: what a kWh given earns"): validate.one_of(IMPORT, EXPORT),
    vol.Optional("vat", default=False, description="true: with VAT"): validate.boolean,
    vol.Optional("grid_zone", description="the grid zone, where the tariff tells them apart"): validate.text,
    vol.Optional("tz", description="zone whose hours and days are meant; that of the home unless given"): validate.time_zone,
    vol.Optional("known_at", description="as it was known at this instant"): instant,
}
PRICE: dict[Any, Any] = {vol.Optional("at", description="this instant; now unless given"): instant, **_WHICH}
CURVE: dict[Any, Any] = {
    vol.Optional("start", description="from this instant on; now unless given"): instant,
    vol.Optional("end", description="up to this instant; two days after the start unless given"): instant,
    **_WHICH,
}


class Given(NamedTuple):
    """What was sent, as it was written; `checked` is what it means."""

    written: dict[str, Any]
    checked: dict[str, Any]


class Written(vol.Schema):
    """A schema that checks and keeps what was written."""

    def __call__(self, data: Any) -> Given:
        return Given(data, super().__call__(data))  # type: ignore[no-untyped-call]


class TariffRoutes:
    """The operations on tariffs."""

    def __init__(self, tariffs: Tariffs, records: TariffRecords, clock: Clock, book: PriceBook, zone: Callable[[], str]) -> None:
        self._tariffs, self._records, self._clock, self._book, self._zone = tariffs, records, clock, book, zone

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        made, version, tags = Written(self._named), Written(self._tariffs.rules.version()), ("tariffs",)
        return [
            Route("GET", "/tariffs", self.listing, "read", "Tariffs, in order of their ids", query=PAGE, tags=tags),
            Route("POST", "/tariffs", self.make, "write", "Make a tariff: id, and what the YAML takes", body=made, status=201, tags=tags),
            Route("GET", "/tariffs/{id}", self.one, "read", "One tariff with all its versions", tags=tags),
            Route("POST", "/tariffs/{id}/versions", self.supersede, "write", "Record one more version; none is ever changed", body=version,
                  status=201, tags=tags),
            Route("GET", "/tariffs/{id}/price", self.price, "read", "What a kWh costs at an instant, and when that changes", query=PRICE,
                  tags=tags),
            Route("GET", "/tariffs/{id}/curve", self.curve, "read", "What it costs in a span, by pieces", query=CURVE, tags=tags),
            Route("DELETE", "/tariffs/{id}", self.remove, "write", "Take a tariff that no contract needs out of use", tags=tags),
        ]  # fmt: skip

    def _named(self, value: Any) -> dict[str, Any]:
        """A tariff with its id."""
        if not isinstance(value, dict) or "id" not in value:
            raise vol.Invalid("is missing", path=["id"])
        try:
            validate.slug(value["id"])
        except vol.Invalid as error:
            raise vol.Invalid(error.msg, path=["id"]) from None
        return self._tariffs.check({key: each for key, each in value.items() if key != "id"})

    async def listing(self, call: Call) -> Reply:
        """A page of tariffs, without their components."""
        rest = [each for each in self._tariffs if each.id > call.query.get("cursor", "")]
        limit = call.query["limit"]
        more = rest[limit - 1].id if len(rest) > limit else None
        return Reply([self._brief(each) for each in rest[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One tariff."""
        return self._shown(self._tariffs.get(call.path["id"]))

    async def make(self, call: Call) -> Reply:
        """A new tariff."""
        written = dict(call.body.written)
        id_ = str(written.pop("id"))
        await self._records.make(id_, written, call.who.id)
        return Reply(self._shown(self._tariffs.get(id_)), status=201)

    async def supersede(self, call: Call) -> Reply:
        """One more version."""
        await self._records.supersede(call.path["id"], call.body.written, call.who.id)
        return Reply(self._shown(self._tariffs.get(call.path["id"])), status=201)

    async def remove(self, call: Call) -> dict[str, Any]:
        """Take it out of use."""
        await self._records.remove(call.path["id"])
        return {"id": call.path["id"], "removed": True}

    async def price(self, call: Call) -> dict[str, Any]:
        """The price at an instant; null where there is none."""
        tariff, at_ms = self._tariffs.get(call.path["id"]), call.query.get("at", self._clock.now_ms())
        found = await self._outlook(tariff, at_ms, at_ms + 2 * DAY_MS, call)
        return {"tariff": tariff.id, "at": iso(at_ms), "price": _decimal(found.now), "currency": tariff.currency, "unit": "kWh",
                "changes": None if found.changes_ms is None else iso(found.changes_ms)}  # fmt: skip

    async def curve(self, call: Call) -> list[dict[str, Any]]:
        """The spans of one price; null where there is none."""
        start_ms = call.query.get("start", self._clock.now_ms())
        end_ms = call.query.get("end", start_ms + 2 * DAY_MS)
        if not start_ms < end_ms <= start_ms + LONGEST_MS:
            raise Invalid("the span is not right", [{"path": "end", "message": "expected an instant after start, at most 400 days later"}])
        found = await self._outlook(self._tariffs.get(call.path["id"]), start_ms, end_ms, call)
        spans = [(max(start, start_ms), min(end, end_ms), price) for start, end, price in found.ahead]
        return [{"start": iso(start), "end": iso(end), "price": _decimal(price)} for start, end, price in spans]

    async def _outlook(self, tariff: Tariff, start_ms: int, end_ms: int, call: Call) -> Outlook:
        asked, first_ms = call.query, start_ms // SLOT_MS * SLOT_MS
        zone, known_at_ms = ZoneInfo(asked.get("tz") or self._zone()), asked.get("known_at")
        lines = {name: await self._book.timeline(name, first_ms, end_ms, known_at_ms) for name in tariff.series}

        def prices() -> Outlook:
            found = curve(tariff, first_ms, end_ms, SLOT_MS, zone, prices=lines, known_at_ms=known_at_ms, grid_zone=asked.get("grid_zone"),
                          direction=asked["direction"], with_vat=asked["vat"])  # fmt: skip
            return outlook(found, first_ms, SLOT_MS, start_ms)

        return await asyncio.to_thread(prices)

    def _brief(self, tariff: Tariff) -> dict[str, Any]:
        version = tariff.version(self._clock.now_ms(), ZoneInfo(self._zone()))
        return {
            "id": tariff.id, "name": tariff.name, "currency": tariff.currency, "origin": tariff.origin, "series": sorted(tariff.series),
            "versions": [each.name for each in tariff.versions], "current": None if version is None else version.name,
        }  # fmt: skip

    def _shown(self, tariff: Tariff) -> dict[str, Any]:
        if tariff.origin == API:
            return {**self._brief(tariff), "versions": self._records.document(tariff.id)["versions"]}
        return {**self._brief(tariff), "versions": [_written(version.options) for version in tariff.versions]}


def _decimal(price: Fraction | None) -> str | None:
    """As a decimal, exactly where it is one; else to the twelfth place."""
    if price is None:
        return None
    return decimal(round(price * 10**PRICE_DIGITS))


def _written(value: Any, name: str = "") -> Any:
    """Checked options as somebody might write them."""
    if isinstance(value, Mapping):
        return {str(key): _written(each, str(key)) for key, each in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, int) for each in value):
        return "{:02}-{:02}".format(*value)  # a day of every year
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return iso(value) if name in INSTANTS and isinstance(value, int) else value
