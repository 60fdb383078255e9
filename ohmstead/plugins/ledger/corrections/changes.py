"""The eight changes a correction can make: three of readings, below the live layer, and five of intervals, on top of all."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import msgspec


class Change(msgspec.Struct, frozen=True, tag_field="kind"):
    """What all have in common: a half-open span, UTC in ms since 1970."""

    start_ms: int
    end_ms: int

    kind: ClassVar[str]

    def overlaps(self, start_ms: int, end_ms: int) -> bool:
        """Whether it reaches into a half-open span."""
        return self.start_ms < end_ms and start_ms < self.end_ms


class OfReadings(Change, frozen=True):
    """A change of the readings of one series, `device.quantity`: all in the span, or only those at `instants` within it.

    A delta is in the span when its whole period is, and at an instant when its period ends there.
    """

    series: str
    instants: tuple[int, ...] = ()

    def holds(self, at_ms: int) -> bool:
        """Whether a reading of that instant is meant."""
        return self.start_ms <= at_ms < self.end_ms and (not self.instants or at_ms in self.instants)

    def holds_period(self, from_ms: int, to_ms: int) -> bool:
        """Whether a delta of that period is meant."""
        return to_ms in self.instants if self.instants else self.start_ms <= from_ms and to_ms <= self.end_ms


class Void(OfReadings, frozen=True, tag="void"):
    """The readings count as never sent."""

    kind: ClassVar[str] = "void"


class Shift(OfReadings, frozen=True, tag="shift", kw_only=True):
    """The readings belong `by_ms` later (earlier when negative)."""

    by_ms: int
    kind: ClassVar[str] = "shift"


class ReadingScale(OfReadings, frozen=True, tag="reading-scale", kw_only=True):
    """The readings are `factor` times what was sent: a decimal or a fraction, exact."""

    factor: str
    kind: ClassVar[str] = "reading-scale"

    @property
    def ratio(self) -> Fraction:
        """The factor as a number."""
        return Fraction(self.factor)


class OfIntervals(Change, frozen=True):
    """A change of the intervals of one meter point; its span lies on the borders of slots."""

    meter_point: str


class SetTotal(OfIntervals, frozen=True, tag="set-total"):
    """The span holds `mwh`, along the profile there is: missing time weighs as much as the mean of what is covered."""

    mwh: int
    kind: ClassVar[str] = "set-total"


class Spread(OfIntervals, frozen=True, tag="spread"):
    """The span holds `mwh`, shared by the layer below where that is complete and not zero, else evenly by time."""

    mwh: int
    kind: ClassVar[str] = "spread"


class IntervalScale(OfIntervals, frozen=True, tag="interval-scale"):
    """Every interval of the span is `factor` times what it was: a decimal or a fraction, exact, not negative."""

    factor: str
    kind: ClassVar[str] = "interval-scale"

    @property
    def ratio(self) -> Fraction:
        """The factor as a number."""
        return Fraction(self.factor)


class Replace(OfIntervals, frozen=True, tag="replace"):
    """The intervals are those of the meter point `by`, times `factor`; where it has none, they stay."""

    by: str
    factor: str = "1"
    kind: ClassVar[str] = "replace"

    @property
    def ratio(self) -> Fraction:
        """The factor as a number."""
        return Fraction(self.factor)


class Confirm(OfIntervals, frozen=True, tag="confirm"):
    """A suspect step of `mwh`, from `from_ms` to `to_ms`, did happen; the span is that of the slots it touches."""

    from_ms: int
    to_ms: int
    mwh: int
    quality: str = "measured"  # or estimated, reset: as the step would have been booked
    kind: ClassVar[str] = "confirm"


ReadingChange = Void | Shift | ReadingScale
IntervalChange = SetTotal | Spread | IntervalScale | Replace | Confirm
AnyChange = ReadingChange | IntervalChange
