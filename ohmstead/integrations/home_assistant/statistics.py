"""One statistic as exact amounts of periods. The energy of an hour is its total less that of the hour before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from ohmstead.core import amount
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, iso
from ohmstead.core.errors import Invalid, Unsupported
from ohmstead.core.plugin import Found, PeriodRow
from ohmstead.core.validate import did_you_mean
from ohmstead.integrations.home_assistant.recorder import Recorder, Statistic

HOUR_MS = 3_600_000


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """The hours of the statistic that is wanted. Invalid, with a list of all there are, unless it is clear which."""
    with Recorder.open(path) as recorder:
        statistic = chosen(recorder.statistics(), options.get("statistic"))
        unit, factor = _unit(statistic)
        yield from _periods(recorder.hours(statistic), unit, factor)


def chosen(known: list[Statistic], wanted: str | None) -> Statistic:
    """The one that is named, or the only one. Invalid."""
    for statistic in known:
        if statistic.id == wanted or (wanted is None and len(known) == 1):
            return statistic
    there = "\n".join(f"  {s.id} ({s.unit or 'no unit'}){f' “{s.name}”' if s.name else ''}" for s in known) or "  none"
    if wanted is None:
        raise Invalid(f"choose with --statistic; the database holds these totals:\n{there}")
    raise Invalid(f"there is no total {wanted!r}.{did_you_mean(wanted, [s.id for s in known])} The database holds:\n{there}")


def _unit(statistic: Statistic) -> tuple[str, Fraction]:
    try:
        return amount.unit(statistic.unit)
    except Unsupported as error:
        raise Invalid(f"{statistic.id}: {error}") from None


def _periods(hours: Iterator[tuple[int, float]], unit: str, factor: Fraction) -> Iterator[Found]:
    """A period between every two totals, longer than an hour where hours are missing.

    Each total becomes an integer once, so that the periods add up to the whole way of the total. The first hour has
    none before it and is left out.
    """
    last: tuple[int, int] | None = None
    for start_ms, total in hours:
        end_ms, reached = start_ms + HOUR_MS, _whole(total, factor)
        if reached is None or not EARLIEST_MS < start_ms < LATEST_MS - HOUR_MS:
            yield f"{start_ms} ms: the total {total} of this hour is nothing that a meter shows"
            continue
        if last is not None and reached < last[1]:
            less = f"{Decimal(last[1] - reached).scaleb(-6).normalize():f} {'kWh' if unit == amount.MWH else 'm³'}"
            yield f"{iso(end_ms)}: the total falls by {less}; nothing is taken from {iso(last[0])} to there"
        elif last is not None:
            yield PeriodRow(last[0], end_ms, reached - last[1], False, unit)
        last = (end_ms, reached)


def _whole(total: float, factor: Fraction) -> int | None:
    value = Decimal(repr(total))
    if not value.is_finite() or abs(value) > 10**15:
        return None
    reached = amount.whole(value, factor)
    return reached if abs(reached) <= amount.MOST else None
