"""Several automations and one device: who wins, for how long, and what no command may do."""

from __future__ import annotations

from typing import Any

import pytest

from ohmstead.core.clock import settle
from ohmstead.core.errors import Conflict
from ohmstead.core.events import CommandDone
from tests.fakes.automated_house import AutomatedHouse


def commands(value: str, **more: Any) -> dict[str, Any]:
    return {"command": {"device": "ev", "switch": value, **more}}


async def run(house: AutomatedHouse, id_: str) -> None:
    await house.clock.advance(1)
    house.automations.run(id_, "me")
    await settle(50)


async def test_the_greater_priority_wins_until_its_run_ends(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    await home.begin(
        shed={"action": [commands("off"), {"delay": "1m"}], "priority": 100},
        car={"action": [commands("on")], "priority": 20},
        equal={"action": [commands("on")], "priority": 100},
    )
    await run(home, "shed")
    await run(home, "car")
    await run(home, "equal")
    assert (ev.values, home.results("car"), home.results("equal")) == (["off"], ["lost"], ["lost"])
    assert home.reason("car") == "action 1: ev.switch is held by shed, until its run ends; its priority is 100, and this one has 20"
    await home.clock.advance(61)
    await run(home, "car")
    assert (ev.values, home.results("car")) == (["off", "on"], ["lost", "done"])


async def test_it_takes_over_from_the_lesser(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    await home.begin(
        car={"action": [commands("on"), {"delay": "1m"}, commands("off")], "priority": 20},
        shed={"action": [commands("off"), {"delay": "10m"}], "priority": 100},
    )
    await run(home, "car")
    await run(home, "shed")
    await home.clock.advance(62)
    assert (ev.values, home.results("car")) == (["on", "off"], ["lost"])


async def test_hold_outlasts_the_run_and_a_restart(house: AutomatedHouse) -> None:
    ev = await house.gadget("ev")
    both = {"shed": {"action": [commands("off", hold="30m")], "priority": 100}, "car": {"action": [commands("on")], "priority": 20}}
    await house.begin(**both)
    await run(house, "shed")
    await house.automations.journal.flush()
    async with house.storage.read() as connection:
        assert [row[:4] for row in await house.automations.journal.book.held(connection)] == [("ev", "switch", "shed", 100)]
    await run(house, "car")
    assert "for 1799 s more" in house.reason("car")
    house.clock.set(house.clock.now_ms() + 86_400_000)  # somebody sets the clock: it holds as long as it was to
    await run(house, "car")
    assert "for 1798 s more" in house.reason("car")
    await house.clock.advance(1801)
    await run(house, "car")
    assert ev.values == ["off", "on"]


async def test_an_absolute_command_is_tried_again(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    done: list[CommandDone] = []
    home.bus.subscribe(CommandDone, done.append)
    await home.begin(car={"action": [commands("on")]})
    ev.deaf = 1
    await run(home, "car")
    await home.clock.advance(13)
    assert (ev.values, home.steps("car")) == (["on", "on"], ["action 1: acknowledged"])
    ev.deaf = 9
    home.automations.run("car", "me")
    await home.clock.advance(40)
    assert home.steps("car") == ["action 1: unconfirmed"]
    ev.gone = True
    home.automations.run("car", "me")
    await home.clock.advance(40)
    assert home.results("car")[-1] == "failed"
    assert [(event.who, event.result) for event in done] == [
        ("automation car", "acknowledged"), ("automation car", "unconfirmed"), ("automation car", "failed")
    ]  # fmt: skip


async def test_a_fuse_constrains_everybody(home: AutomatedHouse) -> None:
    ev = await home.gadget("oven", "ev")
    await home.commands.limits.apply({"fuse": {"meter": "grid", "fuse_w": 10_000.0, "loads": {"ev": 7400.0, "oven": 3000.0}}})
    await home.begin(car={"action": [commands("on")]}, off={"action": [commands("off")]})
    await run(home, "car")
    assert (home.results("car"), ev.values) == (["lost"], [])
    assert "grid is silent" in home.reason("car")
    await home.say("grid.power", 3000)
    await run(home, "car")
    assert home.reason("car") == "action 1: limit fuse: 3000 W flow, ev takes 7400 more, and 10000 are allowed"
    with pytest.raises(Conflict, match="limit fuse"):
        await home.ask("POST", "/devices/ev/commands", {"capability": "switch", "value": "on"})
    await home.say("grid.power", 1000)
    await run(home, "car")
    assert ev.values == ["on"]
    with pytest.raises(Conflict, match="8400 W flow"):  # the meter has not seen the car yet
        await home.ask("POST", "/devices/oven/commands", {"capability": "switch", "value": "on"})
    await home.say("grid.power", 50_000)
    await run(home, "off")
    assert ev.values == ["on", "off"]


async def test_a_battery_keeps_its_reserve(home: AutomatedHouse) -> None:
    battery = await home.gadget("ev", "battery")
    await home.commands.limits.apply({"reserve": {"battery": "battery", "reserve": 20.0, "loads": {"ev": True}}})
    await home.begin(give={"action": {"command": {"device": "battery", "set": {"power": 2000}}}}, take={"action": {"command": {"device": "battery", "set": {"power": -2000}}}})
    await home.say("battery.soc", 15)
    await run(home, "give")
    await run(home, "take")
    assert (home.results("give"), home.results("take"), battery.values) == (["lost"], ["done"], [-2000.0])
    await home.say("battery.soc", 30)
    await run(home, "give")
    assert battery.values == [-2000.0, 2000.0]
