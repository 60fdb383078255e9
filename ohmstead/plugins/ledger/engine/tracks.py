"""Tracks: what one term of a binding measured, derived from where it is dirty to where nothing changes any more.

All of this is pure: rows of readings in, rows of days out. The deriver reads and writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import msgspec

from ohmstead.core.clock import LATEST_MS
from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive import delta
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.walk import begin
from ohmstead.plugins.ledger.engine.days import Day, pack, unpack
from ohmstead.plugins.ledger.points.bindings import Binding
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid

BEHIND_MS = 2 * HOUR_MS  # how far behind what is dirty to read at first: twice the window verdicts look ahead
EVER = -(1 << 20)  # a day before all days
ENDLESS_DAYS = 1000

Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that lie near each other as one."""
    found: list[Span] = []
    for start_ms, end_ms in sorted(spans):
        if found and start_ms <= found[-1][1] + BEHIND_MS:
            found[-1] = (found[-1][0], max(found[-1][1], end_ms))
        else:
            found.append((start_ms, end_ms))
    return found


class Track(NamedTuple):
    """One term of a binding, and the series it reads."""

    point: int
    binding: Binding
    term: int
    series: int
    kind: Kind
    rules: Rules
    address: str  # `device.quantity` of its series

    @property
    def key(self) -> tuple[int, int]:
        """(binding, term), which stand for it in tables."""
        return self.binding.number, self.term

    @property
    def end_ms(self) -> int:
        """The first instant whose reading does not count any more."""
        return LATEST_MS if self.rules.end_ms is None else self.rules.end_ms + (self.rules.closing is None)


class Head(NamedTuple):
    """How far a track is derived: the newest reading that was seen, and the state to go on from with later ones."""

    last_ms: int
    state: State


class StoredDay(NamedTuple):
    """A row of a track: its slots, and the last checkpoint in the day."""

    slots: Day
    state: bytes | None


class Job(msgspec.Struct):
    """A track to derive anew, and from where."""

    track: Track
    dirty: list[Span]  # in order; what may have changed
    head: Head | None = None
    state: State | None = None  # the checkpoint to resume from; None: from the beginning
    until_ms: int = LATEST_MS  # readings before this are read
    stored: Mapping[int, bytes] = msgspec.field(default_factory=dict)  # day -> checkpoint, of the days behind what is dirty

    @property
    def after_ms(self) -> int:
        """Only later readings are read."""
        return self.track.rules.start_ms - 1 if self.state is None else self.state.kept_ms

    @property
    def late(self) -> bool:
        """Whether something changed that was derived already."""
        return self.head is not None and self.dirty[0][0] <= self.head.state.until_ms

    def resume(self, state: State | None) -> None:
        """Go on from a checkpoint, to a little behind what is dirty and near enough to be done at once."""
        self.state = state
        if self.head is None or not self.late:
            return
        end_ms = self.dirty[0][1]
        for start_ms, stop_ms in self.dirty:
            if start_ms <= _behind(end_ms):
                end_ms = max(end_ms, stop_ms)
        if _behind(end_ms) <= self.head.last_ms:
            self.until_ms = _behind(end_ms)

    def reached_ms(self) -> int:
        """The end of what is dirty before `until_ms`."""
        return max(stop_ms for start_ms, stop_ms in self.dirty if start_ms < self.until_ms)

    def beyond(self) -> list[Span]:
        """What is dirty and not reached."""
        return [span for span in self.dirty if span[0] >= self.until_ms]


class Derived(msgspec.Struct):
    """What a job came to: the track's days in [`first_day`, `last_day`] and its verdicts in (`verdicts_after`,
    `verdicts_until`] are to be just these, and nothing of it may be left behind when it is derived `to_the_end`.
    """

    track: Track
    first_day: int
    last_day: int
    to_the_end: bool
    days: dict[int, StoredDay]
    head: Head | None
    verdicts: list[Verdict]
    verdicts_after: int
    verdicts_until: int
    left: list[Span]  # what is still dirty
    changed: Span
    met: State | None = None  # from the slot of this checkpoint on the stored days stay
    lost: Sequence[Span] = ()  # archived readings that could not be read: what was made of them stays as it was


