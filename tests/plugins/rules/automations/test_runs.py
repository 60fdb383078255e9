"""What sets an automation off, what it does, and what its trace says."""

from __future__ import annotations

from typing import Any

import pytest

from ohmstead.core.clock import settle
from tests.fakes.automated_house import AutomatedHouse

CAR = {
    "trigger": [{"state": "grid.power", "below": -1500, "for": "2m"}],
    "condition": [{"state": "battery.soc", "at_least": 60}],
    "action": [
        {"command": {"device": "ev", "switch": "on"}},
        {"wait_for": {"state": "grid.power", "above": 200, "for": "5m"}},
        {"command": {"device": "ev", "switch": "off"}},
    ],
    "mode": "single",
    "priority": 20,
}


def sets(value: Any, state: str = "house.mode") -> dict[str, Any]:
    return {"set": {"state": state, "value": value}}


async def test_the_car_charges_on_surplus(house: AutomatedHouse) -> None:
    ev = await house.gadget("ev")
    await house.begin(car=CAR)
    await house.say("battery.soc", 80)
    await house.say("grid.power", -2000)
    await house.clock.advance(119)
    assert ev.values == []
    await house.clock.advance(3)
    assert ev.values == ["on"]
    await house.say("grid.power", 300)
    await house.clock.advance(290)
    assert ev.values == ["on"]
    await house.clock.advance(12)
    assert ev.values == ["on", "off"]
    [trace] = await house.get("/automations/car/traces")
    assert (trace["result"], trace["trigger"]["state"], trace["trigger"]["value"]) == ("done", "grid.power", -2000.0)
    steps = [(step["step"], step["result"]) for step in trace["steps"]]
    assert steps == [("condition", "holds"), ("action 1", "acknowledged"), ("action 2", "happened"), ("action 3", "acknowledged")]
    assert trace["steps"][0]["saw"] == {"battery.soc": 80.0}
    assert trace["steps"][1]["saw"] == {"ev.switch": "on"}


