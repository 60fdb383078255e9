"""What a correction may not be, each said with where, what, and what would be right."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import islice

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.plugins.ledger.corrections.changes import Change, Confirm, OfIntervals, Replace, Shift
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, Grid

LONGEST_MS = 3660 * DAY_MS


def reason(text: str) -> str:
    """A reason that says something. Invalid."""
    if not text.strip():
        raise _wrong("reason", "expected why this is corrected: it is shown beside the correction for ever")
    return text.strip()


def length(start_ms: int, end_ms: int) -> None:
    """A span is at most ten years. Invalid."""
    if end_ms - start_ms > LONGEST_MS:
        raise _wrong("end", f"{iso(start_ms)} to {iso(end_ms)} is longer than ten years; correct it in parts")


def borders(change: OfIntervals, grid: Grid, now_ms: int) -> None:
    """The span lies on the borders of slots that have begun. Invalid, with the nearest border."""
    for field, at_ms in (("start", change.start_ms), ("end", change.end_ms)):
        if (low := grid.start(at_ms)) != at_ms:
            high = grid.end(at_ms)
            nearest = low if at_ms - low <= high - at_ms else high
            raise _wrong(field, f"{iso(at_ms)} is not on the border of a slot; the nearest is {iso(nearest)}")
    if change.end_ms > (last_ms := grid.end(now_ms)):
        raise _wrong("end", f"{iso(change.end_ms)} has not come yet; end at {iso(last_ms)} or before")


def circle(change: Replace, replacing: Iterable[Correction], parts: Mapping[str, Sequence[str]]) -> None:
    """Replacing may not lead back to the same meter point within its span. Invalid, with the way.

    `parts` are what computed meter points are made of.
    """
    edges = [(c.change.meter_point, c.change) for c in replacing if isinstance(c.change, Replace)]

    def walk(point: str, start_ms: int, end_ms: int, way: tuple[str, ...]) -> None:
        if point == change.meter_point:
            raise _wrong("by", f"{' takes from '.join((*way, point))}: a circle; take from a meter point that is measured by itself")
        if point in way:
            return
        for part in parts.get(point, ()):
            walk(part, start_ms, end_ms, (*way, point))
        for replaced, other in edges:
            if replaced == point and other.overlaps(start_ms, end_ms):
                walk(other.by, max(start_ms, other.start_ms), min(end_ms, other.end_ms), (*way, point))

    walk(change.by, change.start_ms, change.end_ms, (change.meter_point,))


def occupied(change: Shift, moving: Iterable[tuple[int, int]], staying: Container[tuple[int, int]]) -> None:
    """No reading may land where one is that stays. Conflict, with the first such; each is its end and its beginning."""
    taken = [at_ms + change.by_ms for at_ms, from_ms in moving if (at_ms + change.by_ms, from_ms + change.by_ms) in staying]
    if taken:
        first = ", ".join(iso(at_ms) for at_ms in taken[:3])
        raise Conflict(f"{change.series}: {len(taken)} of the readings would land where there is one already, at {first}"
                       f"{' …' if len(taken) > 3 else ''}; void those first, or shift by another span")  # fmt: skip


def empty(slug: str, change: OfIntervals, sheets: Iterable[Sheet]) -> None:
    """A meter point has some intervals in the span. Invalid."""
    if not any(any(column) for sheet in sheets for column in (sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms)):
        raise _wrong("start", f"{slug} has no interval from {iso(change.start_ms)} to {iso(change.end_ms)}; "
                              "set-total or spread state the energy of missing time")  # fmt: skip


def again(change: Change, made: Iterable[Correction]) -> None:
    """What was said of a span last is not said once more: somebody clicked twice, or a call was repeated. Conflict."""
    over = [other for other in made if other.change.overlaps(change.start_ms, change.end_ms)]
    if over and over[-1].change == change:
        raise Conflict(f"correction {over[-1].number} of {over[-1].author} says just this already; undo it to say it anew")


def twice(change: Confirm, made: Iterable[Correction]) -> None:
    """A step is confirmed once. Conflict."""
    for other in made:
        if isinstance(other.change, Confirm) and (other.change.from_ms, other.change.to_ms) == (change.from_ms, change.to_ms):
            raise Conflict(f"correction {other.number} of {other.author} confirmed this step already; undo it to take that back")


def absent(series: str, instants: Iterable[int]) -> Invalid:
    """There is no reading to change at these instants."""
    return _wrong("instants", f"{series} has no reading at {', '.join(iso(at_ms) for at_ms in islice(instants, 3))}")


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", [{"path": field, "message": message}])
