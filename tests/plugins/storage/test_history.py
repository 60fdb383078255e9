"""History: pages, resolutions, counters, deltas, states, retention."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.retention import Keep, Policy
from tests.fakes.stored_house import StoredHouse

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
T0 = 1_794_009_600_000 // DAY_MS * DAY_MS
BERLIN = ZoneInfo("Europe/Berlin")


async def minutes(house: StoredHouse, count: int, quantity: str = "power") -> int:
    await house.store([("d", quantity, float(i), T0 + i * MINUTE_MS) for i in range(count)])
    return await house.key("d", quantity)


@pytest.mark.parametrize("derived", [False, True])
@pytest.mark.parametrize("resolution", ["1m", "5m", "1h", "1d"])
async def test_pages_join_up(house: StoredHouse, resolution: str, derived: bool) -> None:
    key = await minutes(house, 300)
    if derived:
        await house.storage.rollups.derive(lambda _: "Europe/Berlin", T0 * 2)
    whole = await house.storage.history.buckets(key, Kind.GAUGE, T0, T0 + DAY_MS, resolution, BERLIN, 1000)
    paged, after_ms = [], None
    while page := await house.storage.history.buckets(key, Kind.GAUGE, T0, T0 + DAY_MS, resolution, BERLIN, 2, after_ms):
        assert len(page) <= 2
        paged += page
        after_ms = page[-1].start_ms
    assert paged == whole
    assert sum(bucket.count for bucket in whole) == 300


async def test_raw_pages_join_up(house: StoredHouse) -> None:
    key = await minutes(house, 10)
    first = await house.storage.history.raw(key, T0, T0 + DAY_MS, 6)
    rest = await house.storage.history.raw(key, T0, T0 + DAY_MS, 6, after_ms=first[-1][0])
    assert [value for _, value in first + rest] == [float(i) for i in range(10)]


async def test_a_counter_gives_first_and_last(house: StoredHouse) -> None:
    key = await minutes(house, 120, "energy_import")
    found = await house.storage.history.buckets(key, Kind.COUNTER, T0, T0 + DAY_MS, "1h")
    assert [(bucket.first, bucket.last) for bucket in found] == [(0, 59), (60, 119)]


async def test_holes_of_years_are_leapt_over(house: StoredHouse) -> None:
    await house.store([("d", "power", 1.0, T0 - 3000 * DAY_MS), ("d", "power", 2.0, T0)])
    key = await house.key("d", "power")
    found = await house.storage.history.buckets(key, Kind.GAUGE, 0, T0 + 1, "1m", limit=10)
    assert [bucket.last for bucket in found] == [1, 2]


@pytest.mark.parametrize(("function", "wanted"), [("mean", 29.5), ("min", 0), ("max", 59), ("sum", 1770), ("last", 59), ("count", 60)])
async def test_aggregates(house: StoredHouse, function: str, wanted: float) -> None:
    key = await minutes(house, 60)
    assert await house.storage.history.aggregate(key, Kind.GAUGE, function, T0, T0 + HOUR_MS, "1h") == [(T0, wanted)]


async def test_nonsense_is_refused(house: StoredHouse) -> None:
    with pytest.raises(Invalid, match="resolution"):
        await house.storage.history.buckets(1, Kind.GAUGE, 0, 1, "2h")
    with pytest.raises(Invalid, match="raw"):
        await house.storage.history.buckets(1, Kind.TEXT, 0, 1, "1h")
    with pytest.raises(Invalid, match="function"):
        await house.storage.history.aggregate(1, Kind.GAUGE, "median", 0, 1, "1h")


async def test_states_come_back(house: StoredHouse) -> None:
    await house.store([("d", "power", v, T0 + i) for i, v in enumerate([1.0, 2.0, 2.0, 2.0])] + [("d", "mode", "eco", T0)])
    found = {state.address: state for state in await house.storage.restore_states()}
    power = found["d.power"]
    assert (power.value, power.changed_ms, power.updated_ms, power.reported_ms) == (2.0, T0 + 1, T0 + 3, T0 + 3)
    assert found["d.mode"].value == "eco"


async def test_what_is_old_goes_and_rollups_outlive_it(house: StoredHouse) -> None:
    key = await minutes(house, 600)
    await minutes(house, 600, "voltage")
    history, end_ms = house.storage.history, T0 + DAY_MS
    await house.storage.rollups.derive(lambda _: "Europe/Berlin", T0 * 2)
    before = await history.buckets(key, Kind.GAUGE, T0, end_ms, "1h")
    house.clock.set(T0 + 100 * DAY_MS)  # type: ignore[attr-defined]
    forever = Policy(quantities={"voltage": Keep(raw_days=None)})
    assert await house.storage.retention.run(forever) == 600
    assert await history.raw(key, T0, end_ms, 10) == []
    assert len(await house.raw("d", "voltage")) == 600
    assert await history.buckets(key, Kind.GAUGE, T0, end_ms, "1h") == before
    await house.store([("d", "power", 9999.0, T0 + 1)])  # too late to count
    await house.storage.rollups.derive(lambda _: "Europe/Berlin", T0 * 2)
    assert await history.buckets(key, Kind.GAUGE, T0, end_ms, "1h") == before
    house.clock.set(T0 + 400 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy())
    assert await history.buckets(key, Kind.GAUGE, T0, end_ms, "1h") == []
    [day] = await history.buckets(key, Kind.GAUGE, T0, T0 + HOUR_MS, "1d", BERLIN)
    assert day.count == 600
    house.clock.set(T0 + 2000 * DAY_MS)  # type: ignore[attr-defined]
    await house.storage.retention.run(Policy())
    assert await history.buckets(key, Kind.GAUGE, T0, end_ms, "1d", BERLIN) == []


async def test_nothing_goes_while_the_clock_is_not_trusted(house: StoredHouse) -> None:
    await minutes(house, 10)
    house.clock.set(0)  # type: ignore[attr-defined]
    assert await house.storage.retention.run(Policy(Keep(raw_days=0))) == 0


async def test_the_start_of_a_period_is_remembered_over_a_restart(house: StoredHouse) -> None:
    batch = house.ingest.batch("test", "sensor")
    feed = batch.feed("s")
    for from_ms, at_ms in ((T0, T0 + HOUR_MS), (T0 + HOUR_MS, T0 + 2 * HOUR_MS)):
        assert batch.add(feed, "energy", 0.5, at_ms, from_ms) is None
    await house.ingest.store(batch)
    history = house.storage.history
    assert await history.period_start("s", T0 + 2 * HOUR_MS) == T0 + HOUR_MS, "the same again has the same period"
    assert await history.period_start("s", T0 + 3 * HOUR_MS) == T0 + 2 * HOUR_MS
    assert await history.period_start("s", T0) is None
    assert await history.period_start("other", T0 + 3 * HOUR_MS) is None
