"""The score of a device: what counts how much, what is left out, and real figures of a day on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.errors import NotFound
from ohmstead.core.events import CommandDone
from ohmstead.core.model import DeadLetter, Device, DeviceStatus
from ohmstead.plugins.analytics import health
from ohmstead.plugins.analytics.health import Part, presence, score
from ohmstead.plugins.analytics.health_routes import HealthPlugin
from tests.fakes.audited_house import AuditedHouse

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def parts(*values: float | None) -> list[Part]:
    return [Part(name, value, "so") for name, value in zip(health.WEIGHTS, values, strict=True)]


@pytest.mark.parametrize(("values", "expected"), [
    ((1.0, 1.0, 1.0, 1.0), 100.0), ((0.0, 0.0, 0.0, 0.0), 0.0), ((0.5, 1.0, 1.0, 1.0), 80.0), ((1.0, 0.5, 1.0, 1.0), 85.0),
    ((1.0, 1.0, 0.5, 1.0), 90.0), ((1.0, 1.0, 1.0, 0.5), 95.0), ((0.9, 1.0, 1.0, None), 95.6), ((None, None, 0.9, None), 90.0),
    ((None, None, None, None), None),
])  # fmt: skip
def test_weights(values: tuple[float | None, ...], expected: float | None) -> None:
    found = score(parts(*values))
    assert found["score"] == expected
    assert len(found["left_out"]) == values.count(None)
    assert sum(part["points"] for part in found["parts"]) == pytest.approx(expected or 0, abs=0.21)
    assert not found["parts"] or sum(part["weight"] for part in found["parts"]) == pytest.approx(100, abs=0.21)


@pytest.mark.parametrize(("took_ms", "worth"), [
    ([1000], 1.0), ([1001], 0.8), ([2000], 0.8), ([2001], 0.5), ([5000], 0.5), ([5001], 0.2), ([None], 0.2), ([500, None], 0.6), ([], None),
])  # fmt: skip
def test_response(took_ms: list[int | None], worth: float | None) -> None:
    assert health.response(took_ms).value == (worth if worth is None else pytest.approx(worth))


@pytest.mark.parametrize(("counts", "share"), [
    (dict.fromkeys(range(288), 30), 1.0),  # every 10 s
    (dict.fromkeys(range(216), 30), 0.75),  # silent for the last quarter
    ({span: 30 if span % 2 else 15 for span in range(288)}, 0.75),  # half of them came in every second span
    (dict.fromkeys(range(0, 288, 3), 1), 1.0),  # every quarter of an hour
    (dict.fromkeys(range(0, 144, 3), 1), 0.5),
    ({0: 1, 1: 1}, None),
    ({}, None),
])  # fmt: skip
def test_presence(counts: dict[int, int], share: float | None) -> None:
    assert presence(counts, 288) == (share if share is None else pytest.approx(share, abs=0.01))


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 287), st.integers(1, 500)))
def test_presence_is_a_share(counts: dict[int, int]) -> None:
    assert 0 <= (presence(counts, 288) or 0) <= 1


def test_maintenance_counts_for_nobody() -> None:
    lines = [{"at_ms": 75, "status": "online"}, {"at_ms": 50, "status": "maintenance"}, {"at_ms": 20, "status": "offline"},
             {"at_ms": -5, "status": "error"}]  # fmt: skip
    assert health.uptime(lines, 0, 100).value == pytest.approx(45 / 75)
    assert health.uptime([], 0, 100).value is None
    assert health.uptime([{"at_ms": -5, "status": "maintenance"}], 0, 100).value is None


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AuditedHouse]:
    house = AuditedHouse(storage_url, tmp_path)
    house.hub.plugins.add("health", HealthPlugin(house.hub, house.devices, house.storage, house.clock))
    async with house:
        yield house


async def test_a_device_that_was_never_heard_of(house: AuditedHouse) -> None:
    house.devices.add(Device("D1", "Bulb"))
    await house.devices.saved()
    found = await house.get("/devices/D1/health")
    assert (found["score"], [part["name"] for part in found["left_out"]]) == (None, list(health.WEIGHTS))
    with pytest.raises(NotFound):
        await house.get("/devices/D9/health")


async def test_a_device_of_a_minute(house: AuditedHouse) -> None:
    house.clock.set(1_794_960_061_000)  # a minute into a span of five
    house.devices.add(Device("D1", "Plug"))
    await house.store("D1", "power", 1.0)
    await house.clock.advance(30)
    await house.devices.saved()
    found = await house.get("/devices/D1/health")
    assert [(part["name"], part["value"]) for part in found["parts"]] == [("uptime", 1.0)]
    assert found["start"] == "2026-11-18T00:01:01Z"


async def test_a_day_of_a_device(house: AuditedHouse) -> None:
    house.start()
    clock = house.clock
    begin_ms = clock.now_ms()
    entry = house.devices.add(Device("D1", "Plug", offline_after_s=10**6))
    await house.store("D1", "power", 1.0)
    clock.set(begin_ms + 24 * HOUR_MS)
    batch = house.ingest.batch("test", "test")
    for minute in range(1, 24 * 60):  # of the first and last six hours all is there
        if not 6 * 60 <= minute < 18 * 60:
            assert batch.add(batch.feed("D1"), "power", float(minute), begin_ms + minute * MINUTE_MS) is None
    for number in range(80):
        batch.letters.append(DeadLetter(format="test", address="D1", source="test", reason="odd", raw=b"?", at_ms=begin_ms + number, device="D1"))
    await house.ingest.store(batch)
    for took_ms, result in ((400, "acknowledged"), (1500, "acknowledged"), (10_000, "unconfirmed"), (5, "refused")):
        house.bus.publish(CommandDone("D1", "switch", None, "on", "owner", result, "", took_ms))
    house.devices.decide(entry, DeviceStatus.MAINTENANCE, "looked at")
    await house.devices.saved()
    await house.audit.flush()
    found = await house.get("/devices/D1/health")
    by_name = {part["name"]: part for part in found["parts"]}
    assert by_name["uptime"]["value"] == 1.0
    assert by_name["data_quality"]["value"] == pytest.approx(0.5, abs=0.01)
    assert by_name["errors"]["value"] == pytest.approx(720 / 800, abs=0.002)
    assert by_name["response"]["value"] == pytest.approx((1.0 + 0.8 + 0.2) / 3, abs=0.001)
    assert found["score"] == pytest.approx(40 + 15 + 18 + 6.7, abs=0.5)
    assert "2 of 3 commands" in by_name["response"]["why"]
    assert found["left_out"] == []
    assert (await house.ask("GET", "/telemetry/health")).data == []
    [job] = [job for _, job in house.hub.plugins.collect("ohmstead_jobs", hub=house.hub) if job.name == "health"]
    assert await job.run() == 1
    [all_] = (await house.ask("GET", "/telemetry/health")).data
    assert (all_["device"], all_["score"]) == ("D1", found["score"])


async def test_a_quantity_that_fell_silent_counts_as_missing(house: AuditedHouse) -> None:
    begin_ms = house.clock.now_ms()
    house.devices.add(Device("D1", "Plug", offline_after_s=10**6))
    await house.store("D1", "power", 1.0)
    await house.store("D1", "voltage", 230.0)
    house.clock.set(begin_ms + 48 * HOUR_MS)
    batch = house.ingest.batch("test", "test")
    for minute in range(24 * 60, 48 * 60):
        assert batch.add(batch.feed("D1"), "power", float(minute), begin_ms + minute * MINUTE_MS) is None
    await house.ingest.store(batch)
    await house.devices.saved()
    found = await house.get("/devices/D1/health")
    [quality] = [part for part in found["parts"] if part["name"] == "data_quality"]
    assert (quality["value"], "voltage" in quality["why"]) == (pytest.approx(0.5, abs=0.01), True)
    assert [part["name"] for part in found["left_out"]] == ["response"]