async def test_conditions_that_do_not_hold_are_in_the_trace(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    await home.begin(car=CAR)
    await home.say("battery.soc", 40)
    await home.say("grid.power", -2000)
    await home.clock.advance(121)
    assert ev.values == []
    assert home.results("car") == ["condition"]
    assert home.automations.get("car").traces[-1].shown()["steps"][0]["saw"] == {"battery.soc": 40.0}


@pytest.mark.parametrize(
    ("trigger", "says", "fires"),
    [
        ({"above": 10}, [5, 11, 12, 9, 11], 2),
        ({"below": 10}, [5, 11, 12, 9, 11], 2),
        ({"between": [5, 10]}, [1, 7, 8, 20, 5], 2),
        ({}, [1, 1, 2, 2, 3], 2),
        ({"above": 10, "clear_below": 5}, [11, 9, 11, 4, 11], 2),
    ],
)
async def test_states_set_it_off(home: AutomatedHouse, trigger: dict[str, Any], says: list[float], fires: int) -> None:
    await home.begin(a={"trigger": {"state": "m.power", **trigger}, "action": sets("x")})
    for value in says:
        await home.say("m.power", value)
    assert home.results("a") == ["done"] * fires


async def test_a_change_that_stays(home: AutomatedHouse) -> None:
    await home.begin(a={"trigger": {"state": "m.power", "for": "10s"}, "action": sets("{{ trigger.before }} {{ trigger.value }}")})
    for value in (1, 2, 3):
        await home.say("m.power", value, 4)
    assert home.results("a") == []
    await home.clock.advance(11)
    assert home.value("house.mode") == "2.0 3.0"


async def test_a_rate_of_change(home: AutomatedHouse) -> None:
    await home.begin(a={"trigger": {"rate": "m.power", "above": 100, "per": "60s"}, "action": sets("x")})
    for value in range(0, 200, 10):  # 10 W a second are 600 W a minute once a while has passed
        await home.say("m.power", value)
    assert home.results("a") == ["done"]


async def test_choose_repeat_delay(home: AutomatedHouse) -> None:
    await home.begin(
        a={
            "trigger": {"state": "m.power", "above": 0},
            "action": [
                {"choose": [{"when": {"state": "m.power", "above": 100}, "do": sets("high")}], "otherwise": [sets("low")]},
                {"repeat": {"times": 3, "do": [{"delay": "10s"}, sets("{{ (state('n.power', 0)) + 1 }}", "n.power")]}},
                {"repeat": {"until": "{{ state('n.power') >= 5 }}", "do": [sets("{{ state('n.power') + 1 }}", "n.power")]}},
            ],
        }
    )
    await home.say("m.power", 200)
    assert (home.value("house.mode"), home.value("n.power")) == ("high", None)
    await home.clock.advance(21)
    assert home.value("n.power") == 2
    await home.clock.advance(10)
    assert (home.value("n.power"), home.results("a")) == (5, ["done"])
    await home.say("m.power", -1)
    await home.say("m.power", 5)
    assert home.value("house.mode") == "low"


async def test_a_repeat_that_never_ends_fails(home: AutomatedHouse) -> None:
    forever = {"repeat": {"while": "{{ true }}", "do": [sets("x")], "at_most": 50}}
    deep = {"repeat": {"times": 10_000, "do": [{"repeat": {"times": 10_000, "do": [sets("{{ 1 }}", "n.power")]}}]}}
    await home.begin(a={"action": forever}, b={"action": deep})
    await home.ask("POST", "/automations/a/run")
    assert home.results("a") == ["failed"]
    assert "more than 50 times" in home.reason("a")
    run = home.automations.run("b", "me")
    await settle()
    assert run.ended_ms is None  # the others get their turn
    home.automations.stop("b", "me")


@pytest.mark.parametrize(
    ("mode", "limit", "results", "values"),
    [
        ("single", 10, ["ignored", "ignored", "done"], [1]),
        ("restart", 10, ["stopped", "stopped", "done"], [3]),
        ("queued", 1, ["ignored", "done", "done"], [1, 2]),
        ("parallel", 2, ["ignored", "done", "done"], [1, 2]),
    ],
)
async def test_modes(home: AutomatedHouse, mode: str, limit: int, results: list[str], values: list[int]) -> None:
    done: list[Any] = []
    await home.begin(a={"trigger": {"state": "m.power"}, "action": [{"delay": "60s"}, sets("{{ trigger.value }}", "n.power")], "mode": mode, "limit": limit})
    home.watches.watch("n.power", lambda new, old: done.append(new.value))
    for value in (0, 1, 2, 3):
        await home.say("m.power", value)
    for _ in range(3):
        await home.clock.advance(60)
    assert (home.results("a"), done) == (results, values)


async def test_one_runs_another(home: AutomatedHouse) -> None:
    await home.begin(a={"action": [sets("a"), {"run": "b"}]}, b={"action": sets("b")})
    reply = await home.ask("POST", "/automations/a/run")
    assert (reply.status, reply.data["result"], home.value("house.mode")) == (200, "done", "b")
    assert home.automations.get("b").traces[-1].shown()["caused_by"] == ["a"]


async def test_a_loop_is_cut_and_named(home: AutomatedHouse, caplog: pytest.LogCaptureFixture) -> None:
    await home.begin(
        ping={"trigger": {"state": "a.power"}, "action": sets("{{ trigger.value + 1 }}", "b.power")},
        pong={"trigger": {"state": "b.power"}, "action": sets("{{ trigger.value + 1 }}", "a.power")},
    )
    await home.say("b.power", 0)
    await home.say("a.power", 0)
    await home.say("a.power", 1)
    results = home.results("ping") + home.results("pong")
    assert results.count("loop") == 1
    assert len(results) < 15
    text = next(run.reason for id_ in ("ping", "pong") for run in home.automations.get(id_).traces if run.result == "loop")
    assert "ping → pong" in text
    assert "without end" in caplog.text


def switches(to: str, **trigger: Any) -> dict[str, Any]:
    return {"trigger": {"state": "ev.power", **trigger}, "action": {"command": {"device": "ev", "switch": to}}}


async def test_a_loop_through_what_a_device_reports_is_cut_and_named(home: AutomatedHouse, caplog: pytest.LogCaptureFixture) -> None:
    ev = await home.gadget("ev")
    await home.begin(on=switches("on", below=10), off=switches("off", above=10))
    await home.say("ev.power", 0)
    for _ in range(60):  # it takes power for as long as it is on, and says so every 5 s
        await home.say("ev.power", 1000 if ev.values[-1] == "on" else 0, 5)
    assert len(ev.values) == 10
    [text] = [run.reason for id_ in ("on", "off") for run in home.automations.get(id_).traces if run.result == "loop"]
    assert text == "automations set each other off without end: off → on → off → on"
    assert text in caplog.text


@pytest.mark.parametrize("delay", [0, 5])
async def test_one_that_sets_itself_off_by_a_device_is_cut(home: AutomatedHouse, delay: float) -> None:
    ev = await home.gadget("ev")
    toggles = [{"delay": delay}, {"command": {"device": "ev", "switch": "{{ 'off' if state('ev.switch') == 'on' else 'on' }}"}}]
    await home.begin(a={"trigger": {"state": "ev.switch"}, "action": toggles, "mode": "queued"})
    await home.say("ev.switch", "off")
    await home.say("ev.switch", "on")
    for _ in range(120):
        await home.clock.advance(5)
    assert len(ev.values) == 10
    [cut] = [run for run in home.automations.get("a").traces if run.result == "loop"]
    assert cut.shown()["caused_by"] == ["a"] * 10


async def test_a_device_that_is_told_what_it_does_already_is_no_loop(home: AutomatedHouse) -> None:
    await home.gadget("ev")
    await home.begin(a={"trigger": {"state": "ev.power"}, "action": {"command": {"device": "ev", "switch": "on"}}})
    await home.say("ev.switch", "on")
    for watts in range(20):
        await home.say("ev.power", watts)
    assert home.results("a") == ["done"] * 19


async def test_a_device_that_is_switched_by_time_is_no_loop(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    await home.begin(on=switches("on", below=10, **{"for": "30s"}), off=switches("off", above=10, **{"for": "30s"}))
    await home.say("ev.power", 0)
    for _ in range(120):
        await home.say("ev.power", 1000 if ev.values and ev.values[-1] == "on" else 0, 5)
    assert len(ev.values) > 15


async def test_a_loop_through_the_events_of_commands_is_cut(home: AutomatedHouse) -> None:
    ev = await home.gadget("ev")
    done = {"event": "CommandDone", "where": {"device": "ev"}}
    await home.begin(a={"trigger": done, "action": {"command": {"device": "ev", "switch": "on"}}, "mode": "queued"})
    await home.ask("POST", "/devices/ev/commands", {"capability": "switch", "value": "on"})
    for _ in range(300):  # two reports of one instant are one, so each command is told twice here
        await home.clock.advance(1)
    told = len(ev.values)
    assert home.results("a").count("loop") == 1
    for _ in range(60):
        await home.clock.advance(1)
    assert len(ev.values) == told


async def test_a_slow_oscillator_is_no_loop(home: AutomatedHouse) -> None:
    await home.begin(a={"trigger": {"state": "a.power"}, "action": [{"delay": "61s"}, sets("{{ trigger.value + 1 }}", "a.power")], "mode": "queued"})
    await home.say("a.power", 0)
    await home.say("a.power", 1)
    for _ in range(20):
        await home.clock.advance(62)
    assert "loop" not in home.results("a")
    home.automations.stop("a", "me")


async def test_people_are_told_once(home: AutomatedHouse) -> None:
    await home.begin(a={"action": {"notify": {"title": "It is {{ state('m.power') }}", "to": ["owner"], "severity": "high"}}})
    await home.say("m.power", 7)
    await home.ask("POST", "/automations/a/run")
    [notice] = home.told.notices
    assert (notice.title, notice.recipients, notice.severity) == ("It is 7.0", ("owner",), "high")
    assert notice.key.startswith("automation/")


async def test_a_failing_step_ends_the_run_with_the_reason(home: AutomatedHouse) -> None:
    await home.gadget("lamp")
    await home.begin(
        a={"action": [{"command": {"device": "nobody1", "switch": "on"}}, sets("x")]},
        b={"action": [{"mqtt": {"topic": "a/b", "payload": {"x": 1}}}]},
        c={"action": [{"set": {"state": "lamp.switch", "value": "on"}}]},
        d={"action": [{"http": {"url": "ftp://x"}}]},
        e={"action": [sets("{{ state('nothing.power') + 1 }}", "n.power")]},
    )
    for id_, words in (("a", "no device"), ("b", "no MQTT broker"), ("c", "no virtual device"), ("d", "no web address"), ("e", "template")):
        await home.ask("POST", f"/automations/{id_}/run")
        assert home.results(id_) == ["failed"], id_
        assert words in home.reason(id_), home.reason(id_)
    assert home.value("house.mode") is None
