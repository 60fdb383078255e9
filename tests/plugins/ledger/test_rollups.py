"""Rollups say which layer speaks in them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ohmstead.plugins.ledger.rollups import gather, hours
from ohmstead.plugins.ledger.sheet import Layer, Sheet

HOUR_MS, SLOT_MS = 3_600_000, 900_000


def test_the_highest_layer_that_speaks_in_it() -> None:
    sheet = Sheet.empty(0, SLOT_MS, 12)
    for at, layer in ((0, Layer.LIVE), (1, Layer.SETTLED), (2, Layer.MANUAL), (4, Layer.LIVE)):
        sheet.measured_ms[at], sheet.source[at] = SLOT_MS, layer
    found = hours([sheet], ZoneInfo("UTC"))
    assert [hour.source for hour in found] == [Layer.SETTLED, Layer.LIVE]
    assert [day.source for day in gather(found, [(0, 24 * HOUR_MS)])] == [Layer.SETTLED]
