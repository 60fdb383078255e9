"""Alert rules: what they are about, how they are stated, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.model import Device, DeviceStatus, Series
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.plugins.rules.alerts.rule import RULE
from ohmstead.plugins.rules.templates import Templates
from tests.fakes.alerted_house import AlertedHouse

HOT = {"device": "D1", "quantity": "temperature", "above": 50}
EMPTY: dict[str, Any] = {"devices": {}, "locations": {}, "meter_points": {}, "registry": {}, "people": {"sam": {"roles": ["manager"]}}}


def problems(house: AlertedHouse, **options: Any) -> list[tuple[str, str]]:
    sections = {**EMPTY, "integrations": {"D1": None}, "alerts": {"r": vol.Schema(RULE)(options)}}
    return [(".".join(keys), text) for keys, text in house.rules.problems(sections)]


@pytest.mark.parametrize(("options", "place", "text"), [
    ({"quantity": "temprature", "device": "D1", "above": 50}, "r.quantity", "there is no quantity 'temprature'. Did you mean \"temperature\"?"),
    ({"quantity": "power", "device": "D11", "above": 50}, "r.device", "there is no device 'D11'. Did you mean \"D1\"?"),
    ({"quantity": "power", "location": "kitchn", "above": 50}, "r.location", "there is no location 'kitchn'."),
    ({"quantity": "temperature", "device": "D1", "above": 5000}, "r.above", "temperature is never that; it goes from -90 to 1000 °C"),
    ({"quantity": "switch", "device": "D1", "above": 5}, "r.above", "above compares numbers, and this quantity is a text"),
    ({"quantity": "power", "device": "D1"}, "r", "nothing is compared"),
    ({"quantity": "power", "above": 1}, "r", "expected what it is about: device, meter_point, tag or location"),
    ({"quantity": "power", "device": "D1", "tag": "x", "above": 1}, "r.tag", "expected one thing it is about, and device is stated too"),
    ({"device": "D1", "above": 1}, "r", "expected the quantity that is compared"),
    ({**HOT, "above": 5, "below": 3}, "r.below", "expected one comparison, and above is there too"),
    ({**HOT, "schedule": [{"hours": "8-18"}, {"hours": "17-20", "days": "weekend"}]}, "r.schedule.1",
     "overlaps window 1: sat, sun from 17:00 to 18:00; join the two, or state other hours or days"),
    ({**HOT, "schedule": [{"hours": ["8-18", "9-10"]}]}, "r.schedule.0.hours", "overlap: mon, tue, wed, thu, fri, sat, sun from 9:00 to 10:00"),
    ({**HOT, "notify": ["mnager"]}, "r.notify", "there is no person, role or address 'mnager'. Did you mean \"manager\"?"),
    ({**HOT, "escalation": [{"after": "5m", "notify": "nobody"}]}, "r.escalation.0.notify", "there is no person, role or address 'nobody'."),
    ({**HOT, "repeat": "5s"}, "r.repeat", "expected at least 1m"),
    ({"kind": "offline", "device": "D1", "above": 3}, "r.above", "a rule of kind offline compares nothing"),
    ({"kind": "offline", "device": "D1", "quantity": "power"}, "r.quantity", "does not go with kind offline, which takes device, tag, location"),
    ({"kind": "energy", "location": "home", "below": 3}, "r.below", "energy of a period that is not over only grows; expected above or at_least"),
    ({"kind": "budget", "above": 3, "period": "year"}, "r.period", "expected day or month for a budget"),
    ({"kind": "finding", "cause": "gapp"}, "r.cause", "there is no cause 'gapp'. Did you mean \"gap\"?"),
])  # fmt: skip
async def test_what_cannot_be_is_refused_with_where_and_what_would_be_right(
    home: AlertedHouse, options: dict[str, Any], place: str, text: str
) -> None:
    found = problems(home, **options)
    assert [where for where, _ in found] == [place]
    assert text in found[0][1]


async def test_the_example_of_the_documentation_is_right(home: AlertedHouse) -> None:
    assert problems(home, device="D1", quantity="temperature", above=50, clear_below=47, severity="high", cooldown="15m", notify=["sam"]) == []
    assert problems(home, device="kettle", quantity="power", above=5) == []  # it may come by itself


async def test_the_api_makes_changes_and_removes_rules(house: AlertedHouse) -> None:
    house.devices.add(Device("D1", "Bulb"))
    body = {"id": "hot", "device": "D1", "quantity": "temperature", "comparison": ">", "threshold": 50, "clear_below": 47, "for": "30s"}
    made = (await house.ask("POST", "/rules", body)).data
    assert (made["comparison"], made["threshold"], made["clear_below"], made["for"]) == (">", 50.0, 47.0, 30.0)
    assert (made["origin"], made["created_by"], made["cooldown"], made["status"]) == ("api", "owner", 900.0, "active")
    with pytest.raises(Conflict, match="exists already"):
        await house.ask("POST", "/rules", body)
    await house.ask("PUT", "/rules/hot", {"device": "D1", "quantity": "temperature", "comparison": "between", "threshold": [50, 90]})
    await house.say("D1", "temperature", 60.0)
    assert (await house.get("/rules/hot"))["last_triggered"] is not None
    assert (await house.get("/rules/hot"))["open_alerts"] == 1
    await house.ask("PUT", "/rules/hot/status", {"status": "archived"})
    assert await house.open_alerts() == []
    assert await house.get("/rules") == []
    assert [rule["id"] for rule in await house.get("/rules", status="archived")] == ["hot"]
    await house.ask("DELETE", "/rules/hot")
    with pytest.raises(NotFound, match="there is no alert rule 'hot'"):
        await house.get("/rules/hot")


async def test_the_api_refuses_with_the_place(house: AlertedHouse) -> None:
    with pytest.raises(Invalid) as refused:
        await house.ask("POST", "/rules", {"id": "x", "device": "D9", "quantity": "powr", "comparison": ">", "threshold": 5})
    assert [detail["path"] for detail in refused.value.details] == ["quantity", "device"]
    with pytest.raises(Invalid) as refused:
        await house.ask("POST", "/rules", {"id": "x", "device": "D9", "quantity": "power", "comparison": "=>", "threshold": 5})
    assert refused.value.details[0]["path"] == "comparison"


async def test_a_rule_that_changed_looks_anew(house: AlertedHouse) -> None:
    await house.state(r=HOT)
    await house.say("D1", "temperature", 60.0)
    await house.state(r={**HOT, "above": 70})
    assert len(await house.open_alerts()) == 1
    await house.say("D1", "temperature", 65.0, after_s=1)
    assert await house.open_alerts() == []
    await house.state(other=HOT)
    await house.say("D1", "temperature", 66.0, after_s=1)
    assert [alert["rule"] for alert in await house.open_alerts()] == ["other"]
    await house.state()
    assert await house.open_alerts() == []


async def test_yaml_is_read_only_over_the_api(home: AlertedHouse) -> None:
    await home.state(r=HOT)
    for method, path, body in (("PUT", "/rules/r", {"kind": "offline", "device": "D1"}), ("DELETE", "/rules/r", None),
                               ("PUT", "/rules/r/status", {"status": "paused"})):  # fmt: skip
        with pytest.raises(Conflict, match="defined in the configuration file; change it there"):
            await home.ask(method, path, body)


async def test_rules_of_the_api_outlive_a_restart(house: AlertedHouse) -> None:
    house.devices.add(Device("D1", "Bulb"))
    await house.ask("POST", "/rules", {"id": "hot", "schedule": [{"hours": "0-24"}], "escalation": [{"after": "5m"}], **HOT})
    house.rules._rules.clear()
    await house.rules.open()
    assert house.rules.get("hot").options["escalation"] == [{"after": 300.0, "notify": []}]


async def test_tags_and_locations_follow_devices_that_come_and_go(house: AlertedHouse) -> None:
    house.devices.locations.put(type(house.devices.locations.get("home"))("shed", "Shed", parent="home"))
    await house.state(tagged={"tag": "lamp", "quantity": "power", "above": 5}, shed={"location": "shed", "quantity": "power", "above": 5})
    house.devices.add(Device("D1", "Lamp", tags=("lamp",)))
    house.devices.add(Device("D2", "Saw", location="shed"))
    for device in ("D1", "D2"):
        await house.say(device, "power", 10.0)
    assert {(alert["rule"], alert["device"]) for alert in await house.open_alerts()} == {("tagged", "D1"), ("shed", "D2")}
    entry = house.devices.entry("D1")
    house.devices.update(entry, Device("D1", "Lamp"))
    await house.catch_up()
    assert [alert["device"] for alert in await house.open_alerts()] == ["D2"]


async def test_a_location_that_moves_takes_its_devices_along(house: AlertedHouse) -> None:
    for body in ({"id": "west"}, {"id": "east"}, {"id": "shed", "parent": "west"}):
        await house.ask("POST", "/locations", body)
    house.devices.add(Device("D1", "Saw", location="shed"))
    await house.state(**{place: {"location": place, "quantity": "power", "above": 5} for place in ("west", "east")},
                      gone={"kind": "offline", "location": "east"})  # fmt: skip
    await house.say("D1", "power", 10.0)
    assert [alert["rule"] for alert in await house.open_alerts()] == ["west"]
    await house.ask("PUT", "/locations/shed", {"parent": "east"})
    await house.say("D1", "power", 10.0, after_s=1)
    house.devices.statuses.report(house.devices.entry("D1"), DeviceStatus.OFFLINE, "silent")
    await house.catch_up()
    assert {alert["rule"] for alert in await house.open_alerts()} == {"east", "gone"}
    await house.ask("PUT", "/locations/shed", {"parent": "west"})
    await house.say("D1", "power", 10.0, after_s=900)
    assert [alert["rule"] for alert in await house.open_alerts()] == ["west"]


async def test_evaluating_by_hand_says_what_and_why(home: AlertedHouse) -> None:
    await home.state(r={**HOT, "for": "30s", "clear_below": 47})
    said = (await home.ask("POST", "/rules/r/evaluate")).data
    assert said["subjects"][0]["why"] == "nothing is known of it yet"
    await home.say("D1", "temperature", 55.0)
    [one] = (await home.ask("POST", "/rules/r/evaluate")).data["subjects"]
    assert (one["meets"], one["holds"], one["why"]) == (True, False, "55.0 °C meets it, and not yet for 30 s")
    await home.say("D1", "temperature", 48.0, after_s=31)
    [one] = (await home.ask("POST", "/rules/r/evaluate")).data["subjects"]
    assert one["holds"]
    assert one["alert"] is not None
    assert one["why"] == "48.0 °C no longer meets it, but is not far enough back for it to be over"


async def test_price_and_budget(home: AlertedHouse) -> None:
    await home.state(dear={"kind": "price", "above": 0.4}, spent={"kind": "budget", "period": "month", "at_least": 100})
    now = home.clock.now_ms()
    home.hub.states.set(Series("tariff", Quantity("price_now", "EUR/kWh", Kind.GAUGE, "")), 0.45, now, now)
    home.hub.states.set(Series("tariff", Quantity("cost_month", "EUR", Kind.GAUGE, "")), 100.0, now, now)
    await home.catch_up()
    assert {(alert["rule"], alert["message"]) for alert in await home.open_alerts()} == {
        ("dear", "the house: price now is 0.45 EUR/kWh, above 0.4 EUR/kWh."),
        ("spent", "the house: cost month is 100 EUR, at least 100 EUR."),
    }


async def test_energy_of_a_period_and_a_meter_point(house: AlertedHouse) -> None:
    house.hub.tasks.start("ledger", house.ledger.deriver.work)
    await house.ask("POST", "/meter-points", {"id": "heater", "name": "Heater", "series": ["H1.energy_import"]})
    await house.state(much={"kind": "energy", "meter_point": "heater", "period": "day", "above": 1.5},
                      strong={"meter_point": "heater", "quantity": "power", "above": 3000})  # fmt: skip
    hour = house.clock.now_ms() // 86_400_000 * 86_400_000 + 86_400_000 + 3_600_000
    house.clock.set(hour)
    for number, register in enumerate((100.0, 101.0, 101.6)):
        house.clock.set(hour + number * 1_800_000)
        await house.store("H1", "energy_import", register, house.clock.now_ms())
    await house.say("H1", "power", 3500.0)
    await house.ledger.caught_up(20)
    await house.alerting._energies.look()
    await house.catch_up()
    found = {alert["rule"]: alert["message"] for alert in await house.open_alerts()}
    assert found == {"much": "Heater: energy of the day is 1.6 kWh, above 1.5 kWh.", "strong": "H1: power is 3500 W, above 3000 W."}
    house.clock.set(hour + 86_400_000)
    await house.alerting._energies.look()
    await house.catch_up()
    assert [alert["rule"] for alert in await house.open_alerts()] == ["strong"]


async def test_a_template_is_a_rule(home: AlertedHouse) -> None:
    def state(address: str) -> Any:
        device, _, quantity = address.partition(".")
        entry = home.devices.find(device)
        found = None if entry is None else home.hub.states.get(entry.feed.series[quantity])
        return 0.0 if found is None else found.value

    home.alerting.expressions.templates = Templates({"state": state})
    both = "{{ state('a.power') + state('b.power') }}"
    await home.state(sum={"kind": "template", "template": both, "above": 3000, "name": "Too much at once"},
                     dark={"kind": "template", "template": "{{ state('a.power') < 5 }}"})  # fmt: skip
    await home.store("a", "power", 2000.0, home.clock.now_ms())
    await home.store("b", "power", 1500.0, home.clock.now_ms())
    await home.alerting.expressions.look()
    await home.catch_up()
    [alert] = await home.open_alerts()
    assert (alert["rule"], alert["title"], alert["message"]) == ("sum", "Too much at once", "Too much at once: it is 3500, above 3000.")
    await home.store("a", "power", 1.0, home.clock.now_ms() + 1000)
    await home.alerting.expressions.look()
    await home.catch_up()
    assert [(alert["rule"], alert["message"]) for alert in await home.open_alerts()] == [("dark", "dark: it is so.")]
    assert problems(home, kind="template", template="{{ 1 +") != []
    assert problems(home, kind="template", template="{{ state('a.powr') }}") == [("r.template", "there is no quantity 'powr'. Did you mean \"power\"?")]
    assert problems(home, kind="template") == [("r", "expected the template that is worked out")]
