"""However readings come in, the same is derived, byte for byte."""

from __future__ import annotations

import random

import pytest

from ohmstead.plugins.ledger.events import LedgerChanged
from ohmstead.plugins.ledger.sheet import Layer
from tests.fakes.derived import derived, rebuilt, take_in
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def steady(days: int, every_ms: int = 10 * MINUTE, step: float = 0.1) -> list[tuple[int, float]]:
    """A register that rises evenly."""
    return [(T0 + number * every_ms, round(100 + number * step, 3)) for number in range(days * DAY // every_ms + 1)]


def odd(days: int) -> list[tuple[int, float]]:
    """One with a spike, a glitch, a reset and a gap."""
    readings = steady(days)
    readings[30] = readings[30][0], 900_000.0
    readings[150] = readings[150][0], 0.0
    readings[200:220] = []
    return [(at_ms, value if number < 300 else round(value - 130, 3)) for number, (at_ms, value) in enumerate(readings)]


async def meter(house: MeteredHouse, slug: str = "flat", series: object = "m.energy_import", **given: object) -> None:
    await house.ask("POST", "/meter-points", {"id": slug, "role": "load", "series": series, **given})


async def test_slots_and_rollups_follow_the_readings(house: MeteredHouse) -> None:
    await meter(house)
    heard: list[tuple[str, int, int]] = []
    house.bus.subscribe(LedgerChanged, lambda event: heard.extend(event.changes))
    await take_in(house, "m", "energy_import", steady(2))
    await house.ledger.caught_up(20)
    [sheet] = (await house.ledger.sheets(["flat"], T0, T0 + 2 * DAY))["flat"]
    assert sum(sheet.mwh) == 28_800_000
    assert set(sheet.mwh) == {150_000}
    assert set(sheet.measured_ms) == {900_000}
    assert set(sheet.source) == {Layer.LIVE}
    first, second = (await house.ledger.rollups(["flat"], "day", T0, T0 + 2 * DAY))["flat"]
    assert (first.mwh, second.start_ms, second.covered_ms) == (14_400_000, T0 + DAY, DAY)
    assert (first.peak_15_mwh, first.peak_60_mwh, first.peak_60_ms) == (150_000, 600_000, T0)
    [month] = (await house.ledger.rollups(["flat"], "month", T0, T0 + DAY))["flat"]
    assert (month.start_ms, month.mwh, month.covered_ms) == (T0, 28_800_000, 2 * DAY)
    assert {slug for slug, _, _ in heard} == {"flat"}
    assert min(start for _, start, _ in heard) <= T0


async def test_a_volume_has_rollups_and_no_power(house: MeteredHouse) -> None:
    """0.25 m³ in every quarter of an hour: 1 m³/h, which is not 1 kW."""
    await house.ask("POST", "/meter-points", {"id": "gas", "role": "gas", "series": "m.gas"})
    await meter(house)
    for quantity in ("gas", "energy_import"):
        await take_in(house, "m", quantity, [(T0 + n * 15 * MINUTE, n * 0.25) for n in range(97)])
    await house.ledger.caught_up(20)
    span = {"start": "2026-03-01T00:00Z", "end": "2026-03-02T00:00Z"}
    for resolution in ("hour", "day"):
        found = [await house.get(f"/meter-points/{slug}/intervals", resolution=resolution, **span) for slug in ("gas", "flat")]
        for gas, energy in zip(*found, strict=True):
            assert gas["kwh"] == energy["kwh"] == ("1.000000" if resolution == "hour" else "24.000000")
            assert (energy["peak_15_kw"], energy["peak_60_kw"], energy["peak_60_at"]) == ("1.000000", "1.000000", energy["start"])
            assert [gas[f"peak_{minutes}_{what}"] for minutes in (15, 60) for what in ("kw", "at")] == [None] * 4


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_and_repeats_give_the_same_bytes(house: MeteredHouse, seed: int) -> None:
    await meter(house)
    readings = odd(6)
    rng = random.Random(seed)
    lots = [readings[place : place + 40] for place in range(0, len(readings), 40)]
    rng.shuffle(lots)
    for number, lot in enumerate(lots):
        await take_in(house, "m", "energy_import", rng.sample(lot, len(lot)) + lot[:5])
        if number % 3 == seed:
            await house.ledger.caught_up(20)
    before = await derived(house)
    assert before["verdicts"]
    assert await rebuilt(house) == before


async def test_every_prefix_is_what_a_rebuild_gives(sqlite_house: MeteredHouse) -> None:
    house = sqlite_house
    await meter(house)
    readings = odd(4)
    for place in range(0, len(readings), 61):
        await take_in(house, "m", "energy_import", readings[place : place + 61])
        before = await derived(house)
        assert await rebuilt(house) == before


async def test_a_late_reading_far_back_stops_where_all_is_as_it_was(house: MeteredHouse) -> None:
    await meter(house, series="m.power")
    readings = [(T0 + number * 5 * MINUTE, float(number % 50 * 10)) for number in range(40 * 288)]
    late = readings.pop(7 * 288 + 100)
    await take_in(house, "m", "power", readings)
    await house.ledger.caught_up(20)
    heard: list[tuple[str, int, int]] = []
    house.bus.subscribe(LedgerChanged, lambda event: heard.extend(event.changes))
    await take_in(house, "m", "power", [late])
    before = await derived(house)
    assert max(end for _, _, end in heard) <= T0 + 9 * DAY
    assert await rebuilt(house) == before


async def test_late_and_live_at_once(house: MeteredHouse) -> None:
    await meter(house)
    readings = steady(20)
    late, live = [readings.pop(500)], readings[-50:]
    await take_in(house, "m", "energy_import", readings[:-50])
    await house.ledger.caught_up(20)
    await take_in(house, "m", "energy_import", [*late, *live])
    before = await derived(house)
    assert await rebuilt(house) == before
    [sheet] = (await house.ledger.sheets(["flat"], T0, T0 + 20 * DAY))["flat"]
    assert sum(sheet.mwh) == 288_000_000


async def test_what_comes_once_a_series_is_being_derived_leaves_a_mark_of_its_own(house: MeteredHouse) -> None:
    """Else a series that never ceases is derived again and again from where its day began."""
    await meter(house)
    await take_in(house, "m", "energy_import", steady(1)[:100])
    await house.ledger.caught_up(20)
    marks, [[series]] = house.ledger.marks, await house.storage.reader.rows("SELECT id FROM series WHERE quantity = 'energy_import'")
    lots = [steady(1)[place : place + 10] for place in (100, 110, 120)]
    async with house.ledger.deriver.turn:  # as if a portion went on meanwhile
        await take_in(house, "m", "energy_import", lots[0])
        marks.reached(series)
        await take_in(house, "m", "energy_import", lots[1])
        marks.begin()
        await take_in(house, "m", "energy_import", lots[2])
        found = await house.storage.reader.rows("SELECT from_ms, generation FROM ledger_marks ORDER BY round")
        assert found == [(lots[0][0][0], 1), (lots[1][0][0], 2)]
    await house.ledger.caught_up(20)
    assert await house.storage.reader.rows("SELECT 1 FROM ledger_marks") == []
    assert await derived(house) == await rebuilt(house)


async def test_sparse_readings_and_a_late_one(house: MeteredHouse) -> None:
    await meter(house)
    readings = [(T0 + number * DAY * 3, 100.0 + number) for number in range(60)]
    late = readings.pop(10)
    await take_in(house, "m", "energy_import", readings)
    await house.ledger.caught_up(20)
    await take_in(house, "m", "energy_import", [late])
    before = await derived(house)
    assert await rebuilt(house) == before


async def test_a_sum_of_phases(house: MeteredHouse) -> None:
    await meter(house, series=["m.power_l1", "m.power_l2", "m.power_l3"])
    for phase, power in (("power_l1", 100.0), ("power_l2", 200.0), ("power_l3", 300.0)):
        await take_in(house, "m", phase, [(T0 + number * MINUTE, power) for number in range(0, 25 * 60, 10)])
    before = await derived(house)
    [sheet] = (await house.ledger.sheets(["flat"], T0, T0 + DAY))["flat"]
    assert set(sheet.mwh) == {150_000}
    assert await rebuilt(house) == before


async def test_deltas(house: MeteredHouse) -> None:
    await meter(house, series="m.energy")
    for number in range(200):
        await house.store("m", "energy", 0.25, T0 + (number + 1) * 15 * MINUTE, T0 + number * 15 * MINUTE)
    await house.store("m", "energy", 2.0, T0 + 2 * HOUR, T0 + HOUR)
    before = await derived(house)
    [sheet] = (await house.ledger.sheets(["flat"], T0, T0 + DAY))["flat"]
    assert list(sheet.mwh) == [250_000] * 96
    assert [row[4] for row in before["verdicts"]] == ["overlap"]
    assert await rebuilt(house) == before


async def test_what_a_binding_measured_goes_with_it(house: MeteredHouse) -> None:
    await meter(house)
    await take_in(house, "m", "energy_import", steady(3))
    await house.ledger.caught_up(20)
    [binding] = (await house.get("/meter-points/flat"))["bindings"]
    await house.ask("DELETE", f"/meter-points/flat/bindings/{binding['number']}")
    found = await derived(house)
    assert not any(found.values())
