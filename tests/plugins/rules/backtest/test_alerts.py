"""Alert rules replayed: what happened live happens again, exactly, and what cannot be is told."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import Device, DeviceStatus
from tests.fakes.replayed_house import ReplayedHouse

HOT = {"device": "boiler", "quantity": "temperature", "above": 50, "clear_below": 47, "for": "30s", "cooldown": "5m", "notify": []}
DAY = 86_400_000


def fired(found: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(each["subject"], each["at"], each["value"]) for rule in found["alerts"] for each in rule["activations"]]


async def test_a_recorded_day_is_replayed_to_the_very_same_alerts(house: ReplayedHouse) -> None:
    rule = {**HOT, "cooldown": "1m"}
    await house.state(hot=rule)
    start = house.clock.now_ms()
    chance, value = random.Random(1), 45.0
    for _ in range(120):
        value = min(max(value + chance.uniform(-4, 4), 40), 58)
        await house.say("boiler", "temperature", round(value, 1), chance.choice((5, 10, 20)))
    end = house.clock.now_ms()
    found = await house.backtest(start, end, alerts={"hot": rule})
    happened = found["alerts"][0]["history"]
    assert happened["happened"] >= 2
    assert (happened["same"], happened["only_replayed"], happened["only_happened"]) == (happened["happened"], [], [])
    assert found["alerts"][0]["count"] == happened["happened"]


async def test_a_reading_that_came_late_makes_a_difference_that_is_listed(home: ReplayedHouse) -> None:
    await home.state(hot=HOT)
    start = home.clock.now_ms()
    await home.say("boiler", "temperature", 40, 60)
    await home.say("boiler", "temperature", 41, 600)
    late = start + 120_000
    await home.store("boiler", "temperature", 55, late)
    await home.say("boiler", "temperature", 60, 60)
    await home.say("boiler", "temperature", 60, 60)
    found = (await home.backtest(start, home.clock.now_ms() + 1, alerts={"hot": HOT}))["alerts"][0]
    assert found["history"] == {
        "happened": 1, "same": 1, "only_replayed": [{"subject": "boiler.temperature", "at": iso(late + 30_000)}], "only_happened": [],
    }  # fmt: skip


async def test_cooldown_and_schedule_hold_back_as_they_do_live(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() // DAY * DAY - 3 * DAY
    await home.record("boiler.temperature", start, 60, *[60 if n % 2 else 20 for n in range(60)])
    rule = {**HOT, "for": 0, "cooldown": "10m"}
    found = await home.backtest(start, start + DAY, alerts={"hot": rule})
    assert [at for _, at, _ in fired(found)] == [iso(start + 60_000 + n * 600_000) for n in range(7)]  # the last one holds to the end
    found = await home.backtest(start, start + DAY, alerts={"hot": {**rule, "schedule": [{"hours": "00:30-24:00"}]}})
    assert [at for _, at, _ in fired(found)] == [iso(start + (30 + 10 * n) * 60_000) for n in range(4)]  # what waits rings before a reading of that instant


async def test_what_held_before_the_span_is_no_activation_in_it(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() - 5 * DAY
    await home.record("boiler.temperature", start - 3_600_000, 60, *[48] * 10, 60, *[48] * 200)
    found = await home.backtest(start, start + DAY, alerts={"hot": {**HOT, "for": 0}})
    assert fired(found) == []


async def test_what_is_still_so_at_the_end_has_no_end(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() - 2 * DAY
    await home.record("boiler.temperature", start, 60, 20, 20, 60)
    found = await home.backtest(start, start + 3_600_000, alerts={"hot": HOT})
    assert found["alerts"][0]["activations"] == [
        {"subject": "boiler.temperature", "at": iso(start + 150_000), "value": 60.0, "until": None}
    ]


async def test_a_deadline_behind_the_end_does_not_ring(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() - 2 * DAY
    await home.record("boiler.temperature", start, 60, 20, 20, 60)
    found = await home.backtest(start, start + 150_000, alerts={"hot": HOT})
    assert fired(found) == []


async def test_prices_and_texts_are_watched_too(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() // DAY * DAY - 3 * DAY
    dear = {"kind": "price", "above": 0.25, "notify": []}
    found = await home.backtest(start, start + 2 * DAY, alerts={"dear": dear})
    assert fired(found) == [("tariff.price_now", iso(start + n * DAY + 6 * 3_600_000), 0.3) for n in range(2)]


async def test_what_is_not_recorded_is_told(home: ReplayedHouse) -> None:
    now = home.clock.now_ms()
    with pytest.raises(Invalid, match="nothing is recorded of temperature"):
        await home.backtest(now - DAY, now, alerts={"hot": HOT})
    with pytest.raises(Invalid, match="gone: no change of a status is recorded of what it is about"):
        await home.backtest(now - DAY, now, alerts={"gone": {"kind": "offline", "device": "boiler", "notify": []}})


async def test_devices_that_were_offline(house: ReplayedHouse) -> None:
    rule = {"kind": "offline", "location": "home", "for": "60s", "cooldown": 0}
    house.devices.add(Device("boiler", "Boiler", location="home"))
    await house.state(gone=rule)
    start, boiler = house.clock.now_ms(), house.devices.entry("boiler")

    async def is_(status: DeviceStatus, for_s: float) -> None:
        house.devices.statuses.report(boiler, status, "said so")
        await house.wait(for_s)

    for status, for_s in (("online", 90), ("offline", 30), ("online", 90), ("offline", 90), ("error", 90), ("offline", 90)):
        await is_(DeviceStatus(status), for_s)
    await house.devices.saved()
    found = (await house.backtest(start, house.clock.now_ms(), alerts={"gone": rule, "faulty": {"kind": "error", "device": "boiler"}}))["alerts"]
    gone, faulty = found
    assert [each["until"] is None for each in gone["activations"]] == [False, True]
    assert gone["activations"][0]["at"] == iso(start + 270_000)
    assert (gone["history"]["happened"], gone["history"]["same"]) == (2, 2)
    assert [(each["subject"], each["value"]) for each in faulty["activations"]] == [("boiler", "error")]
    later = (await house.backtest(start + 240_000, house.clock.now_ms(), alerts={"gone": rule}))["alerts"]
    assert later[0]["count"] == 2


async def test_a_budget_by_what_the_period_came_to(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() // (30 * DAY) * 30 * DAY - 60 * DAY
    rules = {"day": {"kind": "budget", "period": "day", "at_least": 0.5, "cooldown": 0}, "month": {"kind": "budget", "above": 20}}
    day, month = (await home.backtest(start, start + 30 * DAY, alerts=rules))["alerts"]
    assert (day["count"], month["count"]) == (30, 1)
    assert day["activations"][1] == {"subject": "tariff.cost_today", "at": iso(start + DAY + 50 * 900_000), "value": 0.5, "until": iso(start + 2 * DAY)}
    assert month["activations"][0]["at"] == iso(start + 2001 * 900_000)


async def test_a_template_of_states_prices_and_energies(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() // DAY * DAY - 3 * DAY
    await home.record("boiler.power", start, 60, *[0] * 60, *[2000] * 60, *[0] * 60, *[2000] * 300, 0)
    await home.record("oven.power", start, 60, *[900] * 360, 0)
    await home.derive()
    template = {"kind": "template", "cooldown": 0}
    found = await home.backtest(start, start + DAY, alerts={
        "sum": {**template, "template": "{{ state('boiler.power') + state('oven.power') }}", "above": 2500, "for": "5m"},
        "dear": {**template, "template": "{{ state('boiler.power', 0) > 1000 and price.now > 0.25 }}"},
        "much": {**template, "template": "{{ energy_today('boiler') }}", "above": 3},
    })  # fmt: skip
    at = {each["rule"]: [activation["at"] for activation in each["activations"]] for each in found["alerts"]}
    assert at == {
        "sum": [iso(start + 65 * 60_000), iso(start + 185 * 60_000)], "dear": [iso(start + 6 * 3_600_000)],
        "much": [iso(start + 3 * 3_600_000 + 45 * 60_000)],
    }  # fmt: skip


async def test_findings_from_when_they_were_told_to_when_they_were_closed(house: ReplayedHouse) -> None:
    start = house.clock.now_ms() // DAY * DAY - 2 * DAY
    await house.record("meter.energy_import", start, 900, *range(100, 140), *range(30), 31)
    await house.derive()
    await house.ledger.findings.nightly()
    await house.ledger.findings.catch_up()
    [finding] = await house.ledger.findings.listing({"cause": "reset"}, None, 10)
    await house.clock.advance(60)
    await house.ledger.findings.dismiss(finding.number, "the meter was changed", "sam")
    await house.clock.advance(60)
    rules = {"told": {"kind": "finding", "cause": ["reset"]}, "other": {"kind": "finding", "meter_point": "grid"}}
    told, other = (await house.backtest(start, house.clock.now_ms(), alerts=rules))["alerts"]
    assert [(each["subject"], each["value"]) for each in told["activations"]] == [(f"finding {finding.number}", "reset")]
    assert told["activations"][0]["until"] is not None
    assert other["count"] == 0


@pytest.mark.parametrize(
    ("alerts", "said"),
    [({"hot": {"device": "boiler", "above": 5}}, "quantity"), ({"hot": {**HOT, "quantity": "temprature"}}, "quantity"),
     ({"hot": {**HOT, "clear_below": 60}}, "over before it was met"), ({"hot": {**HOT, "quantity": "mode"}}, "quantity|text")],
)  # fmt: skip
async def test_a_rule_that_is_wrong_is_refused(home: ReplayedHouse, alerts: dict[str, Any], said: str) -> None:
    now = home.clock.now_ms()
    with pytest.raises(Invalid) as refusal:
        await home.backtest(now - DAY, now, alerts=alerts)
    assert any(word in str(refusal.value.details or refusal.value) for word in said.split("|"))


async def test_spans_that_are_none_are_refused(home: ReplayedHouse) -> None:
    now = home.clock.now_ms()
    with pytest.raises(Invalid, match="expected a start before the end, in the past"):
        await home.backtest(now + DAY, now + 2 * DAY)
    with pytest.raises(Invalid, match="at most 1100 days"):
        await home.backtest(now - 2000 * DAY, now)


async def test_a_tariff_is_priced_by_billing(home: ReplayedHouse) -> None:
    now = home.clock.now_ms()
    [found] = (await home.backtest(now - DAY, now, tariffs={"cheap": {"currency": "EUR", "components": []}}))["tariffs"]
    assert (found["tariff"], found["would"], found["saving"]) == ("cheap", "8.00", "2.00")
