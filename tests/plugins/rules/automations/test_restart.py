"""What waits goes on after a restart, and nothing is done twice or forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ohmstead.core.clock import ManualClock, settle
from tests.fakes.automated_house import AutomatedHouse


def sets(value: Any, state: str = "house.mode") -> dict[str, Any]:
    return {"set": {"state": state, "value": value}}


async def gone(house: AutomatedHouse) -> None:
    """What a kill leaves: what was written, and nothing else."""
    await house.automations.journal.flush()
    await house.watches.flush()


async def again(url: str, tmp_path: Path, clock: ManualClock, **automations: Any) -> AutomatedHouse:
    house = AutomatedHouse(url, tmp_path / "again", ManualClock(clock.now_ms()))
    await house.__aenter__()
    await house.begin(**automations)
    return house


async def test_a_delay_goes_on(house: AutomatedHouse, storage_url: str, tmp_path: Path) -> None:
    stated = {"a": {"action": [sets("began"), {"delay": "10m"}, sets("done")]}}
    await house.begin(**stated)
    house.automations.run("a", "me")
    await house.clock.advance(60)
    await gone(house)
    house.clock.set(house.clock.now_ms() + 120_000)
    other = await again(storage_url, tmp_path, house.clock, **stated)
    try:
        [run] = other.automations.get("a").runs.values()
        assert run.facts == {"by": "me"}
        await other.clock.advance(415)
        assert other.value("house.mode") is None
        await other.clock.advance(10)
        assert (other.value("house.mode"), other.results("a")) == ("done", ["done"])
        assert other.steps("a") == ["action 1: done", "action 2: done", "action 3: done"]
        await gone(other)
        async with other.storage.read() as connection:
            assert await other.automations.journal.book.runs(connection) == []
    finally:
        await other.__aexit__()


async def test_a_wait_keeps_half_its_duration_and_what_it_holds(house: AutomatedHouse, storage_url: str, tmp_path: Path) -> None:
    stated = {
        "a": {
            "action": [{"command": {"device": "ev", "switch": "on"}}, {"wait_for": {"state": "m.power", "above": 5, "for": "10m", "timeout": "1h"}}, sets("x")],
            "priority": 9,
        },
        "b": {"action": {"command": {"device": "ev", "switch": "off"}}},
    }
    await house.gadget("ev")
    await house.begin(**stated)
    house.automations.run("a", "me")
    await settle(50)
    await house.say("m.power", 9)
    await house.clock.advance(300)
    await gone(house)
    other = await again(storage_url, tmp_path, house.clock, **stated)
    try:
        await other.ask("POST", "/automations/b/run")
        assert "held by a" in other.reason("b")
        await other.say("m.power", 9)
        await other.clock.advance(290)
        assert other.value("house.mode") is None
        await other.clock.advance(15)
        assert (other.value("house.mode"), other.results("a")) == ("x", ["done"])
    finally:
        await other.__aexit__()


async def test_what_fired_does_not_fire_again(house: AutomatedHouse, storage_url: str, tmp_path: Path) -> None:
    stated = {"a": {"trigger": {"state": "m.power", "above": 5}, "action": sets("x")}}
    await house.begin(**stated)
    await house.say("m.power", 9)
    await gone(house)
    other = await again(storage_url, tmp_path, house.clock, **stated)
    try:
        await other.say("m.power", 9)
        assert other.results("a") == ["done"]  # the trace from before
        await other.say("m.power", 1)
        await other.say("m.power", 9)
        assert other.results("a") == ["done", "done"]
        assert other.automations.get("a").count == 2
    finally:
        await other.__aexit__()


async def test_a_changed_automation_does_not_go_on(house: AutomatedHouse, storage_url: str, tmp_path: Path) -> None:
    await house.begin(a={"action": [{"delay": "10m"}, sets("x")]})
    house.automations.run("a", "me")
    await settle()
    await gone(house)
    other = await again(storage_url, tmp_path, house.clock, a={"action": [{"delay": "20m"}, sets("x")]})
    try:
        assert other.results("a") == ["stopped"]
        assert "changed while the hub was down" in other.reason("a")
    finally:
        await other.__aexit__()


async def test_a_switch_outlives_the_restart(house: AutomatedHouse, storage_url: str, tmp_path: Path) -> None:
    stated = {"a": {"trigger": {"state": "m.power", "above": 5}, "action": [{"delay": "10m"}, sets("x")]}}
    await house.begin(**stated)
    await house.say("m.power", 9)
    reply = await house.ask("POST", "/automations/a/disable")
    assert (reply.data["enabled"], reply.data["running"], house.results("a")) == (False, 0, ["stopped"])
    await house.say("m.power", 1)
    await house.say("m.power", 9)
    assert house.results("a") == ["stopped"]
    await gone(house)
    other = await again(storage_url, tmp_path, house.clock, **stated)
    try:
        await other.say("m.power", 1)
        await other.say("m.power", 9)
        assert (await other.get("/automations"))[0]["enabled"] is False
        assert other.results("a") == ["stopped"]
        await other.ask("POST", "/automations/a/enable")
        await other.say("m.power", 1)
        await other.say("m.power", 9)
        assert len(other.automations.get("a").runs) == 1
    finally:
        await other.__aexit__()
