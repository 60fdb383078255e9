"""`/imports`: numbered imports of meter points, and registers that somebody read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.plugin import PeriodRow, RegisterRow
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.ledger.imports.book import Import
from ohmstead.plugins.ledger.imports.imports import KINDS, NEWEST, UNITS
from ohmstead.plugins.ledger.imports.preview import Previews
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.ledger.points.bindings import MILLIONTHS
from ohmstead.plugins.ledger.points.routes import DRY
from ohmstead.plugins.ledger.schemas import name, register

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.storage import Storage

MAX_BODY = 8_000_000
READ = "read"  # the source of registers that somebody read
BEGIN: dict[Any, Any] = {
    vol.Required("meter_point", description="id of the meter point"): validate.slug,
    vol.Required("kind", description="live (only before its own first reading), manual or settled"): validate.one_of(*KINDS),
    vol.Required("source", description="where it is from; registers of the same source are one register"): name,
    vol.Optional("fingerprint", description="what tells the file from all others; the same again changes nothing"): name,
    vol.Optional("note", description="whatever else is to be known"): name,
}
LIMIT = vol.Optional("limit", default=100, description="at most so many, up to 1,000")
CURSOR = vol.Optional("cursor", description="meta.nextCursor of the page before")
PAGE: dict[Any, Any] = {LIMIT: validate.integer(1, 1000), CURSOR: validate.integer(-(2**53), 2**53)}
LISTING: dict[Any, Any] = {
    vol.Optional("meter_point", description="only those of this meter point"): validate.slug,
    LIMIT: validate.integer(1, 1000),
    CURSOR: validate.integer(0, NEWEST),
}
READS: dict[Any, Any] = {
    vol.Required("reads", description="what the display showed, and when"): vol.All(
        [
            {
                vol.Required("at", description="a day where the meter point is, or an instant with its offset"): moment,
                vol.Required("value", description="what the display showed, in kWh (m³ for gas and water)"): register,
            }
        ],
        vol.Length(1, 1000, msg="expected one to 1,000 reads"),
    ),
    vol.Optional("note", description="who read it, or why"): name,
}


class Period(msgspec.Struct, array_like=True):
    """One period: start and end in ms since 1970, amount in mWh (mL), whether it is estimated, where it stood in the file."""

    from_ms: int
    to_ms: int
    amount: int
    estimated: bool = False
    place: str = ""


class Register(msgspec.Struct, array_like=True):
    """One register: instant in ms since 1970, amount in mWh (mL), where it stood in the file."""

    at_ms: int
    amount: int
    place: str = ""


class Portion(msgspec.Struct):
    """Some rows of an import, in `unit`: mWh, or mL for gas and water."""

    unit: str = "mWh"
    periods: list[Period] = []
    registers: list[Register] = []


class ImportRoutes:
    """The operations on imports."""

    def __init__(self, ledger: Ledger, storage: Storage, clock: Clock) -> None:
        self._imports, self._points, self._clock = ledger.imports, ledger.points, clock
        self._previews = Previews(ledger, storage)

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one, reads = ("imports",), "/imports/{number}", "/meter-points/{id}/reads"
        return [
            Route("GET", "/imports", self.listing, "read", "Imports of meter points, newest first", query=LISTING, tags=tags),
            Route("POST", "/imports", self.begin, "write", "Begin an import", body=BEGIN, status=201, tags=tags),
            Route("GET", one, self.one, "read", "One import", tags=tags),
            Route("POST", f"{one}/rows", self.add, "write", "Add some of its rows", body=Portion, max_body=MAX_BODY, tags=tags),
            Route("GET", f"{one}/preview", self.preview, "read", "What committing it would change", tags=tags),
            Route("POST", f"{one}/commit", self.commit, "write", "Let it count, whole", tags=tags),
            Route("DELETE", one, self.discard, "write", "Let it count no more; its rows go", tags=tags),
            Route("GET", reads, self.reads, "read", "Registers that somebody read, newest first", query=PAGE, tags=tags),
            Route("POST", reads, self.read, "write", "State what a display showed", body=READS, query=DRY, status=201, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of imports."""
        limit = call.query["limit"]
        found = await self._imports.listing(call.query.get("meter_point"), call.query.get("cursor", NEWEST), limit + 1)
        more = str(found[limit - 1].number) if len(found) > limit else None
        return Reply([self._shown(made) for made in found[:limit]], next_cursor=more)

    async def begin(self, call: Call) -> Reply:
        """A number to add rows under; `known` when the same file is there already, and then there is nothing to do."""
        given = call.body
        begun = await self._imports.begin(
            given["kind"], given["meter_point"], given["source"], call.who.id, given.get("fingerprint"), given.get("note")
        )
        return Reply({**self._shown(begun.made), "known": begun.known}, status=200 if begun.known else 201)

    async def one(self, call: Call) -> dict[str, Any]:
        """One import."""
        return self._shown(await self._imports.one(_number(call)))

    async def add(self, call: Call) -> dict[str, Any]:
        """All of a portion, or none of it."""
        number, portion = _number(call), call.body
        periods = [PeriodRow(row.from_ms, row.to_ms, row.amount, row.estimated, portion.unit, row.place) for row in portion.periods]
        registers = [RegisterRow(row.at_ms, row.amount, portion.unit, row.place) for row in portion.registers]
        await self._imports.add(number, [*periods, *registers])
        return {"number": number, "added": len(periods) + len(registers)}

    async def preview(self, call: Call) -> dict[str, Any]:
        """What would change."""
        return await self._previews.of(await self._imports.one(_number(call)))

    async def commit(self, call: Call) -> dict[str, Any]:
        """Let it count."""
        return self._shown(await self._imports.commit(_number(call)))

    async def discard(self, call: Call) -> dict[str, Any]:
        """Let it count no more."""
        return self._shown(await self._imports.discard(_number(call)))

    async def reads(self, call: Call) -> Reply:
        """A page of registers that somebody read; those that a later one of the same instant took the place of are left out."""
        point, limit = self._points.get(call.path["id"]), call.query["limit"]
        found = await self._imports.reads(point.id, call.query.get("cursor", 2**53), limit + 1)
        shown = [{"at": iso(at_ms), "value": _plain(amount), "import": number} for at_ms, amount, number in found[:limit]]
        return Reply(shown, next_cursor=str(found[limit - 1][0]) if len(found) > limit else None)

    async def read(self, call: Call) -> Reply:
        """One import of registers, committed at once."""
        point = self._points.get(call.path["id"])
        zone, unit = self._points.zone_of(point.id), UNITS[point.unit]
        rows = [RegisterRow(instant_ms(each["at"], zone), round(each["value"] * MILLIONTHS), unit) for each in call.body["reads"]]
        late = [row.at_ms for row in rows if row.at_ms > self._clock.now_ms()]
        if late:
            message = f"nobody can have read it at {iso(late[0])}, which is still to come"
            raise Invalid(f"reads: {message}", [{"path": "reads", "message": message}])
        number = (await self._imports.begin("manual", point.id, READ, call.who.id, note=call.body.get("note"))).made.number
        await self._imports.add(number, rows)
        if call.query["dry_run"]:
            seen = await self._previews.of(await self._imports.one(number))
            await self._imports.discard(number)
            return Reply(seen)
        return Reply(self._shown(await self._imports.commit(number)), status=201)

    def _shown(self, made: Import) -> dict[str, Any]:
        point = self._points.by_key(made.point_id)
        return {
            "number": made.number, "meter_point": None if point is None else point.id, "kind": made.layer.name.lower(),
            "source": made.source, "status": made.status, "rows": made.rows,
            "start": None if made.start_ms is None else iso(made.start_ms), "end": None if made.end_ms is None else iso(made.end_ms),
            "author": made.author, "recorded": iso(made.recorded_ms), "fingerprint": made.fingerprint, "note": made.note,
        }  # fmt: skip


def _number(call: Call) -> int:
    text = call.path["number"]
    if not text.isdecimal() or len(text) > 10 or int(text) > NEWEST:
        raise NotFound(f"there is no import {text[:64]!r}")
    return int(text)


def _plain(amount: int) -> str:
    return f"{amount // MILLIONTHS}.{amount % MILLIONTHS:06d}"
