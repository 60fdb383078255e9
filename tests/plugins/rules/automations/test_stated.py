"""What people state, checked whole: mistakes are told with what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from sqlalchemy import inspect

from ohmstead.config import blueprints
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.plugins.rules import tables
from tests.fakes.automated_house import AutomatedHouse

SET = {"set": {"state": "house.mode", "value": "x"}}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"action": []}, "is missing"),
        ({"action": {"comand": {}}}, 'Did you mean "command"'),
        ({"action": {"command": {"device": "ev", "swich": "on"}}}, 'Did you mean "switch"'),
        ({"trigger": {"stat": "a.power"}, "action": SET}, 'Did you mean "state"'),
        ({"trigger": {"state": "a.power", "time": "07:30"}, "action": SET}, "of its own"),
        ({"trigger": {"state": "power"}, "action": SET}, "expected device.quantity"),
        ({"trigger": {"time": "25:00"}, "action": SET}, "such as 07:30"),
        ({"trigger": {"cron": "* * *"}, "action": SET}, "cron"),
        ({"trigger": {"webhook": "garage"}, "action": SET}, "128 bits"),
        ({"trigger": {"mqtt": "a/#/b"}, "action": SET}, "last"),
        ({"trigger": {"event": "DeviceChange"}, "action": SET}, 'Did you mean "DeviceChanged"'),
        ({"trigger": {"state": "a.power", "above": 1, "for": "1y"}, "action": SET}, "time span"),
        ({"action": SET, "mode": "twice"}, "single, restart"),
        ({"action": {"repeat": {"times": 10**9, "do": SET}}}, "whole number"),
        ({"action": [SET] * 200}, "at most 100"),
        ({"action": SET, "condition": {"time": "9"}}, "hours such as"),
    ],
)
def test_mistakes_in_the_options(home: AutomatedHouse, stated: Any, words: str) -> None:
    with pytest.raises(vol.Invalid) as caught:
        vol.Schema(home.automations.schema)(stated)
    assert words in str(caught.value)


async def test_mistakes_that_only_the_whole_shows(home: AutomatedHouse) -> None:
    await home.gadget("charger")
    found = home.problems(
        a={"trigger": [{"state": "charger.powr", "above": 1}, {"state": "charger.mode", "above": 1}], "action": {"command": {"device": "chargr", "switch": "on"}}},
        b={"action": [{"run": "c"}, {"choose": [{"when": "{{ 'a'* }}", "do": {"run": "nobody"}}]}]},
        c={"action": {"run": "b"}},
        d={"trigger": {"sun": "rise"}, "condition": {"state": "a.power"}, "action": {"command": {"device": "charger"}}},
    )
    text = "\n".join(found)
    for words in ('unknown quantity \'powr\'. Did you mean "power"?', "a.trigger.1.above: above compares numbers", 'no device \'chargr\'. Did you mean "charger"?',
                  "the template cannot be read", "there is no automation 'nobody'", "without end: b → c → b", "where is the home?", "expected a comparison",
                  "expected one of switch: on"):  # fmt: skip
        assert words in text, text


async def test_over_the_api(house: AutomatedHouse) -> None:
    await house.begin(fixed={"action": SET})
    made = {"id": "mine", "trigger": {"state": "m.power", "above": 5}, "action": SET}
    reply = await house.ask("POST", "/automations", made)
    assert (reply.status, reply.data["origin"]) == (201, "api")
    await house.say("m.power", 9)
    assert house.results("mine") == ["done"]
    with pytest.raises(Conflict):
        await house.ask("POST", "/automations", made)
    with pytest.raises(Invalid, match="unknown quantity"):
        await house.ask("PUT", "/automations/mine", {"trigger": {"state": "m.powr", "above": 5}, "action": SET})
    with pytest.raises(Conflict, match="configuration file"):
        await house.ask("PUT", "/automations/fixed", {"action": SET})
    with pytest.raises(Conflict, match="configuration file"):
        await house.ask("DELETE", "/automations/fixed")
    assert [each["id"] for each in await house.walk("/automations", limit=1)] == ["fixed", "mine"]
    run = (await house.get("/automations/mine/traces"))[0]["run"]
    assert (await house.get(f"/automations/mine/traces/{run}"))["result"] == "done"
    await house.ask("DELETE", "/automations/mine")
    with pytest.raises(NotFound):
        await house.get("/automations/mine")
    await house.say("m.power", 1)
    await house.say("m.power", 9)


async def test_a_change_leaves_the_others_alone(home: AutomatedHouse) -> None:
    waits = {"action": [{"delay": "10m"}, SET]}
    await home.begin(a=waits, b=waits, c={"action": SET})
    home.automations.run("a", "me")
    home.automations.run("b", "me")
    await home.apply(a=waits, b={"action": [{"delay": "20m"}, SET]})
    assert len(home.automations.get("a").runs) == 1
    assert (home.results("b"), home.reason("b")) == (["stopped"], "it was changed")
    assert [each.id for each in home.automations] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("car_on_surplus", {"charger": "ev"}),
        ("heat_pump_cheapest_hours", {"heat_pump": "ev", "hours": "2h"}),
        ("shed_load_before_peak", {"load": "ev", "peak": 9000, "back": 4000}),
        ("washing_machine_finished", {"plug": "ev"}),
        ("standby_watch", {"plug": "ev"}),
    ],
)
async def test_shipped_blueprints_can_be_used(home: AutomatedHouse, tmp_path: Path, name: str, inputs: dict[str, Any]) -> None:
    await home.gadget("grid", "ev")
    home.automations.blueprints.read = lambda: blueprints.read(tmp_path)
    assert home.problems(a={"blueprint": name, "inputs": inputs}) == []
    assert name in [each["id"] for each in await home.get("/blueprints")]


def test_nobody_is_told_who_is_not_there(home: AutomatedHouse) -> None:
    told = {"action": {"notify": {"title": "x", "to": ["owner", "sam@example.org", "ownr"]}}}
    assert home.problems(a=told) == ["a.action.0.notify.to: there is no person, role or address 'ownr'. Did you mean \"owner\"?"]


def test_an_event_that_is_none_is_named(home: AutomatedHouse) -> None:
    with pytest.raises(vol.Invalid, match='no event .AlertTrigered.. Did you mean "AlertTriggered"'):
        home.problems(a={"trigger": {"event": "AlertTrigered"}, "action": {"delay": "1s"}})


def test_blueprints_of_the_house(home: AutomatedHouse, tmp_path: Path) -> None:
    (tmp_path / "blueprints").mkdir()
    home.automations.blueprints.read = lambda: blueprints.read(tmp_path)
    write = (tmp_path / "blueprints" / "mine.yaml").write_text
    write("blueprint: {name: Mine, inputs: {what: {description: what to set}, list: {default: [1, 2]}}}\n"
          "trigger: {state: a.power, between: '${list}'}\naction: {set: {state: house.mode, value: 'it is ${what}'}}\n")  # fmt: skip
    made = vol.Schema(home.automations.schema)({"blueprint": "mine", "inputs": {"what": "on"}, "priority": 3})
    assert (made["trigger"][0]["between"], made["action"][0]["set"]["value"], made["priority"], made["name"]) == ((1.0, 2.0), "it is on", 3, "Mine")
    for given, words in (({"blueprint": "mne"}, 'Did you mean "mine"'), ({"blueprint": "mine"}, "input what is missing"),
                         ({"blueprint": "mine", "inputs": {"wat": 1, "what": 2}}, 'Did you mean "what"'),
                         ({"blueprint": "mine", "inputs": {"what": 1, "list": 5}}, "of the blueprint is wrong")):  # fmt: skip
        with pytest.raises(vol.Invalid) as caught:
            vol.Schema(home.automations.schema)(given)
        assert words in str(caught.value)
    write("blueprint: [")
    with pytest.raises(vol.Invalid, match="blueprint mine"):
        vol.Schema(home.automations.schema)({"blueprint": "mine"})


async def test_the_tables_are_what_the_migration_makes(house: AutomatedHouse) -> None:
    async with house.storage.read() as connection:
        made = await connection.run_sync(lambda sync: {name: {c["name"] for c in inspect(sync).get_columns(name)} for name in inspect(sync).get_table_names()})
    for table in tables.metadata.tables.values():
        assert made[table.name] == {column.name for column in table.columns}, table.name
