"""`/ledger/verify` and `/ledger/rebuild`: whether everything comes out again the same; having it come out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.route import Call, Route

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

SHOWN = 100  # differences that are listed; all are counted

DRY_RUN: dict[Any, Any] = {
    vol.Optional("dry_run", default=False, description="true: say how many meter points that would be"): validate.boolean,
}
BODY = {vol.Optional("meter_points", description="ids of meter points; all unless given"): [validate.slug]}


def routes(ledger: Ledger) -> list[Route]:
    """The two operations."""

    async def verify(call: Call) -> dict[str, Any]:
        found = await ledger.verifier.verify((call.body or {}).get("meter_points"))
        differences = [
            {"meter_point": each.meter_point, "what": each.what, "start": iso(each.start_ms), "stored": each.kept, "rebuilt": each.rebuilt}
            for each in found.differences[:SHOWN]
        ]
        return {"same": not found.differences, "meter_points": found.meter_points, "days": found.days, "rollups": found.rollups,
                "sealed_days": {slug: len(days) for slug, days in found.sealed.items()},
                "different": len(found.differences), "differences": differences}  # fmt: skip

    async def rebuild(call: Call) -> dict[str, Any]:
        dry_run = call.query["dry_run"]
        return {"meter_points": len(ledger.points) if dry_run else await ledger.rebuild(), "dry_run": dry_run}

    again = "Throw what is derived away and derive it anew, from the first reading on; what comes out is the same"
    summary = "Derive everything again from the readings, and compare it byte for byte with what is stored"
    return [
        Route("POST", "/ledger/verify", verify, "read", summary, body=BODY, tags=("ledger",)),
        Route("POST", "/ledger/rebuild", rebuild, "admin", again, query=DRY_RUN, status=202, tags=("ledger",)),
    ]
