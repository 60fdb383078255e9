"""The published corpus in a whole house: readings through ingest and writer, bindings and imports over the API, slots read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.clock import iso
from ohmstead.core.plugin import PeriodRow
from ohmstead.plugins.ledger.layers import kwh, quality
from ohmstead.plugins.ledger.points.bindings import SINCE_EVER, Binding, plain
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.ledger.slots import DAY_MS
from tests.fakes import traces
from tests.fakes.derived import derived, rebuilt
from tests.fakes.metered_house import MeteredHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[MeteredHouse]:
    async with MeteredHouse(storage_url, tmp_path) as house:
        yield house


def slug(trace: traces.Trace) -> str:
    return trace.name.replace("_", "-")


async def test_all_traces_in_one_house(house: MeteredHouse) -> None:
    corpus = [traces.load(name) for name in traces.NAMES]
    for trace in corpus:
        await bind(house, trace)
    for third in range(3):
        for trace in corpus:
            await take_in(house, trace, third)
        await house.ledger.caught_up(20)
    for trace in corpus:
        await lay(house, trace)
    await house.ledger.caught_up(20)
    for trace in corpus:
        assert await slots(house, trace) == trace.slots, trace.name
    assert await rebuilt(house) == await derived(house)


async def bind(house: MeteredHouse, trace: traces.Trace) -> None:
    await house.ask("POST", "/meter-points", {"id": slug(trace), "role": "load"})
    for binding in trace.bindings:
        await house.ask("POST", f"/meter-points/{slug(trace)}/bindings", said(trace, binding))


def said(trace: traces.Trace, binding: Binding) -> dict[str, Any]:
    """A binding as people write it."""
    terms = []
    for term in binding.terms:
        numbers = {name: getattr(term, name) for name in ("factor", "modulus", "opening", "closing")}
        shown = {name: plain(value) for name, value in numbers.items() if value is not None}
        terms.append({"series": f"{slug(trace)}-{term.series}", "resets": term.resets.value, "part": term.part.value, **shown})
    span = {"from": None if binding.from_ms == SINCE_EVER else iso(binding.from_ms), "to": None if binding.to_ms is None else iso(binding.to_ms)}
    return {"series": terms, "plausible_max": kwh(binding.plausible_per_h), "longest_gap": f"{binding.longest_gap_ms // 1000}s", **span}


async def take_in(house: MeteredHouse, trace: traces.Trace, third: int) -> None:
    """A third of the readings of each series, in their order of arrival, in one batch; what comes again may be refused as a conflict."""
    for series, rows in trace.series.items():
        device, _, quantity = series.partition(".")
        batch = house.ingest.batch("test", "test")
        feed = batch.feed(f"{slug(trace)}-{device}")
        for row in rows[len(rows) * third // 3 : len(rows) * (third + 1) // 3]:
            assert batch.add(feed, quantity, row[-1], *row[:-1]) is None
        await house.ingest.store(batch)


async def lay(house: MeteredHouse, trace: traces.Trace) -> None:
    for layer, periods in trace.layers.items():
        if layer is Layer.CORRECTION:
            for period in periods:
                await house.ask("POST", "/corrections", {
                    "kind": "set-total", "meter_point": slug(trace), "start": iso(period.start_ms), "end": iso(period.end_ms),
                    "kwh": kwh(period.mwh), "reason": "the trace says so",
                })  # fmt: skip
            continue
        made = (await house.ledger.imports.begin(layer.name.lower(), slug(trace), trace.name, "test")).made
        await house.ledger.imports.add(made.number, [PeriodRow(period.start_ms, period.end_ms, period.mwh, period.estimated) for period in periods])
        await house.ledger.imports.commit(made.number)


async def slots(house: MeteredHouse, trace: traces.Trace) -> dict[int, tuple[int, str, float, int]]:
    found = {}
    start_ms, end_ms = min(trace.slots) - DAY_MS, max(trace.slots) + DAY_MS
    for sheet in (await house.ledger.sheets([slug(trace)], start_ms, end_ms))[slug(trace)]:
        for at, cover in enumerate(zip(sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)):
            if any(cover):
                found[sheet.start_ms + at * sheet.slot_ms] = (sheet.mwh[at], quality(sheet.slot_ms, *cover), sum(cover) / 1000, sheet.source[at])
    return found
