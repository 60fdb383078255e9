"""Intervals and rollups as tables: what the meter points measured, slot by slot or by the local hour, day, month, year."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms
from ohmstead.plugins.ledger.layers import quality
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.ledger.points.points import MeterPoint
from ohmstead.plugins.ledger.rollups import Rollup
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.reports.table import Column, Kind, Row, Table

QUARTER_MS, DAY_MS = 900_000, 86_400_000
SLOTS_MS = 31 * DAY_MS  # how much is read at once
ROLLUPS_MS = {"hour": 200 * DAY_MS, "day": 3660 * DAY_MS, "month": 36_600 * DAY_MS, "year": 366_000 * DAY_MS}
_SPAN = (
    Column("meter_point"), Column("start", Kind.INSTANT), Column("end", Kind.INSTANT), Column("kwh", Kind.MILLIONTHS),
    Column("m3", Kind.MILLIONTHS), Column("quality"), Column("covered_s", Kind.REAL), Column("source"),
)  # fmt: skip
SLOTS = _SPAN
ROLLUPS = (
    *_SPAN, Column("local"), Column("measured_s", Kind.REAL), Column("estimated_s", Kind.REAL), Column("reset_s", Kind.REAL),
    Column("peak_15_kw", Kind.MILLIONTHS), Column("peak_15_at", Kind.INSTANT), Column("peak_60_kw", Kind.MILLIONTHS),
    Column("peak_60_at", Kind.INSTANT),
)  # fmt: skip
_LABELS = {"hour": "%Y-%m-%dT%H:%M%z", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


def slots(ledger: Ledger, points: Sequence[MeterPoint], start_ms: int, end_ms: int) -> Table:
    """The slots that touch [start, end), meter point by meter point, from its first month of which anything is known to the last.

    kwh is empty where nothing is known, and for volumes; m3 is, for energy.
    """

    async def batches() -> AsyncIterator[list[Row]]:
        first, last = start_ms - start_ms % QUARTER_MS, end_ms + -end_ms % QUARTER_MS
        for point in points:
            months = (await ledger.rollups([point.id], "month", first, last))[point.id]
            low, high = (max(first, months[0].start_ms), min(last, months[-1].end_ms)) if months else (first, first)
            for begin in range(low, high, SLOTS_MS):
                sheets = (await ledger.sheets([point.id], begin, min(begin + SLOTS_MS, high)))[point.id]
                yield await asyncio.to_thread(_slots, point, sheets)

    return Table("intervals", SLOTS, batches())


def rollups(ledger: Ledger, points: Sequence[MeterPoint], resolution: str, start_ms: int, end_ms: int) -> Table:
    """The local hours, days, months or years that touch [start, end); `local` is their name in the meter point's zone."""

    async def batches() -> AsyncIterator[list[Row]]:
        for point in points:
            zone, after = ZoneInfo(ledger.points.zone_of(point.id)), None
            for begin in range(start_ms, end_ms, ROLLUPS_MS[resolution]):
                until = min(begin + ROLLUPS_MS[resolution], end_ms)
                found = (await ledger.rollups([point.id], resolution, begin, until))[point.id]
                fresh = [rollup for rollup in found if after is None or rollup.start_ms > after]
                after = fresh[-1].start_ms if fresh else after
                yield [_rollup(point, rollup, from_ms(rollup.start_ms).astimezone(zone).strftime(_LABELS[resolution])) for rollup in fresh]

    return Table(f"{resolution}s", ROLLUPS, batches())


def _slots(point: MeterPoint, sheets: Sequence[Sheet]) -> list[Row]:
    rows: list[Row] = []
    for sheet in sheets:
        for at in range(len(sheet)):
            start = sheet.start_ms + at * sheet.slot_ms
            cover = sheet.measured_ms[at], sheet.estimated_ms[at], sheet.reset_ms[at]
            rows.append(_span(point, start, start + sheet.slot_ms, sheet.mwh[at], cover, sheet.source[at]))
    return rows


def _rollup(point: MeterPoint, rollup: Rollup, label: str) -> Row:
    cover = rollup.measured_ms, rollup.estimated_ms, rollup.reset_ms
    peaks = (
        _mean_power(rollup.peak_15_mwh, 4), rollup.peak_15_ms, _mean_power(rollup.peak_60_mwh, 1), rollup.peak_60_ms,
    ) if point.unit == "kWh" else (None,) * 4  # fmt: skip
    return (
        *_span(point, rollup.start_ms, rollup.end_ms, rollup.mwh, cover, rollup.source), label, *(time_ms / 1000 for time_ms in cover),
        *peaks,
    )  # fmt: skip


def _span(point: MeterPoint, start_ms: int, end_ms: int, mwh: int, cover: tuple[int, int, int], source: int) -> Row:
    covered_ms = sum(cover)
    known = mwh if covered_ms else None
    energy, volume = (None, known) if point.unit == "m³" else (known, None)
    layer = Layer(source).name.lower() if source else None
    return (point.id, start_ms, end_ms, energy, volume, quality(end_ms - start_ms, *cover), covered_ms / 1000, layer)


def _mean_power(mwh: int | None, per_hour: int) -> int | None:
    return None if mwh is None else mwh * per_hour
