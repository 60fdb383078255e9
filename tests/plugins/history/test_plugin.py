"""Jobs that keep history small and fast, and the section that says how small."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from ohmstead.plugins.history import retention
from ohmstead.plugins.storage.retention import Keep
from tests.fakes.registered_house import RegisteredHouse

DAY = 86_400_000


async def test_retention_follows_the_section(house: RegisteredHouse) -> None:
    now = house.clock.now_ms()
    for device in ("meter", "plug"):
        for age in (1, 10, 100):
            await house.store(device, "power", 1.0, now - age * DAY)
    assert await house.history.retain() == 2  # 90 days unless given
    await house.history.keep({"raw": 5.0, "devices": {"plug": {"raw": None}}})
    assert await house.history.retain() == 1
    assert len(await house.get("/devices/meter/energy/readings", start="2020-01-01T00:00:00Z")) == 1
    await house.history.keep(None)
    assert await house.history.retain() == 0


async def test_rollups_and_the_status_history_are_looked_after(house: RegisteredHouse) -> None:
    now = house.clock.now_ms()
    await house.store("meter", "power", 1.0, now - 3_600_000)
    assert await house.history.roll_up() == 1
    await house.devices.saved()
    assert await house.history.prune() == 0
    house.clock.set(now + 366 * DAY)
    assert await house.history.prune() == 1


def test_the_section_is_read_as_people_write_it(house: RegisteredHouse) -> None:
    schema = vol.Schema(retention.schema(house.hub.quantities))
    given = schema({"raw": "30d", "daily": "forever", "quantities": {"power": {"raw": "7d"}}, "devices": {"meter": {"fine": "forever"}}})
    policy = retention.policy(given)
    assert policy.default == Keep(30, 365, None)
    assert policy.of("plug", "power") == Keep(7, 365, None)
    assert policy.of("meter", "power") == Keep(30, None, None)
    assert policy.of("plug", "voltage") == Keep(30, 365, None)


@pytest.mark.parametrize("wrong", [{"raw": "1h"}, {"raw": "soon"}, {"raws": "1d"}, {"quantities": {"powr": {}}}, {"devices": {"a b": {}}}])
def test_mistakes_in_the_section(house: RegisteredHouse, wrong: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        vol.Schema(retention.schema(house.hub.quantities))(wrong)
