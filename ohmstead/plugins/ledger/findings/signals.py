"""Findings in the readings of one series on one UTC day: values that stand still, turned signs, slipped units, jumped clocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.ledger.corrections.asked import kwh
from ohmstead.plugins.ledger.corrections.changes import ReadingScale, Shift, Void
from ohmstead.plugins.ledger.findings.finding import Cause, Correct, Found, of_day
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, MINUTE_MS

FEWEST = 24  # readings a day must have to be judged
LIVELY = 10  # different values that every day before had
STANDING_W = 10  # a gauge that stands at less is not stuck: standby
RUNNING_W = 20  # least power all day at which a register must rise
FLIPPED_MWH, FLIPPED_TIMES = 200_000, 5  # energy of the wrong sign, and how many times that of the right one it is
SLIP, SLIPPED = 1000, 3  # so many readings in a row that are too large have slipped in their unit, fewer are spikes
RUN_MS, RUN = 10 * MINUTE_MS, 10  # shortest stretch, and fewest readings, on which two runs of readings interleave

Readings = Sequence[tuple[int, float]]


class DayStat(msgspec.Struct, frozen=True):
    """A UTC day of a series in numbers: how many readings, how many different values, the lowest and the highest."""

    day: int
    count: int
    distinct: int
    low: float
    high: float


def stuck(series: str, today: DayStat, before: Sequence[DayStat], mwh: int) -> list[Found]:
    """A gauge with one value all day, not about 0, that had many on each of the days before. `mwh` is what it made of the day."""
    lively = len(before) >= 3 and all(day.distinct >= LIVELY for day in before)
    if today.count < FEWEST or today.distinct > 1 or abs(today.low) < STANDING_W or not lively:
        return []
    start_ms = today.day * DAY_MS
    remedy = Correct(Void(start_ms, start_ms + DAY_MS, series))
    return [of_day(Cause.STUCK, today.day, f"{series} said {today.low:g} all day {iso(start_ms)[:10]}", mwh, series, remedy)]


def standing(series: str, today: DayStat, power: DayStat) -> list[Found]:
    """A register that did not rise on a day on which the power of the same device never fell below RUNNING_W."""
    if min(today.count, power.count) < FEWEST or today.high != today.low or power.low < RUNNING_W:
        return []
    least = round(power.low * 24 * 1000)
    text = f"{series} stood at {today.low:g} all day {iso(today.day * DAY_MS)[:10]} while the power was never below {power.low:g} W"
    return [of_day(Cause.STUCK, today.day, text, least, series)]


def flipped(series: str, day: int, readings: Readings, longest_gap_ms: int) -> list[Found]:
    """Power of something that only takes, or only gives, with the other sign most of a day."""
    amounts = [round(value * 1000) * min(later - at_ms, longest_gap_ms) for (at_ms, value), (later, _) in pairwise(readings)]  # mW × ms
    positive, negative = (sum(sign * amount for amount in amounts if sign * amount > 0) // HOUR_MS for sign in (1, -1))
    if negative < FLIPPED_MWH or negative < FLIPPED_TIMES * positive:
        return []
    start_ms = day * DAY_MS
    remedy = Correct(ReadingScale(start_ms, start_ms + DAY_MS, series, factor="-1"))
    text = f"{series} is negative on {iso(start_ms)[:10]}, {kwh(negative)} in all, which is not counted: are the wires turned round?"
    return [of_day(Cause.SIGN_FLIP, day, text, negative, series, remedy)]


def too_large(series: str, day: int, over: Readings, limit: float, usual: float | None) -> list[Found]:
    """Power that nobody believes: a slip of the unit where it goes on and a thousandth of it is usual, else a spike."""
    if not over:
        return []
    start_ms, end_ms = over[0][0], over[-1][0] + 1
    typical = median(abs(value) for _, value in over)
    slipped = len(over) >= SLIPPED and usual is not None and usual > 0 and SLIP / 10 < typical / usual < SLIP * 10
    cause = Cause.UNIT_SLIP if slipped else Cause.SPIKE
    instants = tuple(at_ms for at_ms, _ in over)[:1000]
    change = ReadingScale(start_ms, end_ms, series, factor=f"1/{SLIP}") if slipped else Void(start_ms, end_ms, series, instants)
    guess = " a thousandth of that is usual: has its unit changed?" if slipped else ""
    text = f"{series} says {typical:g} W on {iso(start_ms)[:10]}, {len(over)} times more than the {limit:g} W believed;{guess}".rstrip(";")
    return [Found(cause, f"{series}:{day}", start_ms, end_ms, text, None, series, Correct(change))]


def jumped(series: str, instants: Sequence[int]) -> list[Found]:
    """Two runs of readings at the usual distance, one between the other's: the clock went back and they overlap."""
    if len(instants) < FEWEST:
        return []
    steps = [later - at_ms for at_ms, later in pairwise(instants)]
    usual = round(median(steps))
    if not usual or sum(_near(step, usual) for step in steps) * 2 < len(steps):
        return []
    for low, high in _interleaved(instants, usual):
        return [_jump(series, instants, low, high, usual)]
    return []


