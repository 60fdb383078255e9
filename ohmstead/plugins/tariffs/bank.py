"""What is kept from bill to bill: kWh or money, in lots that are used in the order in which they were earned."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.plugins.tariffs.local import local_date, midnight

ZERO = Fraction(0)


class Bank:
    """Lots of (earned at, amount). As JSON an amount is "numerator/denominator"."""

    def __init__(self, lots: Iterable[Any] = ()) -> None:
        self._lots = [(int(earned_ms), Fraction(amount)) for earned_ms, amount in lots]

    @property
    def balance(self) -> Fraction:
        """All that is in it."""
        return sum((amount for _, amount in self._lots), ZERO)

    def put(self, at_ms: int, amount: Fraction | int) -> None:
        """Keep an amount, if there is one."""
        if amount:
            self._lots.append((at_ms, Fraction(amount)))

    def draw(self, wanted: Fraction | int) -> Fraction:
        """Take up to so much, the oldest first; how much it was."""
        left, kept = Fraction(wanted), list[tuple[int, Fraction]]()
        for earned_ms, amount in self._lots:
            used = min(left, amount)
            left -= used
            if amount > used:
                kept.append((earned_ms, amount - used))
        self._lots = kept
        return Fraction(wanted) - left

    def expire(self, at_ms: int, months: int | None, zone: ZoneInfo) -> Fraction:
        """Drop what was earned so many months or longer before an instant; how much it was."""
        if months is None:
            return ZERO
        before = self.balance
        self._lots = [lot for lot in self._lots if _later(zone, lot[0], months) > at_ms]
        return before - self.balance

    def json(self) -> list[Any]:
        """Its lots."""
        return [[earned_ms, str(amount)] for earned_ms, amount in self._lots]


def _later(zone: ZoneInfo, at_ms: int, months: int) -> int:
    """The local midnight so many months after the day of an instant; the last day of a month that is too short."""
    day = local_date(zone, at_ms)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return midnight(zone, day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1])))
