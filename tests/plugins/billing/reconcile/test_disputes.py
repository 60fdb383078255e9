"""An invoice that does not reconcile keeps the raw readings it is about; one that does keeps none."""

from __future__ import annotations

from typing import Any

from ohmstead.plugins.billing.reconcile.disputes import Disputes
from tests.fakes.billed_house import at
from tests.fakes.reconciled_house import ReconciledHouse


async def enter(home: ReconciledHouse, slug: str, start: str, end: str, **more: Any) -> None:
    await home.ask("POST", "/invoices", {"id": slug, "contract": "home", "start": start, "end": end, **more})


async def test_an_open_dispute_holds_its_period(home: ReconciledHouse) -> None:
    disputes = Disputes(home.storage, home.billing, home.clock)
    assert await disputes.holds(0) == []
    await enter(home, "march", "2026-03-01", "2026-04-01", kwh=str(round(home.kwh("2026-03-01T00:00", "2026-04-01T00:00"), 2)))
    assert await disputes.holds(0) == []
    await enter(home, "february", "2026-02-10", "2026-03-01", total="1.00")
    [hold] = await disputes.holds(0)
    assert hold == ("grid_import", at("2026-02-10T00:00"), at("2026-03-01T00:00"))
    assert await disputes.holds(hold.end_ms) == []
    await home.ask("DELETE", "/invoices/february")
    assert await disputes.holds(0) == []
