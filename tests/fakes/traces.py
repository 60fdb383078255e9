"""The published corpus, tests/house/traces/: how a trace is written, read and derived.

A trace is one meter point. Its times are ISO 8601, its tables have one row a line, and `#` begins a comment.

    about     one sentence
    zone      of days and months
    series    device.quantity: readings in the order they arrive, `at [every 5s x12] value`
              (a delta: `from to value`); instants that come again are repeats, of which the first counts
    bindings  as in YAML: from, to, plausible_kw (50), longest_gap (3600 s), terms: [{series, factor, modulus, resets,
              part, opening, closing}]
    manual, settled, correction   layers: `from to kwh [estimated]`
    slots     `start [xN] kwh [quality [covered_s [source]]]`, complete: a slot that is not listed is missing
    days, months          `local start, kwh`, complete too
    hours                 the same, of those that are worth it
    verdicts  `at cause kwh`
    cents     tariff: exact amount, see tariffs.yaml beside it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from ohmstead.core.clock import to_ms
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.plugins.ledger.derive import delta
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import Verdict
from ohmstead.plugins.ledger.derive.walk import begin
from ohmstead.plugins.ledger.layers import add, join, resolve
from ohmstead.plugins.ledger.points.bindings import SINCE_EVER, Binding, Part, Resets, Term
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid

FOLDER = Path(__file__).parents[1] / "house" / "traces"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "tariffs")
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}

Days = dict[int, Sheet]
Derive = Callable[["Trace", Rules, str], tuple[Days, list[Verdict]]]


@dataclass
class Trace:
    name: str
    about: str
    zone: ZoneInfo
    series: dict[str, list[tuple[Any, ...]]]  # (at, value), deltas (end, start, value), in order of arrival
    bindings: list[Binding]
    layers: dict[Layer, list[delta.Period]]
    slots: dict[int, tuple[int, str, float, Layer]]  # start -> mWh, quality, covered seconds, source
    views: dict[str, dict[int, int]]  # hour, day, month -> start -> mWh
    verdicts: list[tuple[int, str, int]]
    cents: dict[str, str]
    grid: Grid = field(default_factory=Grid)

    def kind(self, series: str) -> Kind:
        return Quantities()[series.partition(".")[2]].kind

    def rules(self, binding: Binding, term: Term) -> Rules:
        return Rules.of(binding, term, self.kind(term.series), Quantities()[term.quantity].unit)

    def stored(self, series: str) -> list[tuple[Any, ...]]:
        """Readings as the database gives them: each instant once, in order."""
        return once(self.series[series])

    def derived(self, how: Derive | None = None) -> tuple[Days, list[Verdict]]:
        """The resolved days of the meter point, and all verdicts."""
        how = how or at_once
        verdicts: list[Verdict] = []
        bound = []
        for binding in self.bindings:
            tracks = []
            for term in binding.terms:
                days, found = how(self, self.rules(binding, term), term.series)
                tracks.append(days)
                verdicts += found
            bound.append(together(self.grid, tracks, add))
        layers = {Layer.LIVE: together(self.grid, bound, join)}
        for layer, periods in sorted(self.layers.items()):
            below = self._resolved(layers)
            claims, found = delta.settle(periods)
            layers[layer] = delta.share(claims, self.grid, [below[day] for day in sorted(below)])
            verdicts += found
        resolved = self._resolved(layers)
        return resolved, sorted(verdicts, key=lambda verdict: (verdict.at_ms, verdict.from_ms))

    def _resolved(self, layers: dict[Layer, Days]) -> Days:
        return together(self.grid, list(layers.values()), lambda sheets: resolve(dict(zip(layers, sheets, strict=True))))


def once(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    kept: dict[Any, tuple[Any, ...]] = {}
    for row in rows:
        kept.setdefault(row[:-1], row)
    return sorted(kept.values())


def at_once(trace: Trace, rules: Rules, series: str) -> tuple[Days, list[Verdict]]:
    """One track, derived from its beginning in one go."""
    rows = trace.stored(series)
    if rules.kind is Kind.DELTA:
        shared = delta.derive(rules, trace.grid, rows)
        return shared.days, shared.verdicts
    walk = begin(rules, trace.grid)
    walk.feed(within(rules, rows))
    walk.finish()
    return walk.days, walk.verdicts


def within(rules: Rules, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in rows if rules.counts(row[0])]


def together(grid: Grid, parts: list[Days], how: Callable[[list[Sheet]], Sheet]) -> Days:
    """Sheets of the same day laid together."""
    days = {}
    for day in sorted({day for part in parts for day in part}):
        slot_ms = grid.slot_ms(day * DAY_MS)
        days[day] = how([part.get(day) or Sheet.empty(day * DAY_MS, slot_ms, DAY_MS // slot_ms) for part in parts])
    return days


def load(name: str) -> Trace:
    raw = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    zone = ZoneInfo(raw["zone"])
    known = {"about", "zone", "series", "bindings", "manual", "settled", "correction", "slots", "hours", "days", "months", "verdicts", "cents"}
    assert raw.keys() <= known, raw.keys() - known
    views = {view: {local_ms(start, zone): mwh(value) for start, value in table(raw.get(f"{view}s", ""))} for view in ("hour", "day", "month") if f"{view}s" in raw}
    return Trace(
        name, raw["about"], zone, {name: list(_readings(name, text)) for name, text in raw["series"].items()}, [_binding(each) for each in raw["bindings"]],
        {Layer[layer.upper()]: [_period(row) for row in table(raw[layer])] for layer in ("manual", "settled", "correction") if layer in raw},
        dict(_slots(raw["slots"])), views, [(ms(at), cause, mwh(value)) for at, cause, value in table(raw.get("verdicts", ""))], raw.get("cents", {}),
    )  # fmt: skip


def table(text: str) -> list[list[str]]:
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [cells for cells in lines if cells]


def ms(at: str) -> int:
    return to_ms(datetime.fromisoformat(at))


def local_ms(at: str, zone: ZoneInfo) -> int:
    """A local date, month or time; with an offset where a time comes twice."""
    at = f"{at}-01" if len(at) == 7 else at
    found = datetime.fromisoformat(at)
    return to_ms(found if found.tzinfo else found.replace(tzinfo=zone))


def mwh(kwh: str) -> int:
    value = Decimal(kwh) * 10**6
    assert value == int(value), f"{kwh} kWh is no whole number of mWh"
    return int(value)


def _readings(series: str, text: str) -> Iterator[tuple[Any, ...]]:
    delta_series = series.endswith(".energy")
    for cells in table(text):
        if delta_series:
            yield ms(cells[1]), ms(cells[0]), float(cells[2])
            continue
        every_ms, count = (_span_ms(cells[2]), int(cells[3][1:])) if cells[1] == "every" else (0, 1)
        for number in range(count):
            yield ms(cells[0]) + number * every_ms, float(cells[-1])


def _span_ms(text: str) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text)
    assert found, text
    return int(found[1]) * UNITS_MS[found[2]]


def _period(row: list[str]) -> delta.Period:
    return delta.Period(ms(row[0]), ms(row[1]), mwh(row[2]), row[3:] == ["estimated"])


def _binding(raw: dict[str, Any]) -> Binding:
    terms = [{"series": term} if isinstance(term, str) else term for term in raw["terms"]]
    return Binding(
        ms(raw["from"]) if "from" in raw else SINCE_EVER, ms(raw["to"]) if "to" in raw else None, tuple(_term(term) for term in terms),
        int(Decimal(str(raw.get("plausible_kw", 50))) * 10**6), int(Decimal(str(raw.get("longest_gap", 3600))) * 1000),
    )  # fmt: skip


def _term(raw: dict[str, Any]) -> Term:
    numbers = {name: Decimal(str(raw[name])) for name in ("factor", "modulus", "opening", "closing") if name in raw}
    return Term(raw["series"], resets=Resets(raw.get("resets", "none")), part=Part(raw.get("part", "all")), **numbers)


def _slots(text: str) -> Iterator[tuple[int, tuple[int, str, float, Layer]]]:
    for start, *cells in table(text):
        count = int(cells.pop(0)[1:]) if cells[0].startswith("x") else 1
        quality = cells[1] if len(cells) > 1 else "measured"
        covered = float(cells[2]) if len(cells) > 2 else 900.0
        source = Layer[cells[3].upper()] if len(cells) > 3 else Layer.LIVE
        for number in range(count):
            yield ms(start) + number * 900_000, (mwh(cells[0]), quality, covered, source)