def derive(job: Job, grid: Grid, rows: Sequence[tuple[int, float | Fraction]], more: bool) -> Derived:
    """Run a job over its readings; `more`: there are later ones that were not read. `finish` completes it."""
    walk = begin(job.track.rules, grid, job.state)
    walk.feed(rows)
    walk.finish()
    met = _met(job, walk.checkpoints)
    seen_ms = rows[-1][0] if rows else job.after_ms
    first_ms = walk.from_ms
    if first_ms is None:
        first_ms = rows[0][0] if rows else job.dirty[0][0]
        if job.head is not None:  # readings of before may count no more
            first_ms = min(first_ms, job.dirty[0][0])
    days = {day: StoredDay(pack(sheet), None) for day, sheet in walk.days.items()}
    for state in walk.checkpoints:
        day = state.kept_ms // DAY_MS
        slots = days[day].slots if day in days else Day(day, grid.slot_ms(state.kept_ms), b"", b"")
        days[day] = StoredDay(slots, state.encode())
    first_day = EVER if job.state is None else first_ms // DAY_MS
    if met is not None:
        last_day = met.kept_ms // DAY_MS
        return Derived(
            job.track, first_day, last_day, False, {day: row for day, row in days.items() if day <= last_day}, job.head,
            [verdict for verdict in walk.verdicts if verdict.at_ms // DAY_MS <= last_day], job.after_ms, (last_day + 1) * DAY_MS - 1,
            job.beyond(), (first_ms, grid.start(met.kept_ms) + grid.slot_ms(met.kept_ms)), met,
        )  # fmt: skip
    window = job.until_ms < job.track.end_ms
    last_day = max([first_ms // DAY_MS, seen_ms // DAY_MS, *days])
    last_ms = seen_ms if job.head is None else max(seen_ms, job.head.last_ms)
    head = None if walk.head is None else Head(seen_ms if job.late else last_ms, walk.head)
    end_ms = last_ms
    if job.late and (more or window):
        head, end_ms = job.head, seen_ms  # what is left is late still
    if job.head is None and not rows:
        return Derived(job.track, EVER, EVER, True, {}, None, [], -LATEST_MS, LATEST_MS, [], (0, 0))
    return Derived(
        job.track, first_day, last_day, job.late and not (more or window), days, head, walk.verdicts, job.after_ms, LATEST_MS,
        _left(job, seen_ms, more, window), (first_ms, max(grid.end(end_ms + 1), (max(days, default=0) + 1) * DAY_MS if job.late else 0)),
    )  # fmt: skip


def edges(derived: Derived, job: Job) -> set[int]:
    """The days whose stored rows `finish` needs."""
    found = set() if job.state is None else {derived.first_day}
    return found if derived.met is None else found | {derived.last_day}


def finish(derived: Derived, job: Job, grid: Grid, stored: Mapping[int, StoredDay]) -> None:
    """Keep of the stored days what lies before the first slot derived, and from where all stays as it was."""
    if job.state is not None:
        _keep(derived, grid.start(job.state.kept_ms), stored.get(derived.first_day), before=True)
    if derived.met is not None:
        _keep(derived, grid.start(derived.met.kept_ms), stored.get(derived.last_day), before=False)


def _keep(derived: Derived, edge_ms: int, old: StoredDay | None, before: bool) -> None:
    """Put the stored slots of a day before (or from) an instant beside those derived on the other side of it."""
    day = edge_ms // DAY_MS
    new = derived.days.get(day)
    if old is None or (not old.slots.energy and before):
        return
    kept = unpack(old.slots)
    made = Sheet.empty(kept.start_ms, kept.slot_ms, len(kept)) if new is None else unpack(new.slots)
    at = (edge_ms - kept.start_ms) // kept.slot_ms
    part = slice(0, at) if before else slice(at, len(kept))
    made.mwh[part], made.measured_ms[part] = kept.mwh[part], kept.measured_ms[part]
    made.estimated_ms[part], made.reset_ms[part] = kept.estimated_ms[part], kept.reset_ms[part]
    derived.days[day] = StoredDay(pack(made), None if new is None else new.state)


def _met(job: Job, checkpoints: Sequence[State]) -> State | None:
    """The first checkpoint of a day in which all ends that is dirty and reached, if it is the one stored."""
    if not job.stored:
        return None
    last_day = (job.reached_ms() - 1) // DAY_MS
    for state in checkpoints:
        day = state.kept_ms // DAY_MS
        if day >= last_day and job.stored.get(day) == state.encode():
            return state
    return None


def _behind(end_ms: int) -> int:
    """Where the day behind what is dirty has ended, beyond doubt: its checkpoint mostly is the one stored."""
    return (-(-end_ms // DAY_MS) + 1) * DAY_MS + BEHIND_MS


def _left(job: Job, seen_ms: int, more: bool, window: bool) -> list[Span]:
    if not (more or window):
        return []
    end_ms = max(job.reached_ms(), seen_ms + 2)
    if not more:  # nothing met what is stored: look twice as far
        end_ms = max(end_ms, 2 * job.until_ms - job.dirty[0][0])
    return [(seen_ms + 1, end_ms), *job.beyond()]


def deltas(track: Track, grid: Grid, rows: Sequence[tuple[int, int, float | Fraction]], span: Span) -> Derived:
    """The same for periods: `rows` are all (end, start, value) that overlap the span, and none of them crosses its days."""
    found = delta.derive(track.rules, grid, rows)
    first_day, last_day = span[0] // DAY_MS, (span[1] - 1) // DAY_MS
    days = {day: StoredDay(pack(sheet), None) for day, sheet in found.days.items()}
    changed = span
    if last_day - first_day > ENDLESS_DAYS:  # marked for ever, and so is the meter point, as far as anything is stored of it
        changed = (min(days) * DAY_MS, (max(days) + 1) * DAY_MS) if days else (0, 0)
    return Derived(track, first_day, last_day, False, days, None, found.verdicts, span[0], span[1], [], changed)
