"""Rollups that are made anew: in another time zone, and beside readings that have left."""

from __future__ import annotations

from itertools import pairwise
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


def overlapping(rows: Rows) -> list[tuple[int, int]]:
    """Neighbours of one series and resolution that lie over one another, by their starts."""
    sizes = {"rollup_5m": 5 * MINUTE_MS, "rollup_1h": HOUR_MS}
    spans = {table: [(row[0], row[1], row[1] + sizes[table] if table in sizes else row[2]) for row in found] for table, found in rows.items()}
    pairs = [pair for found in spans.values() for pair in pairwise(found)]
    return [(a[1], b[1]) for a, b in pairs if a[0] == b[0] and a[2] > b[1]]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Pacific/Auckland"])
async def test_late_readings_around_a_change_of_zone_leave_no_two_days_over_one_another(house: StoredHouse, zone: str) -> None:
    """Of days 0 to 2 only the day itself is left, of the third nothing, days 4 and 5 are whole; then somebody moves house."""
    await measure(house, 3)
    rest = [("d", "power", 1.0, T0 + 4 * DAY_MS + n * 7 * MINUTE_MS) for n in range(2 * DAY_MS // (7 * MINUTE_MS))]
    await house.store(rest)
    await roll(house, "Europe/Berlin")
    house.clock.set(T0 + 5 * DAY_MS + 367 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy(Keep(raw_days=1, fine_days=367)))
    before = await roll(house, zone)
    assert overlapping(before) == []
    for shift_ms in (0, 3 * HOUR_MS, 11 * HOUR_MS):  # the hours in an order of their own
        for start_ms in range(T0 - DAY_MS + shift_ms, T0 + 7 * DAY_MS, 13 * HOUR_MS):
            await house.store([("d", "power", 7.0, start_ms + 11)])
            assert overlapping(await roll(house, zone)) == [], (start_ms - T0) / HOUR_MS
    after = await roll(house, zone)
    kept = {row[1]: row for row in after["rollup_1d"]}
    assert all(row[1] in kept and kept[row[1]][2] == row[2] and kept[row[1]][-1] >= row[-1] for row in before["rollup_1d"])
    assert len(kept) > len(before["rollup_1d"]), "what came late into no day has one now"


async def test_a_late_reading_into_the_day_that_was_cut_is_counted_in_it(house: StoredHouse) -> None:
    await measure(house)
    await roll(house, "Europe/Berlin")
    house.clock.set(T0 + 3 * DAY_MS + 367 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy(Keep(raw_days=1000, fine_days=367)))
    before = {row[1]: row for row in (await roll(house, "America/New_York"))["rollup_1d"]}
    cut = T0 + 94 * HOUR_MS  # it ends with the day of New York, at 100
    await house.store([("d", "power", 9999.0, cut + MINUTE_MS)])
    after = {row[1]: row for row in (await roll(house, "America/New_York"))["rollup_1d"]}
    assert list(after) == list(before)
    end_ms, _, highest, *_, count = after[cut][2:]
    assert (end_ms, highest, count) == (T0 + 100 * HOUR_MS, 9999.0, before[cut][-1] + 1)
    assert {**after, cut: before[cut]} == before, "and no other day has changed"


async def test_late_readings_never_leave_a_poorer_rollup(house: StoredHouse) -> None:
    """Without anybody who has what left, a bucket stays unless more readings come than it had."""
    await measure(house)
    before = await roll(house, "Europe/Berlin")
    house.clock.set(T0 + 300 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy(Keep(raw_days=1)))
    await house.store([("d", "power", 9999.0, T0 + 1)])
    assert await roll(house, "Europe/Berlin") == before
