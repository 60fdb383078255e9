"""One alert rule, and how people state it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.notice import SEVERITIES
from ohmstead.plugins.people import address
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.tariffs import windows
from ohmstead.plugins.tariffs.schedule import WEEK, Schedule, Window, faults

Options = Mapping[str, Any]
Problem = tuple[tuple[str, ...], str]

COOLDOWN_S = 900.0
LONGEST_S = 31 * 86_400.0
AHEAD_MS = 9 * 86_400_000  # every hour of every day of the week comes round within this
READING, PRICE, BUDGET, ENERGY, OFFLINE, ERROR, FINDING = "reading", "price", "budget", "energy", "offline", "error", "finding"
TEMPLATE = "template"
KINDS = (READING, PRICE, BUDGET, ENERGY, OFFLINE, ERROR, FINDING, TEMPLATE)
SYSTEM, STORM = "system", "storm"  # rules that the house has by itself
STATUSES = ("active", "paused", "archived")
ABOUT = ("device", "meter_point", "tag", "location")
TAKES = {  # which of the options that say what it is about a kind takes
    READING: (*ABOUT, "quantity"), PRICE: ("contract",), BUDGET: ("contract", "period"), ENERGY: ("meter_point", "location", "period"),
    OFFLINE: ("device", "tag", "location"), ERROR: ("device", "tag", "location"), FINDING: ("meter_point", "location", "cause"),
    TEMPLATE: ("template",),
}  # fmt: skip
COMPARES = (READING, PRICE, BUDGET, ENERGY)
RISES = ("above", "at_least")  # what can be said of a period that is not over


def _span(value: Any) -> float:
    return validate.between(0, LONGEST_S, "seconds")(validate.duration(value))


def _text(most: int) -> Any:
    return vol.All(validate.text, vol.Length(max=most, msg=f"expected at most {most} letters"))


LEVEL = {
    vol.Required("after", description="how long nobody acknowledged it"): _span,
    vol.Optional("notify", default=[], description="who is told then: people, roles or addresses"): validate.list_of(_text(500)),
    vol.Optional("severity", description="how severe it is from then on; as before unless stated"): validate.one_of(*SEVERITIES),
}
WINDOW = {
    vol.Optional("hours", description="local hours, such as 9-21 or 22:00-06:00; all day unless stated"): validate.list_of(windows.hours),
    vol.Optional("days", description="mon … sun, weekdays, weekend; every day unless stated"):
        validate.list_of(validate.one_of(*WEEK, "weekdays", "weekend")),
    vol.Optional("dates", description="parts of the year, such as 05-15..10-14; all year unless stated"): validate.list_of(windows.dates),
}  # fmt: skip
RULE: dict[Any, Any] = {
    vol.Optional("name", description="name for people; made of what it watches unless stated"): _text(200),
    vol.Optional("description", description="what it is for, and what to do about it"): _text(2000),
    vol.Optional("kind", default=READING, description="what it watches"): validate.one_of(*KINDS),
    vol.Optional("device", description="about this device"): validate.slug,
    vol.Optional("meter_point", description="about this meter point"): validate.slug,
    vol.Optional("tag", description="about all devices with this tag"): _text(100),
    vol.Optional("location", description="about all that is in this location"): validate.slug,
    vol.Optional("contract", description="about this contract; the home's first unless stated"): validate.slug,
    vol.Optional("quantity", description="what is compared, such as power or temperature"): validate.text,
    vol.Optional("period", description="hour, day, month or year for energy; day or month for a budget"):
        validate.one_of("hour", "day", "month", "year"),
    vol.Optional("cause", description="causes of findings; all unless stated"): validate.list_of(validate.text),
    vol.Optional("template", description="a template of kind template: it says true or false, or a number that is compared"): _text(4000),
    **compare.SCHEMA,
    vol.Optional("for", default=0.0, description="for how long it must hold, such as 30s; at once unless stated"): _span,
    vol.Optional("severity", default="medium", description="low, medium, high or critical"): validate.one_of(*SEVERITIES),
    vol.Optional("cooldown", default=COOLDOWN_S, description="how long after one alert the next may follow at the earliest"): _span,
    vol.Optional("notify", default=[], description="who is told: people, roles or addresses; the owner unless stated"):
        validate.list_of(_text(500)),
    vol.Optional("schedule", default=[], description="windows of time in which it may fire; always unless stated"):
        validate.list_of(WINDOW),
    vol.Optional("escalation", default=[], description="who is told when nobody acknowledges it, and after how long"):
        validate.list_of(LEVEL),
    vol.Optional("repeat", description="how often it is told again until somebody acknowledges it"): _span,
    vol.Optional("status", default="active", description="active, paused (fires nothing) or archived (and is not listed)"):
        validate.one_of(*STATUSES),
}  # fmt: skip


class Level(msgspec.Struct, frozen=True):
    """A step of the escalation: `after_ms` since it was triggered without anybody having acknowledged it."""

    after_ms: int
    notify: tuple[str, ...]
    severity: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """An alert rule; `options` is how it was stated, checked, defaults filled in. Spans are milliseconds."""

    id: str
    kind: str
    comparison: Comparison | None
    for_ms: int
    severity: str
    cooldown_ms: int
    notify: tuple[str, ...]
    schedule: Schedule | None
    escalation: tuple[Level, ...]
    repeat_ms: int | None
    status: str
    origin: str = "api"
    created_by: str = "configuration"
    created_ms: int = 0
    options: Options = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, or its id."""
        return str(self.options.get("name") or self.id)

    @property
    def stamp(self) -> str:
        """Changes with what it compares and for how long, so that a gate of before stands for nothing."""
        return f"{zlib.crc32(repr((self.comparison, self.for_ms)).encode()):08x}"

    def fires_ms(self, at_ms: int, last_ms: int | None, zone: ZoneInfo) -> int:
        """When it may fire if what it watches holds from `at_ms` on and it last fired at `last_ms`: at once, once it has
        cooled down, or when its schedule opens. Where that is more than nine days ahead, when to look again.
        """
        from_ms = at_ms if last_ms is None else max(at_ms, min(last_ms, at_ms) + self.cooldown_ms)  # `last_ms` may be of a clock gone wrong
        if self.schedule is None:
            return from_ms
        return next((run.start_ms for run in self.schedule.runs(zone, from_ms, from_ms + AHEAD_MS)), from_ms + AHEAD_MS)


