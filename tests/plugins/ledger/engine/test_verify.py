"""Verify finds what is not what comes out again, and nothing else; what was known once can be read again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.errors import NotFound
from ohmstead.core.plugin import PeriodRow
from tests.fakes.derived import derived, rebuilt, take_in
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


async def meter(house: MeteredHouse, slug: str, role: str, series: str, **given: Any) -> None:
    await house.ask("POST", "/meter-points", {"id": slug, "role": role, "series": series, **given})


async def run(house: MeteredHouse, device: str, per_hour: float, days: int = 3) -> None:
    await take_in(house, device, "energy_import", [(T0 + number * 10 * MINUTE, 100 + number * per_hour / 6) for number in range(days * 144 + 1)])


async def a_house(house: MeteredHouse) -> None:
    """Grid, PV, a load, an import over some of it, and a correction on top."""
    await meter(house, "grid", "grid_import", "g.energy_import")
    await meter(house, "roof", "pv", "p.energy_import")
    await meter(house, "pump", "heat_pump", "h.energy_import")
    await run(house, "g", 1.5)
    await run(house, "p", 0.75)
    await run(house, "h", 0.6)
    begun = await house.ledger.imports.begin("settled", "grid", "utility.csv", "me")
    await house.ledger.imports.add(begun.made.number, [PeriodRow(T0 + DAY, T0 + 2 * DAY, 40_000_000)])
    await house.ledger.imports.commit(begun.made.number)
    await house.ledger.caught_up(20)


async def verified(house: MeteredHouse, *slugs: str) -> dict[str, Any]:
    return (await house.ask("POST", "/ledger/verify", {"meter_points": list(slugs)} if slugs else {})).data


async def test_a_whole_house_comes_out_again(house: MeteredHouse) -> None:
    await a_house(house)
    found = await verified(house)
    assert found["same"], found
    assert found["meter_points"] == len(house.points)
    before = await derived(house)
    assert await rebuilt(house) == before


async def test_consumption_is_what_comes_in_and_is_made_less_what_leaves(house: MeteredHouse) -> None:
    await a_house(house)
    [first, second, _] = (await house.ledger.rollups(["consumption"], "day", T0, T0 + 3 * DAY))["consumption"]
    assert first.mwh == 36_000_000 + 18_000_000
    assert second.mwh == 40_000_000 + 18_000_000
    assert first.covered_ms == DAY


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        ("UPDATE track_days SET cover = NULL, energy = (SELECT energy FROM layer_days LIMIT 1) WHERE binding_id = 1 AND day = {day}", "live"),
        ("UPDATE energy_rollups SET mwh = mwh + 1 WHERE resolution = 'month'", "month"),
        ("DELETE FROM energy_rollups WHERE resolution = 'hour' AND start_ms = {start}", "hour"),
        ("DELETE FROM layer_days", "settled"),
    ],
)
async def test_what_was_tampered_with_is_named(house: MeteredHouse, spoil: str, what: str) -> None:
    await a_house(house)

    async def work(tx: AsyncConnection) -> None:
        await tx.execute(text(spoil.format(day=T0 // DAY, start=T0)))

    await house.storage.write(work)
    found = await verified(house)
    assert not found["same"]
    assert what in {each["what"] for each in found["differences"]}


async def test_one_meter_point_and_one_that_is_not_there(house: MeteredHouse) -> None:
    await a_house(house)
    assert (await verified(house, "grid"))["meter_points"] == 1
    with pytest.raises(NotFound, match="no meter point"):
        await verified(house, "grit")


async def test_what_was_known_before_the_utility_settled(house: MeteredHouse) -> None:
    await meter(house, "grid", "grid_import", "g.energy_import")
    await run(house, "g", 1.5)
    before_ms = house.clock.now_ms()
    await house.devices.saved()
    await house.ledger.caught_up(20)  # a write that waits would give up after these sixty seconds
    await house.clock.advance(60)  # type: ignore[attr-defined]
    begun = await house.ledger.imports.begin("settled", "grid", "utility.csv", "me")
    await house.ledger.imports.add(begun.made.number, [PeriodRow(T0, T0 + DAY, 40_000_000)])
    await house.ledger.imports.commit(begun.made.number)
    await house.ledger.caught_up(20)

    async def total(known_at_ms: int | None) -> int:
        sheets = await house.ledger.sheets(["grid"], T0, T0 + DAY, known_at_ms)
        return sum(sum(sheet.mwh) for sheet in sheets["grid"])

    assert (await total(None), await total(before_ms), await total(house.clock.now_ms())) == (40_000_000, 36_000_000, 40_000_000)


async def test_tariff_registers_beside_the_total(house: MeteredHouse) -> None:
    await meter(house, "grid", "grid_import", "g.energy_import")
    await run(house, "g", 1.5)
    await take_in(house, "g", "energy_import_t1", [(T0 + hour * HOUR, 100.0 + hour) for hour in range(25)])
    await take_in(house, "g", "energy_import_t2", [(T0 + hour * HOUR, 100.0 + hour * 0.5) for hour in range(25)])
    await house.ledger.caught_up(20)
    found = await house.ledger.registers("grid", T0, T0 + DAY)
    assert {name: sum(sum(sheet.mwh) for sheet in sheets) for name, sheets in found.items()} == {"t1": 24_000_000, "t2": 12_000_000}
    [sheet] = (await house.ledger.sheets(["grid"], T0, T0 + DAY))["grid"]
    assert sum(sheet.mwh) == 36_000_000
    assert (await verified(house))["same"]
