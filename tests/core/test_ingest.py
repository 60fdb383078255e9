from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Rejected, Unavailable
from ohmstead.core.events import DeadLettered, SeriesAdded, StateChanged
from ohmstead.core.ingest import MAX_SERIES_PER_DEVICE, RAW_LIMIT
from ohmstead.core.quantity import Kind, Quantity
from tests.fakes.house import small_house


async def test_a_reading_becomes_state_and_goes_to_the_store(tmp_path: Path) -> None:
    hub, store, registry = small_house(tmp_path)
    added, changed, settled = [], [], []
    hub.bus.subscribe(SeriesAdded, lambda event: added.append(event.series.address))
    hub.bus.subscribe(StateChanged, changed.append)
    batch = hub.ingest.batch("test", "telemetry")
    feed = batch.feed("D1")
    assert batch.add(feed, "power", 195, 1000) is None
    assert batch.add(feed, "mode", "eco") is None
    assert batch.add(feed, "energy", 0.25, 900_000, 0) is None
    batch.on_settled(settled.append)
    await hub.ingest.store(batch)
    assert added == ["D1.power", "D1.mode", "D1.energy"]
    assert [(row.series.quantity, row.at_ms, row.value, row.from_ms) for row in store.rows] == [
        ("power", 1000, 195.0, None), ("energy", 900_000, 0.25, 0), ("mode", hub.clock.now_ms(), "eco", None),
    ]  # fmt: skip
    assert [event.new.series.quantity for event in changed] == ["power", "mode"]
    assert settled == [None]
    assert registry.heard_of == ["D1"]
    assert (hub.ingest.readings, hub.ingest.batches, batch.size) == (3, 1, 3)


@pytest.mark.parametrize(
    ("quantity", "value", "at_ms", "from_ms", "reason"),
    [
        ("ozone", 1.0, None, None, "unknown quantity 'ozone'"),
        ("power", "12", None, None, "power must be a number, not '12'"),
        ("power", True, None, None, "power must be a number, not True"),
        ("power", None, None, None, "must be a number, not None"),
        ("power", [1] * 100, None, None, "must be a number, not .*…"),
        ("power", float("nan"), None, None, "outside"),
        ("power", float("inf"), None, None, "outside"),
        ("voltage", -1.0, None, None, "voltage -1 V is outside 0 … 1000"),
        ("temperature", 61.0, None, None, "temperature 61 °C is outside 0 … 60"),
        ("mode", 3, None, None, "mode is a text"),
        ("energy", 1.0, 1000, None, "needs the start"),
        ("energy", 1.0, 1000, 1000, "needs the start"),
        ("energy", 1.0, 1000, -62_135_647_200_000, "needs the start"),
        ("power", 1.0, -62_135_647_200_000, None, "time is in no calendar"),
    ],
)
async def test_what_is_refused_says_why(tmp_path: Path, quantity: str, value: object, at_ms: int | None, from_ms: int | None, reason: str) -> None:
    hub, _, _ = small_house(tmp_path)
    batch = hub.ingest.batch("test", "telemetry")
    refusal = batch.add(batch.feed("D1"), quantity, value, at_ms, from_ms)
    assert refusal is not None
    assert re.search(reason, refusal)
    assert batch.size == 0


async def test_the_far_future_is_refused_only_while_the_clock_is_trusted(tmp_path: Path) -> None:
    clock = ManualClock()
    hub, _, _ = small_house(tmp_path, clock)
    batch = hub.ingest.batch("test", "telemetry")
    feed = batch.feed("D1")
    assert batch.add(feed, "power", 1.0, clock.now_ms() + 299_000) is None
    assert batch.add(feed, "power", 1.0, clock.now_ms() + 601_000) == "time is 10 min in the future"
    clock.set(0)
    early = hub.ingest.batch("test", "telemetry")
    assert early.add(feed, "power", 1.0, 1_800_000_000_000) is None
    assert early.add(feed, "power", 1.0, 253_402_351_199_000) == "time is in no calendar"  # 9999-12-31T23:59:59-14:00