def made(id_: str, options: Options, origin: str = "api", created_by: str = "configuration", created_ms: int = 0) -> Rule:
    """The rule that checked options describe; they have no `contradictions`."""
    ranks = sorted(options["escalation"], key=lambda level: level["after"])
    levels = tuple(Level(round(level["after"] * 1000), tuple(level["notify"]), level.get("severity")) for level in ranks)
    repeat = options.get("repeat")
    return Rule(
        id_, options["kind"], compare.stated(options), round(options["for"] * 1000), options["severity"], round(options["cooldown"] * 1000),
        tuple(options["notify"]), _schedule(options["schedule"]), levels, None if repeat is None else round(repeat * 1000),
        options["status"], origin, created_by, created_ms, dict(options),
    )  # fmt: skip


def _schedule(stated: Sequence[Options]) -> Schedule | None:
    return Schedule(tuple(map(windows.window, stated)), (0,) * len(stated)) if stated else None


def own(kind: str, severity: str) -> Rule:
    """A rule that the house has by itself: `kind` is its id too."""
    return Rule(kind, kind, None, 0, severity, 0, (), None, (), None, "active", "built-in")


def contradictions(options: Options) -> Iterator[Problem]:
    """What is wrong with options each of which is right, as the keys that lead there and what would be right."""
    kind, takes = options["kind"], TAKES[options["kind"]]
    yield from _about(options, kind, takes)
    try:
        comparison = compare.stated(options)
    except vol.Invalid as error:
        yield tuple(map(str, error.path)), error.msg
        comparison = None
    else:
        if kind in COMPARES and comparison is None:
            yield (), "nothing is compared; state above, below, at_least, at_most, equals, differs or between"
    if kind not in (*COMPARES, TEMPLATE):
        yield from (((key,), f"a rule of kind {kind} compares nothing") for key in options if key in compare.KEYS)
    elif kind in (ENERGY, BUDGET) and comparison is not None and comparison.word not in RISES:
        yield (comparison.word,), f"{kind} of a period that is not over only grows; expected above or at_least"
    if kind == BUDGET and options.get("period", "month") not in ("day", "month"):
        yield ("period",), "expected day or month for a budget"
    yield from _overlaps(options["schedule"])
    if options.get("repeat") is not None and options["repeat"] < 60:
        yield ("repeat",), "expected at least 1m between two times"


def _about(options: Options, kind: str, takes: Sequence[str]) -> Iterator[Problem]:
    said = [key for key in (*ABOUT, "contract", "quantity", "period", "cause", "template") if key in options]
    yield from (((key,), f"does not go with kind {kind}, which takes {', '.join(takes)}") for key in said if key not in takes)
    about = [key for key in said if key in ABOUT and key in takes]
    if len(about) > 1:
        yield (about[1],), f"expected one thing it is about, and {about[0]} is stated too"
    if not about and kind not in (PRICE, BUDGET, FINDING, TEMPLATE):
        choice = [key for key in takes if key in ABOUT]
        yield (), f"expected what it is about: {', '.join(choice[:-1])} or {choice[-1]}"
    if kind == TEMPLATE and "template" not in options:
        yield (), "expected the template that is worked out"
    if kind == READING and "quantity" not in options:
        yield (), "expected the quantity that is compared, such as quantity: power"


def _overlaps(stated: Sequence[Options]) -> Iterator[Problem]:
    """Windows of which two are open at the same time."""
    opened = [windows.window(each) for each in stated]
    for place, window in enumerate(opened):
        if (when := _twice(window)) is not None:
            yield ("schedule", str(place), "hours"), f"hours of it overlap: {when}; state each hour once"
    for (first, one), (second, other) in combinations(enumerate(opened), 2):
        if (when := _twice(one, other)) is not None:
            yield ("schedule", str(second)), f"overlaps window {first + 1}: {when}; join the two, or state other hours or days"


def _twice(*opened: Window) -> str | None:
    """The first time that lies in two windows, in words."""
    found = next((text for text in faults(opened) if ": two prices " in text), None)
    return None if found is None else found.replace(": two prices", "")


def shown(rule: Rule) -> dict[str, Any]:
    """A rule for the API: as JSON takes it, with symbols; spans in seconds."""
    left = {key: value for key, value in rule.options.items() if key not in compare.KEYS}
    left["notify"] = [address.shown(each) for each in rule.notify]
    left["escalation"] = [{**level, "notify": [address.shown(each) for each in level["notify"]]} for level in rule.options["escalation"]]
    compared = {} if rule.comparison is None else rule.comparison.json()
    by = {"origin": rule.origin, "created_by": rule.created_by, "created_ms": rule.created_ms}
    return {"id": rule.id, **left, **compared, "name": rule.name, **by}


def with_status(rule: Rule, status: str) -> Options:
    """A rule's options with another status."""
    return {**rule.options, "status": status}
