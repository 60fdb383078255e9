"""Triggers on time: a time of day, a cron line, the sun, and the cheapest hours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import to_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.model import State
from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.jobs.schedule import cron_after
from ohmstead.plugins.ledger.slots import DAY_MS, local
from ohmstead.plugins.rules.automations import sun
from ohmstead.plugins.rules.automations.build import Arm, Build, Disarm, tariff
from ohmstead.plugins.rules.automations.kinds import TRIGGER
from ohmstead.plugins.rules.automations.post import Post
from ohmstead.plugins.rules.automations.timers import Following, Timer
from ohmstead.plugins.tariffs import outlook, windows
from ohmstead.plugins.tariffs.schedule import DAY, WEEK, Schedule, Window

SLOT_MS = 900_000
AHEAD_MS = 36 * 3_600_000
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_OFFSET = re.compile(r"([+-]?)(.+)")
_DAYS = {"weekdays": WEEK[:5], "weekend": WEEK[5:]}


def clock(value: Any) -> str:
    """Hour and minute, as a clock shows them."""
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        return value
    raise vol.Invalid("expected a time of day such as 07:30")


def cron(value: Any) -> str:
    """Five fields of a cron line."""
    try:
        if isinstance(value, str):
            cron_after(value, 0, "UTC")
            return value
    except ConfigError as error:
        raise vol.Invalid(str(error)) from None
    raise vol.Invalid("expected a cron line such as 0 7 * * mon-fri")


def offset(value: Any) -> float:
    """A time span in seconds, less than 0 for before: -30m."""
    match = _OFFSET.fullmatch(str(value).strip())
    assert match is not None
    found = validate.duration(match[2])
    if found > 43_200:
        raise vol.Invalid("expected at most 12h")
    return -found if match[1] == "-" else found


def hours(value: Any) -> float:
    """A time span of 15 minutes to 24 hours, in seconds."""
    found = validate.duration(value)
    if not 900 <= found <= 86_400 or found % 900:
        raise vol.Invalid("expected a time span from 15m to 24h, in quarters of an hour")
    return found


TIME = {
    vol.Required("time", description="time of day, such as 07:30"): clock,
    vol.Optional("days", description="mon … sun, weekdays, weekend; every day unless stated"):
        validate.list_of(validate.one_of(*WEEK, *_DAYS)),
}  # fmt: skip
CRON = {vol.Required("cron", description="five fields, in the home's zone: 0 7 * * mon-fri"): cron}
SUN = {
    vol.Required("sun", description="rise, or set, at the home's latitude and longitude"): validate.one_of(*sun.EVENTS),
    vol.Optional("offset", default=0, description="so much later; -30m for earlier"): offset,
}
CHEAPEST = {
    vol.Required("cheapest", description="when the cheapest so many hours in a row begin: 3h"): hours,
    vol.Optional("hours", default="0-24", description="looked for within these local hours of every day, such as 22-6"): windows.hours,
    vol.Optional("contract", description="by whose prices; the home's main contract unless stated"): validate.slug,
}


def kinds() -> Iterator[RuleKind]:
    """What this module adds."""
    yield RuleKind(TRIGGER, "time", TIME, _time, "the clocks show a time")
    yield RuleKind(TRIGGER, "cron", CRON, _cron, "a cron line is due")
    yield RuleKind(TRIGGER, "sun", SUN, _sun, "the sun rises or sets")
    yield RuleKind(TRIGGER, "cheapest", CHEAPEST, _cheapest, "the cheapest hours begin")


def _every(make: Any, facts: Mapping[str, Any]) -> Arm:
    """Fires at the instants that `make(post)` gives one after the other."""

    def arm(post: Post) -> Disarm:
        following: Following = make(post)
        return post.world.timers.every(following, lambda at_ms: post.fire({**facts, "at_ms": at_ms})).cancel

    return arm


def _time(options: Mapping[str, Any], build: Build) -> Arm:
    hour, _, minute = options["time"].partition(":")
    days = sorted({WEEK.index(day) for word in options.get("days", WEEK) for day in _DAYS.get(word, (word,))})
    line = f"{int(minute)} {int(hour)} * * {','.join(str((day + 1) % 7) for day in days)}"
    return _due(line, {"time": options["time"]})


def _cron(options: Mapping[str, Any], build: Build) -> Arm:
    return _due(options["cron"], {"cron": options["cron"]})


def _due(line: str, facts: Mapping[str, Any]) -> Arm:
    return _every(lambda post: lambda after_ms: cron_after(line, after_ms, post.world.facts.zone.key), facts)


def _sun(options: Mapping[str, Any], build: Build) -> Arm:
    event, offset_ms = options["sun"], round(options["offset"] * 1000)

    def make(post: Post) -> Following:
        def following(after_ms: int) -> int | None:
            place = post.world.facts.position
            return None if place is None else sun.following(after_ms, *place, event, offset_ms)

        return following

    if not build.known.placed:
        build.wrong("where is the home? State home → latitude and longitude", "sun")
    return _every(make, {"sun": event})


def _cheapest(options: Mapping[str, Any], build: Build) -> Arm:
    device = tariff(options)
    build.device(device, "contract")
    window = windows.window({"hours": (options["hours"],)})
    span_ms = round(options["cheapest"] * 1000)

    def arm(post: Post) -> Disarm:
        hunt = Hunt(post, f"{device}.price_ahead", window, span_ms)
        unwatch = post.world.watches.watch(hunt.address, hunt.heard)
        hunt.plan()

        def disarm() -> None:
            unwatch()
            hunt.cancel()

        return disarm

    return arm


class Hunt:
    """Looks for the cheapest hours among the prices ahead, and fires once for each window of hours.

    It looks anew whenever the prices move, so what is known last counts. Only what is left of a window is looked at,
    and a window that is not wholly priced yet waits for its prices, until there is no time left to wait.
    """

    def __init__(self, post: Post, address: str, window: Window, span_ms: int) -> None:
        self._post, self.address, self._window, self._span_ms = post, address, window, span_ms
        self._timer: Timer | None = None
        self._fired_ms = 0

    def heard(self, new: State, old: State | None) -> None:
        """The prices moved."""
        self.plan()

    def cancel(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def plan(self) -> None:
        """Find the hours, and wait for them."""
        self.cancel()
        state = self._post.world.facts.state(self.address)
        found = None if state is None else self._find(str(state.value), self._post.world.clock.now_ms())
        if found is not None:
            delay_s = max(0, found.start_ms - self._post.world.clock.now_ms()) / 1000
            self._timer = self._post.world.timers.after(delay_s, lambda at_ms: self._begin(found))

    def _begin(self, found: outlook.Ahead) -> None:
        self._fired_ms = self._post.world.clock.now_ms()
        price = None if found.price is None else float(found.price)
        self._post.fire({"start_ms": found.start_ms, "end_ms": found.end_ms, "mean_price": price})
        self.plan()

    def _find(self, ahead: str, now_ms: int) -> outlook.Ahead | None:
        start_ms, prices = slots(ahead)
        if start_ms is None:
            return None
        done_ms = max(self._fired_ms, self._post.last_ms() or 0)
        for begins_ms, ends_ms in self._windows(now_ms - DAY_MS, now_ms + AHEAD_MS):
            if ends_ms <= now_ms or begins_ms <= done_ms < ends_ms:
                continue
            first, last = (max(begins_ms, start_ms, now_ms - now_ms % SLOT_MS) - start_ms) // SLOT_MS, (ends_ms - start_ms) // SLOT_MS
            best = outlook.cheapest(prices[first:last], start_ms + first * SLOT_MS, SLOT_MS, self._span_ms // SLOT_MS)
            whole = last <= len(prices) and None not in prices[first:last]
            if best is not None and (whole or best.start_ms <= now_ms):
                return best
        return None


    def _windows(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        """The windows of hours that touch a span: whole local days, or the hours of a day or a night."""
        zone = self._post.world.facts.zone
        if self._window.hours == ((0, DAY),):
            yield from local("day", zone, start_ms, end_ms)
            return
        runs = Schedule((self._window,), (0,)).runs(zone, start_ms - DAY_MS, end_ms + DAY_MS)
        yield from ((run.start_ms, run.end_ms) for run in runs)


def slots(ahead: str) -> tuple[int | None, Sequence[Fraction | None]]:
    """Where the prices ahead begin, and the price of each slot from there on."""
    try:
        spans = [(to_ms(datetime.fromisoformat(each["start"])), to_ms(datetime.fromisoformat(each["end"])), each["price"])
                 for each in msgspec.json.decode(ahead)]  # fmt: skip
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None, ()
    if not spans:
        return None, ()
    prices = [None if price is None else Fraction(str(price)) for start, end, price in spans for _ in range((end - start) // SLOT_MS)]
    return spans[0][0], prices
