"""`/corrections`: preview, apply, list, undo."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import NotFound
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.ledger import layers, money
from ohmstead.plugins.ledger.corrections import asked
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.corrections.corrections import Corrections
from ohmstead.plugins.ledger.corrections.effect import Effect, Reached
from ohmstead.plugins.ledger.points.routes import DRY
from ohmstead.plugins.ledger.valuer import Worth

SIGNED: dict[Any, Any] = {
    vol.Required("reason", description="why; shown beside the correction for ever"): vol.All(str, vol.Length(max=1000)),
    vol.Optional("adjust", default=False, description="also over issued bills, which then get an adjustment"): validate.boolean,
}
LIST: dict[Any, Any] = {
    vol.Optional("meter_point", description="only of this meter point"): validate.slug,
    vol.Optional("series", description="only of this series, device.quantity"): str,
    vol.Optional("status", description="active or undone"): validate.one_of("active", "undone"),
    vol.Optional("limit", default=100, description="how many, 1 to 1000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="the nextCursor of the page before"): validate.integer(1, 10**15),
}


class CorrectionRoutes:
    """The operations on corrections."""

    def __init__(self, corrections: Corrections) -> None:
        self._corrections = corrections

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one, body = ("corrections",), "/corrections/{number}", {**asked.BODY, **SIGNED}
        return [
            Route("GET", "/corrections", self.listing, "read", "Corrections, the newest first", query=LIST, tags=tags),
            Route("POST", "/corrections", self.apply, "write", "Correct readings or intervals", body, DRY, status=201, tags=tags),
            Route("POST", "/corrections/preview", self.preview, "write", "What a correction would do", asked.BODY, tags=tags),
            Route("GET", one, self.one, "read", "One correction", tags=tags),
            Route("POST", f"{one}/undo", self.undo, "write", "Take a correction back and replay the rest", SIGNED, DRY, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of corrections."""
        wanted = {name: call.query[name] for name in ("meter_point", "series", "status") if name in call.query}
        limit = call.query["limit"]
        found = await self._corrections.listing(wanted, call.query.get("cursor"), limit + 1)
        more = str(found[limit - 1].number) if len(found) > limit else None
        return Reply([shown(made) for made in found[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One correction."""
        return shown(await self._corrections.get(_number(call)))

    async def preview(self, call: Call) -> dict[str, Any]:
        """What a correction would do."""
        return effect(await self._corrections.preview(await self._corrections.read(call.body)))

    async def apply(self, call: Call) -> Reply:
        """Apply one, or with `dry_run` preview it."""
        change = await self._corrections.read(call.body)
        if call.query["dry_run"]:
            return Reply(effect(await self._corrections.preview(change)))
        made = await self._corrections.apply(change, call.body["reason"], call.who.id, call.body["adjust"])
        return Reply(shown(made), status=201)

    async def undo(self, call: Call) -> dict[str, Any]:
        """Undo one, or with `dry_run` say what that would do."""
        if call.query["dry_run"]:
            return effect(await self._corrections.preview_undo(_number(call)))
        return shown(await self._corrections.undo(_number(call), call.body["reason"], call.who.id, call.body["adjust"]))


def _number(call: Call) -> int:
    text = call.path["number"]
    if not text.isdecimal() or len(text) > 15:
        raise NotFound(f"there is no correction {text[:64]}")
    return int(text)


def shown(made: Correction) -> dict[str, Any]:
    """A correction for the API."""
    undone = None
    if made.undone_ms is not None:
        undone = {"at": iso(made.undone_ms), "by": made.undone_by, "reason": made.undone_reason}
    return {"number": made.number, **asked.shown(made.change), "reason": made.reason, "author": made.author,
            "recorded": iso(made.recorded_ms), "status": "active" if made.active else "undone", "undone": undone}  # fmt: skip


def effect(found: Effect) -> dict[str, Any]:
    """What a correction does, for the API."""
    return {
        "meter_points": [_reached(each) for each in found.reached], "money": [_worth(each) for each in found.worth],
        "findings": {"close": list(found.closes), "open": list(found.opens)},
    }  # fmt: skip


def _reached(each: Reached) -> dict[str, Any]:
    days = [{"day": day.day.isoformat(), "before_kwh": _kwh(day.before), "after_kwh": _kwh(day.after)} for day in each.days]
    return {"meter_point": each.meter_point, "start": iso(each.start_ms), "end": iso(each.end_ms),
            "before_kwh": _kwh(each.before), "after_kwh": _kwh(each.after), "days": days}  # fmt: skip


def _worth(worth: Worth) -> dict[str, Any]:
    return {"contract": worth.contract, "currency": worth.currency, "before": money.shown(worth.before), "after": money.shown(worth.after),
            "difference": money.shown(worth.after - worth.before)}  # fmt: skip


def _kwh(mwh: int | None) -> str | None:
    return None if mwh is None else layers.kwh(mwh)
