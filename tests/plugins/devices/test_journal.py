"""What changed while the database was away is written once it is back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.model import Device
from tests.fakes.registered_house import RegisteredHouse


async def test_a_house_whose_database_is_away_keeps_what_it_knows_and_stops_in_time(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with RegisteredHouse(sqlite_url, tmp_path, Clock()) as house:
        house.devices.add(Device("before", "Before"))
        await house.devices.saved()
        file = house.storage.address.file
        assert file is not None
        file.rename(file.with_suffix(".away"))
        house.devices.add(Device("plug", "Plug"))
        batch = house.ingest.batch("test", "test")
        assert batch.add(batch.feed("plug"), "power", 1.0) is None
        house.ingest.send(batch)  # it waits in the writer's hand, and everybody behind it
        with pytest.raises(Unavailable):
            await house.devices.journal.flush(within_s=0.1)
        assert house.devices.entry("plug").status == "online"  # known and shown all the same
        began = time.monotonic()
        await house.devices.close()
        assert time.monotonic() - began < 4
        assert "the last changes of devices are not stored" in caplog.text
        file.with_suffix(".away").rename(file)
        await house.devices.saved()
    async with RegisteredHouse(sqlite_url, tmp_path, Clock()) as again:
        assert sorted(device["id"] for device in await again.get("/devices")) == ["before", "plug"]
        assert len(await again.get("/devices/plug/status-history")) == 1
