"""The blueprints that come with Ohmstead, each from its trigger to its end on the demo house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import pytest

from ohmstead.core.clock import to_ms
from tests.fakes.lived_house import LivedHouse

Lives = Callable[..., Awaitable[LivedHouse]]


@pytest.fixture
async def lives(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Lives]:
    """The demo house from a time of UTC on, with one blueprint."""
    async with AsyncExitStack() as ends:

        async def begin(start: str, every_s: float = 60.0, **automation: object) -> LivedHouse:
            house = LivedHouse(sqlite_url, tmp_path, to_ms(datetime.fromisoformat(f"{start}+00:00")), every_s)
            await ends.enter_async_context(house)
            house.price(night=0.25, day=0.34)
            await house.listen(it=automation)
            return house

        yield begin


async def test_the_car_charges_on_surplus_until_the_grid_has_to_help(lives: Lives) -> None:
    house = await lives("2027-06-16T13:00", blueprint="car_on_surplus", inputs={"charger": "ev", "stop_after": "2m"})
    house.player.house.stored = house.player.house.stored * 2 - 1  # the battery is full, so the roof's surplus is sold
    await house.live(1)
    assert house.commands_of("ev") == ["on"]
    assert house.steps("it") == ["action 1: acknowledged"]
    await house.live(4.5)  # in the evening it charges with 7.4 kW, more than the battery gives
    assert house.commands_of("ev") == ["on", "off"]
    assert (house.results("it"), house.steps("it")) == (["ignored", "done"], ["action 1: acknowledged", "action 2: happened", "action 3: acknowledged"])  # a cloud came and went
    assert house.value("ev.power") == 0


async def test_the_heat_pump_runs_in_the_cheapest_hours_and_at_no_other_time(lives: Lives) -> None:
    house = await lives("2027-01-12T20:30", 300.0, blueprint="heat_pump_cheapest_hours", inputs={"heat_pump": "heatpump", "hours": "3h", "within": "21-6"})
    await house.live(9)
    assert house.told_devices == [(1.5, "heatpump", "on"), (4.5, "heatpump", "off")]
    assert (house.results("it"), house.value("heatpump.switch"), house.value("heatpump.power")) == (["done"], "off", 0)


async def test_a_load_is_shed_before_a_peak_and_comes_back(lives: Lives) -> None:
    house = await lives("2027-06-16T17:30", blueprint="shed_load_before_peak", inputs={"load": "ev", "peak": 3000, "back": 1000})
    await house.live(1)
    assert house.commands_of("ev")[:3] == ["off", "on", "off"]  # back after its rest, and still too much
    first, second = [at for at, _, _ in house.told_devices][:2]
    assert second - first == pytest.approx(0.25 + 1 / 60, abs=0.02)
    await house.live(1)
    assert house.commands_of("ev")[-1] == "on"
    assert set(house.results("it")) == {"done"}
    assert house.steps("it") == ["action 1: acknowledged", "action 2: done", "action 3: happened", "action 4: acknowledged"]


async def test_people_are_told_that_the_washing_machine_has_finished(lives: Lives) -> None:
    house = await lives("2027-06-16T15:00", blueprint="washing_machine_finished", inputs={"plug": "plug_washer"})
    await house.live(1)
    assert house.value("plug_washer.power") > 100
    assert house.told.notices == []
    await house.live(1)
    [notice] = house.told.notices
    assert (notice.title, notice.recipients) == ("The washing machine has finished", ("owner",))
    assert house.steps("it") == ["action 1: happened", "action 2: sent"]


async def test_standby_is_switched_off_and_told(lives: Lives) -> None:
    house = await lives("2027-06-16T12:00", blueprint="standby_watch", inputs={"plug": "plug_tv"})
    await house.live(0.45)
    assert house.told_devices == []
    await house.live(1)
    assert house.told_devices == [(0.52, "plug_tv", "off")]
    assert [notice.title for notice in house.told.notices] == ["plug_tv was on standby and is off now"]
    assert (house.results("it"), house.value("plug_tv.power")) == (["done"], 0)
