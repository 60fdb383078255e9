"""Imports of years are laid in spans that fit into memory, with what reaches over their borders, and periods of years count."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import PeriodRow, RegisterRow
from ohmstead.plugins.ledger.engine.echo import MOST_MS
from ohmstead.plugins.ledger.events import LedgerChanged
from tests.fakes.metered_house import MeteredHouse

T0 = 1_735_689_600_000  # 2025-01-01T00:00:00Z
DAY = 86_400_000
MWH = 1_000_000


async def brought(house: MeteredHouse, kind: str, rows: list[PeriodRow | RegisterRow]) -> None:
    begun = await house.ledger.imports.begin(kind, "grid", "utility", "test")
    await house.ledger.imports.add(begun.made.number, rows)
    await house.ledger.imports.commit(begun.made.number)


async def days(house: MeteredHouse, first: int, last: int) -> list[int]:
    found = (await house.ledger.rollups(["grid"], "day", T0 + first * DAY, T0 + last * DAY))["grid"]
    assert all(row.covered_ms == DAY for row in found)
    return [row.mwh for row in found]


def spans(first: int, last: int, step: int, mwh: int) -> list[PeriodRow | RegisterRow]:
    """Periods of `step` days, of `mwh` a day."""
    return [PeriodRow(T0 + day * DAY, T0 + (day + step) * DAY, step * mwh) for day in range(first, last, step)]


async def test_a_long_import_is_laid_in_spans_and_nothing_is_left_out(storage_url: str, tmp_path: Path) -> None:
    async with MeteredHouse(storage_url, tmp_path, start=False) as house:
        await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import"})
        await brought(house, "settled", spans(0, 203, 7, 24 * MWH))  # weeks, so that some lie on both sides of a border
        portions = 0
        while await house.ledger.deriver.portion() is not None:
            portions += 1
            async with house.storage.read() as connection:
                most = (await connection.execute(text("SELECT max(day) - min(day) FROM layer_days"))).scalar_one()
            assert most is None or most <= portions * (MOST_MS // DAY + 7)
        assert portions > 203 * DAY // MOST_MS
        assert await days(house, 0, 203) == [24 * MWH] * 203


async def test_a_period_of_years_reaches_into_each_span(house: MeteredHouse) -> None:
    await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import"})
    await brought(house, "settled", spans(0, 500, 500, 10 * MWH))
    await brought(house, "settled", spans(300, 301, 1, 20 * MWH))
    await house.ledger.caught_up(20)
    found = await days(house, 0, 500)
    assert found[300] == 20 * MWH
    assert sum(found) == 5000 * MWH
    assert max(found[:300] + found[301:]) - min(found) <= 1


async def test_one_step_over_all_spans_is_laid_once(storage_url: str, tmp_path: Path) -> None:
    async with MeteredHouse(storage_url, tmp_path, start=False) as house:
        await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import"})
        await brought(house, "manual", [RegisterRow(T0, 7 * MWH), RegisterRow(T0 + 400 * DAY, 807 * MWH)])
        await brought(house, "manual", [RegisterRow(T0 + 401 * DAY, 809 * MWH)])
        laid: list[str] = []
        house.bus.subscribe(LedgerChanged, lambda event: laid.extend(slug for slug, _, _ in event.changes))
        while await house.ledger.deriver.portion() is not None:
            pass
        assert laid.count("grid") == 2  # each step once, and not the long one for each span
        assert set(await days(house, 0, 401)) == {2 * MWH}


@pytest.mark.parametrize("at_ms", [-1, -62_135_596_800_000, 4_102_444_800_001, 253_370_764_800_000])
async def test_a_year_nobody_meant_is_refused(house: MeteredHouse, at_ms: int) -> None:
    """A slip of the pen would have the ledger fill thousands of years."""
    await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import"})
    begun = await house.ledger.imports.begin("manual", "grid", "utility", "test")
    for row in (RegisterRow(at_ms, 5, place="line 2"), PeriodRow(at_ms - 1000, at_ms, 5, place="line 2")):
        with pytest.raises(Invalid, match="line 2: .* expected 1970 to 2099"):
            await house.ledger.imports.add(begun.made.number, [row])
