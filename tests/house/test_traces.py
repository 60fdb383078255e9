"""The published corpus: every trace comes to what its comment works out by hand, however its readings arrive."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.layers import quality
from ohmstead.plugins.ledger.slots import local
from tests.fakes import traces
from tests.fakes.tracks import Track


@pytest.fixture(params=traces.NAMES)
def trace(request: pytest.FixtureRequest) -> traces.Trace:
    return traces.load(request.param)


def by_track(trace: traces.Trace, rows: dict[str, list], size: int) -> traces.Derive:
    """Each track derived as its readings arrive, `size` at a time."""

    def derive(_: traces.Trace, rules, series: str):
        if rules.kind is Kind.DELTA:
            return traces.at_once(trace, rules, series)
        track = Track(rules, trace.grid)
        arriving = traces.within(rules, rows[series])
        for start in range(0, len(arriving), size):
            track.arrive(arriving[start : start + size])
        return track.days, track.verdicts

    return derive


def test_slots(trace: traces.Trace) -> None:
    days, _ = trace.derived()
    found = {}
    for sheet in days.values():
        for at, cover in enumerate(zip(sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)):
            if any(cover):
                found[sheet.start_ms + at * sheet.slot_ms] = (sheet.mwh[at], quality(sheet.slot_ms, *cover), sum(cover) / 1000, sheet.source[at])
    assert found == trace.slots


def test_hours_days_and_months(trace: traces.Trace) -> None:
    assert {"day", "month"} <= trace.views.keys()
    slots = [(start_ms, energy) for start_ms, (energy, *_) in sorted(trace.slots.items())]
    for view, expected in trace.views.items():
        starts = [start for start, _ in local(view, trace.zone, slots[0][0], slots[-1][0] + 1)]
        gathered = groupby(slots, lambda slot, starts=starts: max(start for start in starts if start <= slot[0]))
        found = {start: sum(energy for _, energy in part) for start, part in gathered}
        assert (found if view != "hour" else {start: found[start] for start in expected}) == expected, view


def test_verdicts(trace: traces.Trace) -> None:
    _, verdicts = trace.derived()
    assert [(verdict.at_ms, verdict.cause, verdict.mwh) for verdict in verdicts] == trace.verdicts


def test_resumed_at_every_prefix(trace: traces.Trace) -> None:
    rows = {name: traces.once(found) for name, found in trace.series.items()}
    assert trace.derived(by_track(trace, rows, 1)) == trace.derived()


def test_in_the_order_of_arrival(trace: traces.Trace) -> None:
    assert trace.derived(by_track(trace, trace.series, 1)) == trace.derived()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_and_repeated(trace: traces.Trace, seed: int) -> None:
    chance = random.Random(seed)
    rows = {}
    for name in trace.series:
        stored = trace.stored(name)
        rows[name] = stored + chance.choices(stored, k=len(stored) // 2)
        chance.shuffle(rows[name])
    size = max(1, max(map(len, rows.values())) // 40)
    assert trace.derived(by_track(trace, rows, size)) == trace.derived()