def _near(step: int, usual: int) -> bool:
    return abs(step - usual) * 20 <= usual


def _interleaved(instants: Sequence[int], usual: int) -> list[tuple[int, int]]:
    """Stretches of places in which every second reading is at the usual distance and the ones between are not midway."""
    found: list[tuple[int, int]] = []
    begin: int | None = None
    for place in range(len(instants) - 2):
        half = abs(2 * (instants[place + 1] - instants[place]) - usual) * 10 <= usual
        doubled = _near(instants[place + 2] - instants[place], usual) and not half
        if doubled and begin is None:
            begin = place
        elif not doubled and begin is not None:
            found += _long(instants, begin, place + 1)
            begin = None
    return found


def _long(instants: Sequence[int], low: int, high: int) -> list[tuple[int, int]]:
    enough = high - low >= RUN and RUN_MS <= instants[high] - instants[low] <= DAY_MS
    return [(low, high)] if enough else []


def _jump(series: str, instants: Sequence[int], low: int, high: int, usual: int) -> Found:
    """The second run and, where a hole of its length follows, the shift that puts it there."""
    phase = instants[low - 1] if low else instants[low]
    second = tuple(at_ms for at_ms in instants[low : high + 1] if not _in_step(at_ms - phase, usual))
    text = f"{series} has readings of two runs from {iso(instants[low])} to {iso(instants[high])}: the clock was turned back"
    return Found(Cause.CLOCK_JUMP, f"{series}:{instants[low]}", instants[low], instants[high] + 1, text, None, series,
                 _shift(series, instants, second, usual))  # fmt: skip


def _in_step(since_ms: int, usual: int) -> bool:
    return _near(usual + since_ms % usual, usual) or _near(since_ms % usual, usual)


def _shift(series: str, instants: Sequence[int], second: tuple[int, ...], usual: int) -> Correct | None:
    if not second or len(second) > 1000:
        return None
    holes = [(at, later) for at, later in pairwise(instants) if at > second[0] and later - at > 2 * usual]
    for at_ms, later_ms in holes:
        by_ms = at_ms + usual - second[0]
        if second[-1] + by_ms < later_ms and by_ms < 2 * HOUR_MS + DAY_MS:
            return Correct(Shift(second[0], second[-1] + 1, series, second, by_ms=by_ms))
    return None


def stat(day: int, readings: Readings) -> DayStat:
    """A day in numbers."""
    values = [value for _, value in readings]
    return DayStat(day, len(values), len(set(values)), min(values, default=0.0), max(values, default=0.0))


def integral(readings: Readings, longest_gap_ms: int) -> int:
    """What power made of a day, in mWh, both ways added."""
    held = ((value, min(later - at_ms, longest_gap_ms)) for (at_ms, value), (later, _) in pairwise(readings))
    return sum(abs(round(value * 1000)) * held_ms for value, held_ms in held) // HOUR_MS
