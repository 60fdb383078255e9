"""Swapping a meter: no step crosses, and with both registers nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from ohmstead.core.errors import Invalid
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
MINUTE = 60_000


async def metered(house: MeteredHouse, before: float, after: float, **swap: Any) -> list[tuple[int, int]]:
    """mWh and covered minutes of each slot: 0.4 kWh an hour until 00:20 and from 00:40 on, on another meter; swapped at 00:30."""
    await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import", "series": "old.energy_import"})
    for minute in (0, 10, 20):
        await house.store("old", "energy_import", before + minute / 150, T0 + minute * MINUTE)
    for minute in (40, 50, 60):
        await house.store("new", "energy_import", after + (minute - 30) / 150, T0 + minute * MINUTE)
    await house.ask("POST", "/meter-points/grid/swap", {"at": "2026-03-01T00:30:00Z", "series": "new.energy_import", **swap})
    await house.settle()
    [sheet] = (await house.ledger.sheets(["grid"], T0, T0 + 60 * MINUTE))["grid"]
    return [(mwh, covered // MINUTE) for mwh, covered in zip(sheet.mwh, sheet.measured_ms, strict=True)]


@pytest.mark.parametrize(("before", "after"), [(45_000.0, 12_000.0), (12_000.0, 45_000.0)])
async def test_with_both_registers_nothing_is_lost(house: MeteredHouse, before: float, after: float) -> None:
    found = await metered(house, before, after, closing=str(before + 0.2), opening=str(after))
    assert found == [(100_000, 15)] * 4


@pytest.mark.parametrize(("before", "after"), [(45_000.0, 12_000.0), (12_000.0, 45_000.0)])
async def test_without_registers_the_span_between_is_missing(house: MeteredHouse, before: float, after: float) -> None:
    found = await metered(house, before, after)
    assert [covered for _, covered in found] == [15, 5, 5, 15]
    assert sum(mwh for mwh, _ in found) == pytest.approx(266_667, abs=2)


async def test_a_sum_is_swapped_by_its_bindings(house: MeteredHouse) -> None:
    await house.ask("POST", "/meter-points", {"id": "grid", "series": ["a.energy_import", "b.energy_import"]})
    with pytest.raises(Invalid, match="closing: a.energy_import, b.energy_import are several registers"):
        await house.ask("POST", "/meter-points/grid/swap", {"at": "2026-03-01", "closing": 5})


async def test_a_register_that_may_fall_by_design_counts_both_ways(house: MeteredHouse) -> None:
    for slug, part in (("taken", "positive"), ("given", "negative")):
        await house.ask("POST", "/meter-points", {"id": slug, "series": "net.energy_import", "part": part})
    for minute, value in ((0, 50.0), (15, 50.3), (30, 49.9), (45, 50.0)):
        await house.store("net", "energy_import", value, T0 + minute * MINUTE)
    await house.settle()
    found = await house.ledger.sheets(["taken", "given"], T0, T0 + 45 * MINUTE)
    assert list(found["taken"][0].mwh) == [300_000, 0, 100_000]
    assert list(found["given"][0].mwh) == [0, 400_000, 0]
