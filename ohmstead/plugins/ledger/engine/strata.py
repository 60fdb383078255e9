"""Lays imports and corrections over the live layer, in rows of their own, as far as a change reaches.

A total that is longer than a slot is shared by the layer below, so whatever changes below it lays it anew, with all that
overlap it. What is outside of that reach stays as it is stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.corrections.overlay import extent, overlay
from ohmstead.plugins.ledger.derive.delta import Period, settle, share
from ohmstead.plugins.ledger.engine.days import Day, bytes_of, pack, sheets, unpack
from ohmstead.plugins.ledger.engine.stack import Stored
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid

IMPORTED = (Layer.LIVE, Layer.MANUAL, Layer.SETTLED)

Span = tuple[int, int]
Numbered = Sequence[tuple[Period, int]]  # periods, and the number of the import each is of


class Laid(msgspec.Struct):
    """One UTC day of a layer: its slots, and which import or correction each is of (0: none)."""

    sheet: Sheet
    origin: array[int]

    @classmethod
    def empty(cls, day: int, grid: Grid) -> Laid:
        """A day of which nothing is said."""
        slot_ms = grid.slot_ms(day * DAY_MS)
        count = DAY_MS // slot_ms
        return cls(Sheet.empty(day * DAY_MS, slot_ms, count), array("q", bytes(8 * count)))


class Words(msgspec.Struct):
    """What people said of a meter point around a change, and the span it is laid anew in."""

    span: Span
    periods: dict[Layer, Numbered] = msgspec.field(default_factory=dict)
    corrections: Sequence[Correction] = ()
    own_ms: int | None = None  # where its own readings begin: imported history ends there

    def widened(self, grid: Grid) -> Span:
        """The span with all periods and corrections that reach into it, on slots' borders."""
        start_ms, end_ms = extent(self.corrections, *self.span)
        for periods in self.periods.values():
            start_ms = min([start_ms, *(period.start_ms for period, _ in periods)])
            end_ms = max([end_ms, *(period.end_ms for period, _ in periods)])
        return grid.start(start_ms), grid.end(end_ms)

    def __bool__(self) -> bool:
        return bool(self.corrections) or any(self.periods.values())


def lay(words: Words, stored: Stored, grid: Grid, others: Mapping[str, Sequence[Sheet]]) -> dict[Layer, dict[int, Laid]]:
    """The new days of every layer above the tracks, over all UTC days that the span touches.

    `stored` are the rows of those days, in which the new ones take the place of the old. `others` are resolved sheets of
    the meter points that replace this one.
    """
    found: dict[Layer, dict[int, Laid]] = {}
    for layer in IMPORTED:
        periods = words.periods.get(layer, ())
        if layer is Layer.LIVE:
            periods = [each for each in periods if words.own_ms is None or each[0].end_ms <= words.own_ms]
            fresh = _imported(periods, (), grid)
        else:
            below = sheets(stored.resolved(layer), *words.span, grid) if periods else ()
            fresh = _imported(periods, below, grid)
        found[layer] = _merge(layer, fresh, words.span, stored, grid)
    below = sheets(stored.resolved(Layer.CORRECTION), *words.span, grid) if words.corrections else ()
    found[Layer.CORRECTION] = _merge(Layer.CORRECTION, _corrected(words, below, others, grid), words.span, stored, grid)
    return found


def _imported(periods: Numbered, below: Sequence[Sheet], grid: Grid) -> dict[int, Laid]:
    claims, _ = settle(period for period, _ in periods)
    numbers = dict(periods)
    found = {day: Laid(sheet, Laid.empty(day, grid).origin) for day, sheet in share(claims, grid, below).items()}
    for claim in claims:
        number = numbers[claim.period]
        for start_ms, end_ms in claim.spans:
            _number(found, start_ms, end_ms, number)
    return found


def _number(days: Mapping[int, Laid], start_ms: int, end_ms: int, number: int) -> None:
    """Say of the slots that touch [start, end) which import they are of."""
    for day in range(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1):
        laid, first_ms = days[day], day * DAY_MS
        slot_ms = laid.sheet.slot_ms
        for at in range(max(start_ms - first_ms, 0) // slot_ms, (min(end_ms - first_ms, DAY_MS) - 1) // slot_ms + 1):
            laid.origin[at] = number


def _corrected(words: Words, below: Sequence[Sheet], others: Mapping[str, Sequence[Sheet]], grid: Grid) -> dict[int, Laid]:
    found: dict[int, Laid] = {}
    for laid in overlay(words.corrections, below, others) if words.corrections else ():
        sheet = laid.sheet
        for day in range(sheet.start_ms // DAY_MS, (sheet.end_ms - 1) // DAY_MS + 1):
            low, high = max(sheet.start_ms, day * DAY_MS), min(sheet.end_ms, (day + 1) * DAY_MS)
            made = found.setdefault(day, Laid.empty(day, grid))
            _copy(made, Laid(sheet, laid.origin), low, high)
    for made in found.values():
        for at, number in enumerate(made.origin):
            if not number:  # corrections do not speak here
                made.sheet.mwh[at] = made.sheet.measured_ms[at] = made.sheet.estimated_ms[at] = made.sheet.reset_ms[at] = 0
    return found


def _merge(layer: Layer, fresh: Mapping[int, Laid], span: Span, stored: Stored, grid: Grid) -> dict[int, Laid]:
    """The fresh slots within the span, the stored ones outside of it; `stored` has them from now on."""
    found: dict[int, Laid] = {}
    rows = stored.upper.setdefault(layer, {})
    for day in range(span[0] // DAY_MS, (span[1] - 1) // DAY_MS + 1):
        first, last = max(span[0], day * DAY_MS), min(span[1], (day + 1) * DAY_MS)
        made = fresh.get(day) or Laid.empty(day, grid)
        if last - first < DAY_MS and day in rows and rows[day].energy:
            old = Laid(unpack(rows[day]), stored.origins.get((layer, day)) or Laid.empty(day, grid).origin)
            _copy(old, made, first, last)
            made = old
        row = pack(made.sheet)
        rows.pop(day, None)
        if row.energy:
            rows[day] = row
            found[day] = made
    return found


def _copy(into: Laid, source: Laid, start_ms: int, end_ms: int) -> None:
    """Copy the slots in [start, end)."""
    slot_ms = into.sheet.slot_ms
    here = slice((start_ms - into.sheet.start_ms) // slot_ms, (end_ms - into.sheet.start_ms) // slot_ms)
    there = slice((start_ms - source.sheet.start_ms) // slot_ms, (end_ms - source.sheet.start_ms) // slot_ms)
    for column in ("mwh", "measured_ms", "estimated_ms", "reset_ms"):
        getattr(into.sheet, column)[here] = getattr(source.sheet, column)[there]
    into.origin[here] = source.origin[there]


def packed(laid: Mapping[Layer, Mapping[int, Laid]]) -> Iterable[tuple[Layer, Day, bytes]]:
    """Rows: the layer, the day, and the origins as bytes."""
    for layer, days in laid.items():
        for _, made in sorted(days.items()):
            yield layer, pack(made.sheet), bytes_of(made.origin)