async def test_refused_things_are_counted_and_told(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    told = []
    hub.bus.subscribe(DeadLettered, told.append)
    batch = hub.ingest.batch("mqtt", "telemetry")
    with pytest.raises(Rejected, match="unknown"):
        batch.feed("stranger")
    batch.refuse("device is unknown", b"x" * 100_000, "devices/stranger/telemetry", "stranger")
    batch.refuse("not JSON", b"{", format="readings")
    hub.ingest.send(batch)
    assert [letter.format for letter in store.letters] == ["telemetry", "readings"]
    assert len(store.letters[0].raw) == RAW_LIMIT
    assert told == [DeadLettered("mqtt", "device is unknown", 2)]
    assert hub.ingest.refused == 2


async def test_an_import_never_touches_the_live_state(tmp_path: Path) -> None:
    hub, store, registry = small_house(tmp_path)
    batch = hub.ingest.batch("import", "csv", live=False)
    batch.add(batch.feed("D1"), "power", 1.0, 1000)
    hub.ingest.send(batch)
    assert len(store.rows) == 1
    assert len(hub.states) == 0
    assert not registry.heard_of


async def test_a_retained_message_only_seeds(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    batch = hub.ingest.batch("mqtt", "telemetry")
    feed = batch.feed("D1")
    assert batch.seed(feed, "power", 5.0) is None
    assert batch.seed(feed, "mode", "eco") is None
    assert "outside" in (batch.seed(feed, "power", 1e12) or "")
    hub.ingest.send(batch)
    assert not store.rows
    assert {state.value for state in hub.states} == {5.0, "eco"}


async def test_a_device_has_a_bounded_number_of_series(tmp_path: Path) -> None:
    hub, _, _ = small_house(tmp_path)
    for number in range(MAX_SERIES_PER_DEVICE + 1):
        hub.quantities.add(Quantity(f"q{number}", "", Kind.GAUGE, "one of many"))
    batch = hub.ingest.batch("test", "telemetry")
    feed = batch.feed("D1")
    reasons = [batch.add(feed, f"q{number}", 1.0) for number in range(MAX_SERIES_PER_DEVICE + 1)]
    assert reasons[:-1] == [None] * MAX_SERIES_PER_DEVICE
    assert reasons[-1] == f"device D1 has {MAX_SERIES_PER_DEVICE} quantities already"
    assert hub.ingest.series(feed, "q0") is hub.ingest.series(feed, "q0")
    hub.ingest.drop("D1")
    assert hub.ingest.feed("D1", "test") is not feed


async def test_a_full_store_slows_its_senders_and_forgets_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    hub, store, _ = small_house(tmp_path, clock)
    await hub.ingest.room(within_s=1)
    store.bound, store.held = 1, []
    batch = hub.ingest.batch("http", "telemetry")
    batch.add(batch.feed("D1"), "power", 1.0)
    storing = asyncio.create_task(hub.ingest.store(batch, within_s=10))
    waiting = asyncio.create_task(hub.ingest.room(within_s=2))
    patient = asyncio.create_task(hub.ingest.room())
    await clock.advance(3)
    with pytest.raises(Unavailable, match="storage does not keep up") as caught:
        await waiting
    assert caught.value.retry_after_s == 5
    await clock.advance(8)
    with pytest.raises(Unavailable):
        await storing
    store.release()
    await patient
    assert [row.value for row in store.rows] == [1.0]


async def test_a_batch_that_is_given_up_raises_in_its_sender(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    store.held = []
    batch = hub.ingest.batch("http", "telemetry")
    storing = asyncio.create_task(hub.ingest.store(batch))
    await asyncio.sleep(0)
    batch.settle(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await storing


async def test_a_decoder_replays_a_dead_letter(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    batch = hub.ingest.batch("shelly:plug", "reading")
    hub.ingest.decoders["reading"](batch, "plug", msgspec.json.encode({"quantity": "power", "value": 7.0, "at": "2026-02-07T11:26:00Z"}))
    hub.ingest.send(batch)
    assert [(row.series.address, row.value) for row in store.rows] == [("plug.power", 7.0)]
