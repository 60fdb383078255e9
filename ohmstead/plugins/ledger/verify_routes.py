"""`/ledger/verify`: whether everything comes out again the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.route import Call, Route

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger

SHOWN = 100  # differences that are listed; all are counted

BODY = {vol.Optional("meter_points", description="ids of meter points; all unless given"): [validate.slug]}


def routes(ledger: Ledger) -> list[Route]:
    """The one operation."""

    async def verify(call: Call) -> dict[str, Any]:
        found = await ledger.verifier.verify((call.body or {}).get("meter_points"))
        differences = [
            {"meter_point": each.meter_point, "what": each.what, "start": iso(each.start_ms), "stored": each.kept, "rebuilt": each.rebuilt}
            for each in found.differences[:SHOWN]
        ]
        return {"same": not found.differences, "meter_points": found.meter_points, "days": found.days, "rollups": found.rollups,
                "sealed_days": {slug: len(days) for slug, days in found.sealed.items()},
                "different": len(found.differences), "differences": differences}  # fmt: skip

    summary = "Derive everything again from the readings, and compare it byte for byte with what is stored"
    return [Route("POST", "/ledger/verify", verify, "read", summary, body=BODY, tags=("ledger",))]
