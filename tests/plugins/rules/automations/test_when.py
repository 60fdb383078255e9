"""Triggers on time, sun, prices, events, messages and calls."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ohmstead.core.clock import ManualClock, from_ms, settle, to_ms
from ohmstead.core.errors import NotFound, RateLimited
from ohmstead.core.events import DeviceStatusChanged, PluginQuarantined
from ohmstead.core.model import DeviceStatus, Series
from ohmstead.core.quantity import Kind, Quantity
from ohmstead.plugins.rules.automations import sun
from ohmstead.plugins.rules.automations.timers import Timers
from ohmstead.plugins.rules.events import AlertTriggered
from tests.fakes.automated_house import AutomatedHouse

SECRET = "aaBBccDDeeFFggHHiiJJkkLL"


def berlin(house: AutomatedHouse, at: str) -> None:
    home = house.devices.locations.get("home")
    house.devices.locations.put(msgspec.structs.replace(home, time_zone="Europe/Berlin", latitude=52.52, longitude=13.4))
    house.clock._floor_ms = 0
    house.clock.set(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Berlin")))


def marks(trigger: Any) -> dict[str, Any]:
    return {"trigger": trigger, "action": {"set": {"state": "house.mode", "value": "x"}}}


async def fired(house: AutomatedHouse, hours: float, trigger: Any, step_s: float = 300) -> list[str]:
    """The local times at which a trigger fires."""
    await house.listen(a=marks(trigger))
    await house.skip(hours, step_s)
    return [f"{from_ms(run.facts['at_ms']).astimezone(ZoneInfo('Europe/Berlin')):%a %H:%M}" for run in house.automations.get("a").traces]


async def test_a_time_of_day(home: AutomatedHouse) -> None:
    berlin(home, "2027-03-12T06:00")  # a Friday
    assert await fired(home, 75, {"time": "07:30", "days": "weekdays"}) == ["Fri 07:30", "Mon 07:30"]


@pytest.mark.parametrize(("day", "times"), [("2027-03-27T20:00", ["Sun 03:00"]), ("2027-10-30T20:00", ["Sun 02:30"])])
async def test_nights_when_the_clocks_change(home: AutomatedHouse, day: str, times: list[str]) -> None:
    berlin(home, day)
    assert await fired(home, 14, {"time": "02:30"}) == times


async def test_cron(home: AutomatedHouse) -> None:
    berlin(home, "2027-03-12T06:01")
    assert await fired(home, 1, {"cron": "*/20 * * * *"}) == ["Fri 06:20", "Fri 06:40", "Fri 07:00"]


async def test_a_clock_that_jumps() -> None:
    clock = ManualClock()
    clock._floor_ms = 0
    rung: list[int] = []
    timers = Timers(clock)
    timers.ring()
    hour = 3_600_000
    timers.every(lambda after: (after // hour + 1) * hour, rung.append)
    clock.set(clock.now_ms() + 400 * 24 * hour)
    timers.ring()
    assert rung == []  # too long ago to be made up for
    clock.set(clock.now_ms() - 500 * 24 * hour)
    timers.ring()
    await clock.advance(3700)
    timers.ring()
    assert len(rung) == 1
    clock.set(clock.now_ms() - 600_000)
    timers.ring()
    assert len(rung) == 1


@pytest.mark.parametrize(
    ("place", "day", "rise", "set_"),
    [  # of NOAA's calculator, UTC
        ((52.52, 13.405), "2026-06-21", "02:43", "19:33"),
        ((52.52, 13.405), "2026-12-21", "07:15", "14:54"),
        ((-33.87, 151.21), "2026-12-21", "18:41", "09:05"),
        ((0.0, 0.0), "2026-03-20", "06:04", "18:11"),
    ],
)
def test_the_sun(place: tuple[float, float], day: str, rise: str, set_: str) -> None:
    for event, expected in (("rise", rise), ("set", set_)):
        at_ms = sun.instant(date.fromisoformat(day), *place, event)
        assert at_ms is not None
        found = from_ms(at_ms)
        minutes = abs((found.hour * 60 + found.minute + found.second / 60) - (int(expected[:2]) * 60 + int(expected[3:])))
        assert min(minutes, 1440 - minutes) < 2, found


def test_polar_days_have_no_sunset() -> None:
    assert sun.instant(date(2026, 6, 21), 69.65, 18.96, "set") is None
    after = to_ms(datetime(2026, 6, 1, tzinfo=UTC))
    found = sun.following(after, 69.65, 18.96, "set")
    assert found is not None
    assert timedelta(days=45) < from_ms(found) - from_ms(after) < timedelta(days=65)


async def test_sunset_with_an_offset(home: AutomatedHouse) -> None:
    berlin(home, "2027-06-21T12:00")
    assert await fired(home, 24, {"sun": "set", "offset": "-1h"}) == ["Mon 20:33"]


def prices(house: AutomatedHouse, *per_hour: float | None) -> None:
    """Prices from this hour on."""
    now = house.clock.now_ms()
    start = now - now % 900_000
    spans = [{"start": from_ms(start + n * 3_600_000).isoformat(), "end": from_ms(start + (n + 1) * 3_600_000).isoformat(), "price": price}
             for n, price in enumerate(per_hour)]  # fmt: skip
    series = house.__dict__.setdefault("ahead", Series("tariff", Quantity("price_ahead", "", Kind.TEXT, "")))
    house.hub.states.set(series, json.dumps(spans), now, now)


async def test_the_cheapest_hours_begin_once_a_day(home: AutomatedHouse) -> None:
    berlin(home, "2027-03-12T00:00")
    await home.listen(a=marks({"cheapest": "3h"}))
    prices(home, *([0.3] * 12 + [0.1] * 3 + [0.3] * 9 + [0.05] * 8))
    await home.skip(11.75)
    assert home.results("a") == []
    await home.skip(0.5)
    assert home.results("a") == ["done"]
    facts = home.automations.get("a").traces[-1].facts
    assert (facts["end_ms"] - facts["start_ms"], facts["mean_price"]) == (3 * 3_600_000, 0.1)
    prices(home, *([0.2] * 12 + [0.05] * 8))
    await home.skip(10)
    assert home.results("a") == ["done"]


async def test_devices_events_and_prices(home: AutomatedHouse) -> None:
    await home.begin(
        a=marks({"device": "m", "status": "offline", "for": "5m"}),
        b=marks({"event": "PluginQuarantined", "where": {"plugin": "bad"}}),
        c=marks({"event": "AlertTriggered", "where": {"rule": "hot"}}),
    )
    for rule in ("cold", "hot"):
        home.bus.publish(AlertTriggered(7, rule, "m.temperature", "m", "high", "Too hot", None, None))
    assert home.results("c") == ["done"]
    for status in (DeviceStatus.ONLINE, DeviceStatus.OFFLINE):
        home.bus.publish(DeviceStatusChanged("m", DeviceStatus.UNKNOWN, status, "said so", home.clock.now_ms()))
    await home.clock.advance(290)
    assert home.results("a") == []
    await home.clock.advance(11)
    assert home.results("a") == ["done"]
    home.bus.publish(PluginQuarantined("good", "no"))
    home.bus.publish(PluginQuarantined("bad", "no"))
    assert home.results("b") == ["done"]
    assert home.automations.get("b").traces[-1].facts["reason"] == "no"


async def test_a_webhook(home: AutomatedHouse) -> None:
    await home.begin(a=marks({"webhook": SECRET}))
    hooks = home.engine.world.webhooks
    assert hooks.call(SECRET, {"body": "hello"}) == 1
    await settle()
    assert (home.results("a"), home.automations.get("a").traces[-1].facts) == (["done"], {"body": "hello"})
    for _ in range(20):
        with pytest.raises(NotFound):
            hooks.call(SECRET + "x", {})
    with pytest.raises(RateLimited):
        hooks.call("guess", {})
    for _ in range(59):
        hooks.call(SECRET, {})
    with pytest.raises(RateLimited):
        hooks.call(SECRET, {})
