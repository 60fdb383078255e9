"""Rollups that are made anew: in another time zone, and beside readings that have left."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.retention import Keep, Policy
from tests.fakes.stored_house import StoredHouse

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
T0 = 1_774_569_600_000  # 2026-03-27T00:00:00Z: the clock goes on in Berlin on the 29th
TABLES = ("rollup_5m", "rollup_1h", "rollup_1d")
Rows = dict[str, list[tuple[Any, ...]]]


async def measure(house: StoredHouse, days: int = 6) -> int:
    await house.store([("d", "power", n * 0.1 + 1 / 3, T0 + n * 7 * MINUTE_MS) for n in range(days * DAY_MS // (7 * MINUTE_MS))])
    return await house.key("d", "power")


async def roll(house: StoredHouse, zone: str) -> Rows:
    await house.storage.rollups.derive(lambda _: zone, T0 * 2)
    return {table: await house.storage.reader.rows(f"SELECT * FROM {table} ORDER BY series_id, start_ms") for table in TABLES}


async def days(house: StoredHouse, key: int, zone: str) -> list[tuple[float, int]]:
    """(hours since the beginning, count) of each day."""
    found = await house.storage.history.buckets(key, Kind.GAUGE, T0 - DAY_MS, T0 + 8 * DAY_MS, "1d", ZoneInfo(zone))
    return [((day.start_ms - T0) / HOUR_MS, day.count) for day in found]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
async def test_another_zone_makes_the_days_it_would_always_have_made(house: StoredHouse, zone: str, tmp_path: Path) -> None:
    async with StoredHouse(f"sqlite:///{tmp_path}/twin", tmp_path / "twin-data") as twin:
        key = await measure(twin)
        expected, shown = await roll(twin, zone), await days(twin, key, zone)
    key = await measure(house)
    assert [start for start, _ in await days(house, key, "Europe/Berlin")] == [-1, 23, 47, 70, 94, 118, 142]
    before = await roll(house, "Europe/Berlin")
    after = await roll(house, zone)
    assert after == expected
    assert before["rollup_5m"] == after["rollup_5m"]
    assert await days(house, key, zone) == shown
    assert await roll(house, "Europe/Berlin") == before


async def test_days_whose_hours_have_left_stay_as_they_were_cut(house: StoredHouse) -> None:
    key = await measure(house)
    await roll(house, "Europe/Berlin")
    house.clock.set(T0 + 3 * DAY_MS + 367 * DAY_MS)  # type: ignore[attr-defined]
    policy = Policy(Keep(raw_days=1, fine_days=367))
    assert await house.storage.retention.run(policy) > 1000
    berlin = await days(house, key, "Europe/Berlin")
    assert [start for start, _ in berlin] == [-1, 23, 47, 70, 94, 118, 142]
    await roll(house, "America/New_York")
    assert (await house.storage.reader.rows("SELECT sum(count) FROM rollup_1d"))[0][0] == sum(count for _, count in berlin)
    kept = await house.storage.reader.rows("SELECT start_ms, end_ms FROM rollup_1d ORDER BY start_ms")
    assert [((start - T0) / HOUR_MS, (end - T0) / HOUR_MS) for start, end in kept] == [
        (-1, 23), (23, 47), (47, 70), (70, 94), (94, 100), (100, 124), (124, 148)]  # fmt: skip
    shown = await days(house, key, "America/New_York")
    assert shown[:4] == berlin[:4], "there is nothing they could be cut anew of"
    assert [start for start, _ in shown[4:]] == [94, 100, 124]
    assert sum(count for _, count in shown) == sum(count for _, count in berlin)


async def test_late_readings_never_leave_a_poorer_rollup(house: StoredHouse) -> None:
    """Without anybody who has what left, a bucket stays unless more readings come than it had."""
    await measure(house)
    before = await roll(house, "Europe/Berlin")
    house.clock.set(T0 + 300 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy(Keep(raw_days=1)))
    await house.store([("d", "power", 9999.0, T0 + 1)])
    assert await roll(house, "Europe/Berlin") == before
