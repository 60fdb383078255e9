"""The state machine, silence, and clocks that jump."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ohmstead.core.clock import BUILD_MS, ManualClock
from ohmstead.core.errors import Conflict
from ohmstead.core.events import DeviceStatusChanged
from ohmstead.core.model import Device, DeviceStatus, Status
from tests.fakes.registered_house import RegisteredHouse

S = DeviceStatus


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[RegisteredHouse]:
    async with RegisteredHouse(sqlite_url, tmp_path) as house:
        house.devices.add(Device("plug", "Plug"))
        house.start()
        yield house


def status(house: RegisteredHouse, device: str = "plug") -> DeviceStatus:
    return house.devices.entry(device).status


async def test_silence_turns_a_device_offline_and_its_voice_online(house: RegisteredHouse) -> None:
    told: list[DeviceStatusChanged] = []
    house.bus.subscribe(DeviceStatusChanged, told.append)
    assert status(house) is S.UNKNOWN
    await house.store("plug", "power", 7.0)
    assert status(house) is S.ONLINE
    await house.clock.advance(119)
    assert status(house) is S.ONLINE
    await house.clock.advance(3)
    assert status(house) is S.OFFLINE
    await house.store("plug", "power", 8.0)
    assert status(house) is S.ONLINE
    assert [(event.old, event.new, event.reason) for event in told] == [
        (S.UNKNOWN, S.ONLINE, "heard from it"),
        (S.ONLINE, S.OFFLINE, "nothing heard for 120 s"),
        (S.OFFLINE, S.ONLINE, "heard from it"),
    ]


async def test_every_message_puts_the_alarm_off(house: RegisteredHouse) -> None:
    for _ in range(20):
        await house.store("plug", "power", 7.0)
        await house.clock.advance(100)
        assert status(house) is S.ONLINE


async def test_a_device_has_its_own_patience(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    await house.ask("PUT", "/devices/plug", {"offline_after_s": 10})
    await house.clock.advance(12)
    assert status(house) is S.OFFLINE


async def test_maintenance_is_never_swept_nor_ended_by_the_device(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    await house.ask("PUT", "/devices/plug", {"status": "maintenance", "reason": "new fuse"})
    await house.clock.advance(1_000)
    house.devices.report(Status(S.ERROR, message="door open"), "plug")
    await house.store("plug", "power", 7.0)
    assert status(house) is S.MAINTENANCE
    assert (await house.get("/devices/plug/status"))["reason"] == "new fuse"
    await house.ask("PUT", "/devices/plug", {"status": "online"})
    assert status(house) is S.ONLINE
    await house.clock.advance(122)
    assert status(house) is S.OFFLINE


async def test_an_error_stays_until_the_device_says_otherwise_or_falls_silent(house: RegisteredHouse) -> None:
    house.devices.report(Status(S.ERROR, code="E7", message="fan blocked"), "plug")
    await house.store("plug", "power", 7.0)
    shown = await house.get("/devices/plug/status")
    assert (shown["status"], shown["code"], shown["reason"]) == ("error", "E7", "fan blocked")
    house.devices.report(Status(S.ONLINE), "plug")
    assert status(house) is S.ONLINE
    house.devices.report(Status(S.ERROR), "plug")
    await house.clock.advance(125)
    assert status(house) is S.OFFLINE


async def test_a_late_report_moves_nothing(house: RegisteredHouse) -> None:
    now = house.clock.now()
    house.devices.report(Status(S.ONLINE, at=now), "plug")
    house.devices.report(Status(S.OFFLINE, at=now - timedelta(seconds=9)), "plug")
    assert status(house) is S.ONLINE


@pytest.mark.parametrize(
    ("before", "wanted"), [(S.MAINTENANCE, S.ERROR), (S.DECOMMISSIONED, S.MAINTENANCE), (S.UNKNOWN, S.ONLINE), (S.ONLINE, S.UNKNOWN)]
)
async def test_a_person_may_not_ask_for_nonsense(house: RegisteredHouse, before: DeviceStatus, wanted: DeviceStatus) -> None:
    entry = house.devices.entry("plug")
    entry.status = before
    with pytest.raises(Conflict, match="it can be set to"):
        house.devices.decide(entry, wanted, "because")


async def test_a_clock_that_is_set_darkens_nobody(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    house.clock.set(house.clock.now_ms() + 3_600_000)
    await house.clock.advance(60)
    assert status(house) is S.ONLINE
    await house.clock.advance(62)
    assert status(house) is S.OFFLINE


async def test_a_hub_that_boots_in_1970_keeps_its_devices(sqlite_url: str, tmp_path: Path) -> None:
    clock = ManualClock(1_000)
    async with RegisteredHouse(sqlite_url, tmp_path / "old", clock) as house:
        house.start()
        await house.store("plug", "power", 7.0)
        clock.set(BUILD_MS + 86_400_000)
        await clock.advance(5)
        assert status(house) is S.ONLINE
        assert (await house.get("/devices/plug/status"))["last_seen"].startswith("2026")


async def test_after_a_restart_a_device_gets_its_whole_time_to_speak(house: RegisteredHouse, sqlite_url: str, tmp_path: Path) -> None:
    await house.store("plug", "power", 7.0)
    seen = (await house.get("/devices/plug"))["last_seen"]
    await house.devices.close()
    async with RegisteredHouse(sqlite_url, tmp_path, ManualClock(house.clock.now_ms() + 86_400_000)) as later:
        later.start()
        await later.clock.advance(100)
        shown = await later.get("/devices/plug")
        assert (shown["status"], shown["last_seen"]) == ("online", seen)
        await later.clock.advance(22)
        assert status(later) is S.OFFLINE


async def test_the_sweep_looks_only_at_those_whose_alarm_rings(house: RegisteredHouse) -> None:
    for number in range(300):
        await asyncio_store(house, f"d{number}")
    alarms = house.devices.statuses._alarms
    assert len(alarms) == 300
    await house.clock.advance(60)
    assert len(alarms) == 300  # nobody was looked at
    await house.clock.advance(62)
    assert alarms == []


async def asyncio_store(house: RegisteredHouse, device: str) -> None:
    batch = house.ingest.batch("test", "test")
    assert batch.add(batch.feed(device), "power", 1.0) is None
    house.ingest.send(batch)


async def test_the_history_is_pruned(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    await house.devices.saved()
    assert await house.devices.prune(house.clock.now_ms() - 1) == 0
    assert await house.devices.prune(house.clock.now_ms() + 1) == 1
    assert await house.get("/devices/plug/status-history") == []
