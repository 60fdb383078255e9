"""Live states, telemetry, and what comes back after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Invalid
from ohmstead.core.events import Event, StateChanged, StateReported
from ohmstead.plugins.history.restore import restore
from tests.fakes.registered_house import RegisteredHouse


async def fill(house: RegisteredHouse) -> None:
    for device in ("a", "b", "c"):
        for quantity, value in (("power", 5.0), ("voltage", 230.0), ("switch", "on")):
            await house.store(device, quantity, value)


async def test_states_by_device_and_in_pages(house: RegisteredHouse) -> None:
    await fill(house)
    [power, switch, voltage] = await house.get("/states", device="b")
    at = "2026-11-21T00:00:00Z"
    assert power == {
        "device": "b", "quantity": "power", "value": 5.0, "unit": "W", "at": at, "changed": at, "reported": at, "restored": False,
    }  # fmt: skip
    assert (switch["value"], voltage["unit"]) == ("on", "V")
    found = await house.walk("/states", limit=4)
    assert [f"{state['device']}.{state['quantity']}" for state in found] == sorted(f"{d}.{q}" for d in "abc" for q in ("power", "switch", "voltage"))
    assert await house.get("/states", device="nobody") == []


async def test_telemetry_latest_and_of_a_span(house: RegisteredHouse) -> None:
    await fill(house)
    latest = await house.walk("/telemetry", limit=2)
    assert len(latest) == 9
    assert latest[0] == {"device_id": "a", "quantity": "power", "value": 5.0, "unit": "W", "timestamp": "2026-11-21T00:00:00Z"}
    assert len(await house.get("/telemetry", device_id="a", quantity="power")) == 1
    for age in range(1, 20):
        await house.store("a", "power", float(age), house.clock.now_ms() - age * 1000)
    span = {"device_id": "a", "start": "2026-11-20T00:00:00Z", "end": "2026-11-22T00:00:00Z"}
    found = await house.walk("/telemetry", **span, limit=7)
    assert [reading["quantity"] for reading in found] == ["power"] * 20 + ["switch", "voltage"]
    assert len(await house.walk("/telemetry", **span, quantity="power", limit=19)) == 20
    for wrong in ({"start": span["start"]}, {**span, "cursor": "power@x"}, {**span, "cursor": "nonsense"}, {**span, "start": "2026-11-20"}):
        with pytest.raises(Invalid):
            await house.get("/telemetry", **wrong)


async def test_realtime_and_devices(house: RegisteredHouse) -> None:
    await fill(house)
    [now] = await house.get("/telemetry/realtime", device_id="b")
    readings = {"power": 5.0, "voltage": 230.0, "switch": "on"}
    assert now == {"device_id": "b", "timestamp": "2026-11-21T00:00:00Z", "status": "online", "readings": readings}
    assert [device["device_id"] for device in await house.walk("/telemetry/realtime", limit=1)] == ["a", "b", "c"]
    await house.ask("POST", "/devices", {"id": "silent"})
    found = await house.walk("/telemetry/devices", limit=2)
    assert [device["device_id"] for device in found] == ["a", "b", "c"]
    assert found[0] == {
        "device_id": "a", "name": "a", "status": "online", "last_seen": "2026-11-21T00:00:00Z", "quantities": ["power", "switch", "voltage"],
    }  # fmt: skip


async def test_states_come_back_and_fire_nothing(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    await fill(house)
    house.devices.remove("c")
    await house.devices.saved()
    async with RegisteredHouse(storage_url, tmp_path, ManualClock(house.clock.now_ms() + 5000)) as other:
        told: list[Event] = []
        for kind in (StateChanged, StateReported):
            other.bus.subscribe(kind, told.append)
        assert await restore(other.storage, other.devices, other.ingest) == 6
        assert told == []
        states = await other.get("/states")
        assert {state["device"] for state in states} == {"a", "b"}
        assert all(state["restored"] for state in states)
        await other.store("a", "power", 5.0)
        [power, *_] = await other.get("/states", device="a")
        assert (power["restored"], power["changed"]) == (False, "2026-11-21T00:00:00Z")
        assert len(told) == 1
        assert "c" not in other.devices
