"""The life of alerts, from a reading to resolved, on both engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Conflict, Invalid, NotFound, Unavailable
from ohmstead.core.events import Announced, Event
from ohmstead.plugins.rules import events
from tests.fakes.alerted_house import AlertedHouse

BULB = {"device": "D1", "quantity": "temperature", "above": 50, "clear_below": 47, "for": "30s", "severity": "high", "cooldown": "15m",
        "notify": ["owner"]}  # fmt: skip
HOT = {"device": "D1", "quantity": "temperature", "above": 50}


async def test_from_a_reading_to_resolved(house: AlertedHouse) -> None:
    steps: list[str] = []
    for kind in (events.AlertTriggered, events.AlertResolved):
        house.bus.subscribe(kind, lambda event: steps.append(type(event).__name__))
    live: list[Announced] = []
    house.bus.subscribe(Announced, lambda event: live.append(event) if event.kind == "ALERT" else None)
    await house.state(bulb_overheat=BULB)
    began = house.clock.now_ms()
    await house.say("D1", "temperature", 53.25)
    await house.say("D1", "temperature", 54.0, after_s=20)
    assert await house.open_alerts() == []
    await house.wait(11)
    [alert] = await house.open_alerts()
    assert (alert["status"], alert["severity"], alert["value"], alert["threshold"]) == ("triggered", "high", 54.0, "above 50 °C")
    assert alert["message"] == "D1: temperature is 54 °C, above 50 °C for 30 s."
    assert house.alerts.last_ms("bulb_overheat") == began + 30_000
    await house.say("D1", "temperature", 48.0, after_s=5)
    assert len(await house.open_alerts()) == 1
    await house.say("D1", "temperature", 46.5, after_s=5)
    assert await house.open_alerts() == []
    found = await house.get(f"/alerts/{alert['id']}")
    assert [line["what"] for line in found["history"]] == ["triggered", "resolved"]
    assert house.told == ["D1: temperature above 50 °C", "Resolved: D1: temperature above 50 °C"]
    assert [notice.recipients for notice in house.notices] == [("owner",)] * 2
    assert steps == ["AlertTriggered", "AlertResolved"]
    assert [(event.device, event.payload["step"], event.payload["id"]) for event in live] == [
        ("D1", "triggered", alert["id"]), ("D1", "resolved", alert["id"]),
    ]  # fmt: skip


async def test_people_move_it(house: AlertedHouse) -> None:
    await house.state(hot=HOT)
    await house.say("D1", "temperature", 60.0)
    [alert] = await house.open_alerts()
    one = f"/alerts/{alert['id']}"
    done = (await house.ask("POST", f"{one}/acknowledge", {"comment": "on my way"})).data
    assert (done["status"], done["acknowledged_by"]) == ("acknowledged", "owner")
    with pytest.raises(Conflict, match="acknowledged by owner already"):
        await house.ask("POST", f"{one}/acknowledge", {})
    assert (await house.ask("POST", f"{one}/assign", {"assignee": "sam"})).data["assignee"] == "sam"
    await house.ask("POST", f"{one}/comment", {"text": "the fan is stuck\0"})
    done = (await house.ask("POST", f"{one}/resolve", {"comment": "replaced"})).data
    assert (done["status"], done["resolved_by"]) == ("resolved", "owner")
    with pytest.raises(Conflict, match="resolved already"):
        await house.ask("POST", f"{one}/snooze", {"for": "1h"})
    lines = (await house.get(one))["history"]
    assert [(line["what"], line["text"]) for line in lines[1:]] == [
        ("acknowledged", "on my way"), ("assigned", "sam"), ("commented", "the fan is stuck\ufffd"), ("resolved", "replaced"),
    ]  # fmt: skip
    await house.say("D1", "temperature", 61.0, after_s=1000)
    assert await house.open_alerts() == []  # a person's word holds until it was over by itself
    await house.say("D1", "temperature", 40.0, after_s=1)
    await house.say("D1", "temperature", 60.0, after_s=1)
    assert len(await house.open_alerts()) == 1


async def test_a_snooze_ends(house: AlertedHouse) -> None:
    await house.state(hot=HOT)
    await house.say("D1", "temperature", 60.0)
    [alert] = await house.open_alerts()
    snoozed = (await house.ask("POST", f"/alerts/{alert['id']}/snooze", {"for": "10m"})).data
    assert snoozed["status"] == "snoozed"
    await house.wait(595)
    assert house.told == ["D1: temperature above 50 °C"]
    await house.wait(10)
    assert (await house.open_alerts())[0]["status"] == "triggered"
    assert house.told == ["D1: temperature above 50 °C"] * 2
    with pytest.raises(Invalid, match="expected an instant ahead"):
        await house.ask("POST", f"/alerts/{alert['id']}/snooze", {"until": "2020-01-01T00:00:00Z"})


async def test_nobody_acknowledges(house: AlertedHouse) -> None:
    levels = [{"after": "10m", "notify": ["manager@example.org"]}, {"after": "20m", "notify": ["boss@example.org"], "severity": "critical"}]
    await house.state(hot={**HOT, "repeat": "6m", "escalation": levels})
    await house.say("D1", "temperature", 60.0)
    await house.wait(1_205)
    kinds = [(notice.title.partition(":")[0], notice.recipients) for notice in house.notices]
    assert kinds == [
        ("D1", ()), ("Still", ()), ("Escalated", ("manager@example.org",)), ("Still", ("manager@example.org",)),
        ("Escalated", ("boss@example.org",)),
    ]  # fmt: skip
    [alert] = await house.open_alerts()
    assert (alert["level"], alert["severity"]) == (2, "critical")
    await house.ask("POST", f"/alerts/{alert['id']}/acknowledge", {})
    await house.wait(2_000)
    assert len(house.notices) == 5
    history = (await house.get(f"/alerts/{alert['id']}"))["history"]
    assert "•••@example.org" in history[2]["text"]


async def test_one_alert_of_a_rule_and_a_subject_and_a_cooldown_between_two(house: AlertedHouse) -> None:
    await house.state(hot={**HOT, "cooldown": "10m"})
    for value in (60.0, 40.0, 60.0, 40.0, 60.0):
        await house.say("D1", "temperature", value, after_s=1)
    assert len(await house.get("/alerts")) == 1
    await house.wait(590)
    assert len(await house.get("/alerts")) == 1
    await house.wait(10)
    assert len(await house.get("/alerts")) == 2  # it still holds when it has cooled down
    assert len(await house.open_alerts()) == 1


async def test_an_alert_that_was_over_while_it_cooled_down_never_comes(house: AlertedHouse) -> None:
    await house.state(hot={**HOT, "cooldown": "10m"})
    for value in (60.0, 40.0, 60.0, 40.0):
        await house.say("D1", "temperature", value, after_s=1)
    await house.wait(700)
    assert len(await house.get("/alerts")) == 1


async def test_it_fires_only_within_its_schedule(house: AlertedHouse) -> None:
    assert isinstance(house.clock, ManualClock)
    day_ms = house.clock.now_ms() // 86_400_000 * 86_400_000
    house.clock.set(day_ms + 86_400_000 + 7 * 3_600_000 + 3_590_000)  # 7:59:50 UTC
    await house.state(hot={**HOT, "schedule": [{"hours": "8-20"}]})
    await house.say("D1", "temperature", 60.0)
    assert await house.open_alerts() == []
    await house.wait(12)
    [alert] = await house.open_alerts()
    assert alert["triggered"].endswith("T08:00:00Z")


async def test_setting_the_clock_neither_fires_nor_escalates(house: AlertedHouse) -> None:
    assert isinstance(house.clock, ManualClock)
    await house.state(hot={**HOT, "repeat": "1h", "escalation": [{"after": "2h"}]})
    await house.say("D1", "temperature", 60.0)
    house.clock.set(house.clock.now_ms() + 30 * 86_400_000)
    await house.wait(5)
    assert len(house.notices) == 1
    house.clock.set(house.clock.now_ms() - 60 * 86_400_000)
    await house.wait(5)
    assert len(house.notices) == 1
    await house.wait(3_600)
    assert house.told[1:] == ["Still: D1: temperature above 50 °C"]


async def test_a_clock_that_went_back_does_not_cool_down_for_ever(house: AlertedHouse) -> None:
    assert isinstance(house.clock, ManualClock)
    await house.state(hot={**HOT, "cooldown": "10m"})
    await house.say("D1", "temperature", 60.0)
    await house.say("D1", "temperature", 40.0, after_s=1)
    house.hub.states.forget("D1")
    house.clock.set(house.clock.now_ms() - 86_400_000)
    await house.say("D1", "temperature", 60.0, after_s=1)
    await house.wait(601)
    assert len(await house.open_alerts()) == 1


async def test_the_cost_of_a_day_where_it_can_be_known(house: AlertedHouse) -> None:
    from ohmstead.core.model import Series
    from ohmstead.core.quantity import Kind, Quantity

    now = house.clock.now_ms()
    house.hub.states.set(Series("tariff", Quantity("price_now", "EUR/kWh", Kind.GAUGE, "")), 0.3, now, now)
    await house.state(standby={"device": "tv", "quantity": "power", "at_least": 50})
    await house.say("tv", "power", 100.0)
    [alert] = await house.open_alerts()
    assert (alert["cost_per_day"], alert["currency"]) == ("0.72", "EUR")
    assert house.notices[0].facts["expected cost per day"] == "0.72 EUR"


async def test_late_and_imported_readings_fire_nothing(house: AlertedHouse) -> None:
    await house.state(hot=HOT)
    await house.say("D1", "temperature", 20.0)
    await house.store("D1", "temperature", 90.0, house.clock.now_ms() - 60_000)
    await house.catch_up()
    assert await house.open_alerts() == []


async def test_it_survives_a_restart_and_fires_no_second_time(storage_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with AlertedHouse(storage_url, tmp_path, clock) as house:
        await house.state(bulb=BULB, half={**BULB, "device": "D2", "for": "60s"}, hot=HOT)
        await house.say("D1", "temperature", 60.0)
        await house.wait(31)
        await house.say("D2", "temperature", 60.0)
        await house.wait(25)
        [bulb] = [alert for alert in await house.open_alerts() if alert["rule"] == "bulb"]
        await house.ask("POST", f"/alerts/{bulb['id']}/acknowledge", {})
        assert len(house.notices) == 2
    await clock.advance(5)
    async with AlertedHouse(storage_url, tmp_path, clock) as house:
        await house.state(bulb=BULB, half={**BULB, "device": "D2", "for": "60s"}, hot=HOT)
        assert {(alert["rule"], alert["status"]) for alert in await house.open_alerts()} == {("bulb", "acknowledged"), ("hot", "triggered")}
        await house.say("D1", "temperature", 61.0)
        await house.wait(25)
        assert house.notices == []
        await house.wait(10)
        assert house.told == ["D2: temperature above 50 °C"]
        assert [alert["rule"] for alert in await house.open_alerts()] == ["half", "bulb", "hot"]
        await house.say("D1", "temperature", 40.0)
        assert [alert["rule"] for alert in await house.open_alerts()] == ["half"]


async def test_what_is_not_there_is_not_found(home: AlertedHouse) -> None:
    for id_ in ("7", "x", "9" * 40, "٣"):
        with pytest.raises(NotFound, match="there is no alert"):
            await home.get(f"/alerts/{id_}")


async def test_the_list_has_filters_and_pages(home: AlertedHouse) -> None:
    await home.state(hot={"tag": "t", "quantity": "temperature", "above": 50}, cold={"device": "D1", "quantity": "power", "below": 5, "severity": "low"})
    for number in range(5):
        await home.ask("POST", "/devices", {"id": f"D{number}", "tags": ["t"]})
        await home.say(f"D{number}", "temperature", 60.0)
    await home.say("D1", "power", 1.0)
    assert len(await home.walk("/alerts", limit=2)) == 6
    assert [alert["rule"] for alert in await home.get("/alerts", severity="low")] == ["cold"]
    assert len(await home.get("/alerts", device="D1")) == 2
    assert home.alerts.active() == {"low": 1, "medium": 5, "high": 0, "critical": 0}


async def test_what_was_resolved_long_ago_is_forgotten(house: AlertedHouse) -> None:
    await house.state(hot=HOT, cold={"device": "D2", "quantity": "temperature", "below": 5})
    for device, value in (("D1", 60.0), ("D1", 20.0), ("D2", 1.0)):
        await house.say(device, "temperature", value, after_s=1)
    house.clock.set(house.clock.now_ms() + 400 * 86_400_000)
    await house.say("D1", "temperature", 60.0)
    await house.say("D1", "temperature", 20.0, after_s=1)
    assert await house.alerts.prune() == 0
    first, _, kept = sorted(alert["id"] for alert in await house.get("/alerts"))
    house.clock.set(house.clock.now_ms() + 340 * 86_400_000)
    assert await house.alerts.prune() == 1
    assert [(alert["id"], alert["rule"], alert["status"]) for alert in await house.get("/alerts")] == [
        (kept, "hot", "resolved"), (first + 1, "cold", "triggered"),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await house.get(f"/alerts/{first}")
    assert (len(await house.alerts.history(first)), len(await house.alerts.history(kept))) == (0, 2)
    await house.ask("POST", f"/alerts/{kept}/comment", {"text": "it was the sun"})
    house.clock.set(house.clock.now_ms() + 500 * 86_400_000)
    assert await house.alerts.prune() == 0


async def test_who_witnesses_a_step_does_so_in_its_transaction(house: AlertedHouse) -> None:
    seen: list[Event] = []

    async def witness(tx: AsyncConnection, heard: Sequence[Event]) -> None:
        seen.extend(heard)
        if len(seen) == 2:
            raise Unavailable("the log is full")

    house.alerts.journal.witness = witness
    await house.state(hot=HOT)
    await house.say("D1", "temperature", 60.0)
    [alert] = await house.open_alerts()
    with pytest.raises(Unavailable):
        await house.ask("POST", f"/alerts/{alert['id']}/acknowledge", {})
    found = await house.get(f"/alerts/{alert['id']}")
    assert (found["status"], [line["what"] for line in found["history"]]) == ("triggered", ["triggered"])
    assert [type(event) for event in seen] == [events.AlertTriggered, events.AlertAcknowledged]
