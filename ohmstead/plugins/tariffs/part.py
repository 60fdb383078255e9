"""A span of a bill under one version, and the energy in it: what a kind of component is given to price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.tariffs.local import DAY_MS, days, days_between, local_date, midnight, month_of, year_of
from ohmstead.plugins.tariffs.meter import Meter, Stretch
from ohmstead.plugins.tariffs.schedule import Run
from ohmstead.plugins.tariffs.selection import Selection
from ohmstead.plugins.tariffs.tariff import Component, Version

NOTHING = Meter(())


class Span(NamedTuple):
    """A calendar period, as far as it lies in the bill: its first day names it; `whole_days` has it uncut."""

    first: date
    start_ms: int
    end_ms: int
    whole_days: int


class Part(msgspec.Struct, frozen=True):
    """`bill` is the whole bill's span. `unit` is what one mWh (mL) counts in `unit_name`. `meters` are its registers."""

    version: Version
    start_ms: int
    end_ms: int
    zone: ZoneInfo
    bill: tuple[int, int]
    unit: Fraction
    unit_name: str
    meters: Mapping[str, Meter]

    @property
    def days(self) -> int:
        """How many local days it counts."""
        return days_between(self.zone, self.start_ms, self.end_ms)

    def meter(self, name: str) -> Meter:
        """What a register counted in the whole bill; nothing for one that there is not."""
        return self.meters.get(name, NOTHING)

    def runs(self, selection: Selection, start_ms: int | None = None, end_ms: int | None = None) -> Iterator[Run]:
        """The runs of a selection within the part, or within a span of it."""
        low = self.start_ms if start_ms is None else max(start_ms, self.start_ms)
        high = self.end_ms if end_ms is None else min(end_ms, self.end_ms)
        return selection.schedule.runs(self.zone, low, high) if low < high else iter(())

    def stretches(self, selection: Selection, start_ms: int | None = None, end_ms: int | None = None) -> Iterator[Stretch]:
        """The slots of those runs."""
        return self.meter(selection.meter).stretches(self.runs(selection, start_ms, end_ms))

    def spans(self, period: str) -> Iterator[Span]:
        """The days, months or years (or the one bill) that touch the part, each as far as it lies in the bill."""
        low, high = self.bill
        if period == "bill":
            yield Span(local_date(self.zone, low), low, high, days_between(self.zone, low, high))
        elif period == "day":
            for day, begins, ends in days(self.zone, self.start_ms, self.end_ms):
                yield Span(day, max(begins, low), min(ends, high), 1)
        else:
            yield from self._long(month_of if period == "month" else year_of)

    def _long(self, of: Any) -> Iterator[Span]:
        first, following = of(local_date(self.zone, self.start_ms))
        while (begins := midnight(self.zone, first)) < self.end_ms:
            ends = midnight(self.zone, following)
            yield Span(first, max(begins, self.bill[0]), min(ends, self.bill[1]), (following - first).days)
            first, following = of(following)


class Turn(NamedTuple):
    """A component and a part of the bill that it applies to."""

    component: Component
    part: Part

    @property
    def rule(self) -> Any:
        """What the component's kind made of its options."""
        return self.component.rule


def hours(length_ms: int) -> Fraction:
    """A length of time in hours."""
    return Fraction(length_ms * 24, DAY_MS)
