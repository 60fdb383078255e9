"""Who may come in, what is kept of it, and what is not."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from ohmstead.core.errors import Conflict, Forbidden, Invalid, Rejected
from ohmstead.core.events import DeviceChanged
from ohmstead.core.model import Device, DeviceInfo, DeviceStatus, Status
from tests.fakes.registered_house import RegisteredHouse


async def test_a_device_makes_itself_by_its_first_valid_message_and_is_stored_with_it(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    await house.store("plug", "power", 7.0)
    async with RegisteredHouse(storage_url, tmp_path) as other:  # what a kill -9 right after the commit would find
        entry = other.devices.entry("plug")
        assert (entry.device.origin, entry.device.location, entry.status) == ("auto", "home", DeviceStatus.ONLINE)
        assert [line["status"] for line in await other.get("/devices/plug/status-history")] == ["online"]


async def test_the_journal_leaves_the_writer_alone_when_nothing_is_new(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    assert house.devices.admission.failed() == []
    await house.devices.saved()
    assert house.storage._writer.joins == ()


async def test_one_of_which_nothing_valid_comes_is_dropped_again(house: RegisteredHouse) -> None:
    house.start()
    batch = house.ingest.batch("test", "test")
    batch.refuse(str(batch.add(batch.feed("typo"), "power", "much")), b"{}")
    await house.ingest.store(batch)
    assert "typo" in house.devices
    assert await house.get("/devices") == []
    await house.clock.advance(700)
    assert "typo" not in house.devices
    assert house.devices.find("typo") is None


async def test_the_trial_of_one_that_was_removed_does_not_end_the_next_of_its_id(house: RegisteredHouse) -> None:
    house.start()
    house.devices.admit("plug", "test")
    await house.ask("DELETE", "/devices/plug")
    made = await house.ask("POST", "/devices", {"id": "plug"})
    await house.clock.advance(700)
    assert "plug" in house.devices
    assert house.devices.verify("plug", made.data["secret"])


async def test_one_on_trial_that_a_person_speaks_of_stays(house: RegisteredHouse) -> None:
    house.start()
    house.devices.admit("noisy", "test")
    await house.ask("PUT", "/devices/noisy", {"status": "decommissioned"})
    await house.clock.advance(700)
    assert (await house.get("/devices/noisy"))["status"] == "decommissioned"


async def test_auto_registration_can_be_switched_off(house: RegisteredHouse) -> None:
    house.devices.admission.enabled = False
    with pytest.raises(Forbidden, match="auto-registration is off"):
        house.devices.admit("plug", "test")


@pytest.mark.parametrize("device", ["", "a b", "../../etc", "x" * 65, "ü", "-a"])
async def test_an_id_that_is_none_is_refused(house: RegisteredHouse, device: str) -> None:
    with pytest.raises(Invalid, match="is no device id"):
        house.devices.admit(device, "test")


async def test_a_million_ids_from_one_sender_hit_the_limit_in_constant_memory(sqlite_url: str, tmp_path: Path) -> None:
    async with RegisteredHouse(sqlite_url, tmp_path) as house:
        reasons = _flood(house, 0, 10_000)
        assert reasons == {"unknown device …: 1000 devices registered themselves already (registry → auto_limit)"}
        gc.collect()
        tracemalloc.start()
        _flood(house, 10_000, 20_000)
        before = tracemalloc.get_traced_memory()[0]
        _flood(house, 20_000, 60_000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
        tracemalloc.stop()
        _flood(house, 60_000, 1_000_000)
        assert len(house.devices) == 1000
        assert house.devices.admission.refused == 999_000
        house.devices.add(Device("mine", "Mine"))  # what a person makes is not counted
        assert len(house.devices) == 1001


def _flood(house: RegisteredHouse, first: int, end: int) -> set[str]:
    reasons: set[str] = set()
    for number in range(first, end):
        try:
            house.ingest.feed(f"d{number}", "mqtt")
        except Rejected as error:
            if number % 1000 == 0:
                reasons.add(str(error).replace(f"'d{number}'", "…"))
    return reasons


async def test_new_devices_are_limited_per_minute_too(house: RegisteredHouse) -> None:
    house.devices.admission.limit = 100_000
    for number in range(1000):
        house.devices.admit(f"d{number}", "mqtt")
    with pytest.raises(Forbidden, match="within this minute"):
        house.devices.admit("one-more", "mqtt")
    await house.clock.advance(60)
    house.devices.admit("one-more", "mqtt")


async def test_what_a_gateway_announces_is_there_behind_it(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    house.devices.add(Device("gateway", "Gateway"))
    house.devices.announce(DeviceInfo("valve", "Valve", "thermostat", model="V\0 1", tags=("heat",)), "gateway")
    house.devices.announce(DeviceInfo(firmware="1.2", name="ignored, a person named it"), "gateway")
    await house.devices.saved()
    async with RegisteredHouse(storage_url, tmp_path) as other:
        valve = other.devices.entry("valve").device
        assert (valve.name, valve.kind, valve.via, valve.tags) == ("Valve", "thermostat", "gateway", ("heat",))
        assert valve.model == "V\ufffd 1"  # what no database takes never stops the others
        assert (other.devices.entry("gateway").device.name, other.devices.entry("gateway").device.firmware) == ("Gateway", "1.2")
    house.devices.remove("gateway")
    assert house.devices.entry("valve").device.via is None


async def test_its_own_name_never_covers_a_persons(house: RegisteredHouse) -> None:
    entry = house.devices.add(Device("plug", "Kettle", kind="plug"))
    house.devices.announce(DeviceInfo(name="shellyplug-123", kind="socket", manufacturer="Shelly"), "plug")
    assert (entry.device.name, entry.device.kind, entry.device.manufacturer) == ("Kettle", "plug", "Shelly")


async def test_ranges_hold_at_once_for_series_that_run(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 5000.0)
    entry = house.devices.entry("plug")
    series = entry.feed.series["power"]
    house.devices.update(entry, replace(entry.device, ranges={"power": (0.0, 3680.0)}))
    batch = house.ingest.batch("test", "test")
    assert batch.add(batch.feed("plug"), "power", 5000.0) == "power 5000 W is outside 0 … 3680"
    house.devices.update(entry, replace(entry.device, ranges={}))
    assert batch.add(batch.feed("plug"), "power", 5000.0) is None
    assert entry.feed.series["power"] is series


async def test_removing_a_device_keeps_its_history_and_lets_it_come_back(house: RegisteredHouse) -> None:
    house.start()
    told: list[tuple[str, str]] = []
    house.bus.subscribe(DeviceChanged, lambda event: told.append((event.device, event.change)))
    await house.store("plug", "power", 7.0)
    house.devices.remove("plug")
    await house.devices.saved()
    assert await house.get("/states") == []
    assert len(await house.get("/devices/plug/energy/readings")) == 1
    assert len(await house.get("/devices/plug/status-history")) == 1
    house.clock.set(house.clock.now_ms() + 1000)
    await house.store("plug", "power", 8.0)
    assert len(await house.get("/devices/plug/energy/readings")) == 2
    assert told == [("plug", "added"), ("plug", "removed"), ("plug", "added")]


async def test_a_decommissioned_device_stays_out(house: RegisteredHouse) -> None:
    house.start()
    await house.store("plug", "power", 7.0)
    house.devices.decide(house.devices.entry("plug"), DeviceStatus.DECOMMISSIONED, "sold")
    with pytest.raises(Forbidden, match="is decommissioned"):
        house.ingest.feed("plug", "test")
    house.devices.report(Status(DeviceStatus.ONLINE), "plug")
    assert house.devices.entry("plug").status is DeviceStatus.DECOMMISSIONED
    house.devices.decide(house.devices.entry("plug"), DeviceStatus.ONLINE, "back")
    house.ingest.feed("plug", "test")


async def test_a_person_takes_over_what_made_itself_and_nothing_else(house: RegisteredHouse) -> None:
    await house.store("plug", "power", 7.0)
    house.devices.add(Device("plug", "Plug"))
    assert house.devices.entry("plug").device.origin == "api"
    with pytest.raises(Conflict, match="exists already"):
        house.devices.add(Device("plug", "Plug"))


async def test_an_offline_word_about_nobody_makes_nobody(house: RegisteredHouse) -> None:
    house.devices.report(Status(DeviceStatus.OFFLINE), "nobody")
    assert "nobody" not in house.devices
    house.devices.report(Status(DeviceStatus.ONLINE), "somebody")
    await house.devices.saved()
    assert [device["id"] for device in await house.get("/devices")] == ["somebody"]
