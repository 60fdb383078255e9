"""Laws: rollups sum to raw, order and repetition do not matter, buckets tile time in every zone."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import to_ms
from ohmstead.core.quantity import Kind
from ohmstead.plugins.storage.buckets import RESOLUTIONS, Bucket, spans
from tests.fakes.stored_house import StoredHouse

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns"]
AUTUMN = to_ms(datetime(2025, 10, 26, tzinfo=ZoneInfo("Europe/Berlin")))  # 25 hours
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NUMBER = itertools.count()

instants = st.integers(AUTUMN - DAY_MS, AUTUMN + 2 * DAY_MS)
readings = st.dictionaries(instants, st.integers(-1000, 1000).map(float), min_size=1, max_size=60)
shared = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(start=st.integers(0, 4_000_000_000_000), length=st.integers(1, 40 * DAY_MS), zone=st.sampled_from(ZONES), resolution=st.sampled_from(RESOLUTIONS))
@settings(max_examples=150, deadline=None)
def test_buckets_tile_time(start: int, length: int, zone: str, resolution: str) -> None:
    length = min(length, DAY_MS) if resolution in ("1m", "5m") else length
    found = list(spans(resolution, ZoneInfo(zone), start, start + length))
    assert found[0][0] <= start < found[0][1]
    assert found[-1][0] < start + length <= found[-1][1]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
    sizes = {end - begin for begin, end in found}
    if resolution == "1d":
        assert all(22 * HOUR_MS <= size <= 26 * HOUR_MS for size in sizes)
    if resolution == "1h":
        assert all(0 < size <= HOUR_MS for size in sizes)


@pytest.mark.parametrize(("day", "zone", "hours"), [
    ("2025-10-26", "Europe/Berlin", 25), ("2025-03-30", "Europe/Berlin", 23), ("2025-07-01", "Europe/Berlin", 24),
    ("2025-04-06", "Australia/Lord_Howe", 24.5), ("2025-10-05", "Australia/Lord_Howe", 23.5), ("2018-11-04", "America/Sao_Paulo", 23),
])  # fmt: skip
def test_a_day_is_as_long_as_it_is(day: str, zone: str, hours: float) -> None:
    noon = to_ms(datetime.fromisoformat(day + "T12:00").replace(tzinfo=ZoneInfo(zone)))
    [(start, end)] = spans("1d", ZoneInfo(zone), noon, noon + 1)
    assert (end - start) / HOUR_MS == hours
    inside = list(spans("1h", ZoneInfo(zone), start, end))
    assert (inside[0][0], inside[-1][1]) == (start, end)
    assert len(inside) == -(-hours // 1)


@given(first=readings, late=readings, zone=st.sampled_from(ZONES), asked=st.sampled_from(ZONES))
@example(first={AUTUMN - DAY_MS: 0.0}, late={AUTUMN + 14 * HOUR_MS: 1.0}, zone="Australia/Lord_Howe", asked="America/St_Johns")
@shared
async def test_rollups_sum_to_raw(house: StoredHouse, first: dict[int, float], late: dict[int, float], zone: str, asked: str) -> None:
    device = f"d{next(NUMBER)}"
    for part in (first, late):
        await house.store([(device, "power", value, at_ms) for at_ms, value in part.items()])
        await check(house, device, ZoneInfo(asked))
        await house.storage.rollups.derive(lambda _: zone, AUTUMN * 2)
        await check(house, device, ZoneInfo(asked))


async def check(house: StoredHouse, device: str, zone: ZoneInfo) -> None:
    raw = await house.raw(device, "power")
    key = await house.key(device, "power")
    for resolution in RESOLUTIONS[1:]:
        low, high = raw[0][0], raw[-1][0] + 1
        found = await house.storage.history.buckets(key, Kind.GAUGE, low, high, resolution, zone, 100_000)
        assert found == expected(raw, resolution, zone)  # type: ignore[arg-type]


def expected(raw: list[tuple[int, float]], resolution: str, zone: ZoneInfo) -> list[Bucket]:
    made = []
    for start, end in spans(resolution, zone, raw[0][0], raw[-1][0] + 1):
        if values := [value for at_ms, value in raw if start <= at_ms < end]:
            made.append(Bucket(start, min(values), max(values), sum(values), None, values[-1], len(values)))
    return made


@given(data=readings, seed=st.randoms())
@shared
async def test_order_and_repetition_do_not_matter(house: StoredHouse, data: dict[int, float], seed: object) -> None:
    device = f"d{next(NUMBER)}"
    rows = [(device, "power", value, at_ms) for at_ms, value in data.items()] * 2
    seed.shuffle(rows)  # type: ignore[attr-defined]
    for place in range(0, len(rows), 17):
        await house.store(rows[place : place + 17])
    assert await house.raw(device, "power") == sorted(data.items())
    assert [row.at_ms for row in house.stored if row.series.device == device].__len__() == len(data)
    assert await house.storage.letters.list() == []
