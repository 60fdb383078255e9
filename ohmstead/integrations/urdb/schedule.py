"""The schedules of a rate, 12 months × 24 hours for weekdays and for the weekend, as windows of hours, days and dates."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

Grid = tuple[tuple[int, ...], ...]  # 12 rows from January on, of 24 periods each
Windows = dict[int, list[dict[str, Any]]]  # period -> its windows

_LEAP = 2000


def grid(value: Any, first: int) -> Grid:
    """12 rows of 24 numbers, or 288 digits in one text; `first` is how the first period is called. ValueError."""
    if isinstance(value, str):
        rows = [value[start : start + 24] for start in range(0, len(value), 24)]
    else:
        rows = value if isinstance(value, list) else []
    found = tuple(tuple(_period(cell, first) for cell in row) for row in rows)
    if len(found) != 12 or any(len(row) != 24 for row in found):
        raise ValueError("expected 12 months of 24 hours")
    return found


def _period(cell: Any, first: int) -> int:
    number = int(cell) - first if isinstance(cell, int) or (isinstance(cell, str) and cell.isdecimal()) else -1
    if number < 0:
        raise ValueError(f"{cell!r} is no number of a period")
    return number


def windows(weekday: Grid, weekend: Grid) -> Windows:
    """The windows of every period; together they hold each hour of the year once."""
    found: Windows = {}
    pairs = list(zip(weekday, weekend, strict=True))
    for pair in dict.fromkeys(pairs):
        dates = _dates([month for month, each in enumerate(pairs, 1) if each == pair])
        same = pair[0] == pair[1]
        for days, row in ((None, pair[0]),) if same else (("weekdays", pair[0]), ("weekend", pair[1])):
            for period, hours in _hours(row).items():
                window = {"dates": dates, "days": [days] if days else None, "hours": hours}
                found.setdefault(period, []).append({key: value for key, value in window.items() if value})
    return found


def months(values: Iterable[Any]) -> dict[Any, list[str]]:
    """The parts of the year in which each of twelve monthly values holds; none for one that always does."""
    twelve = list(values)
    return {value: _dates([month for month, each in enumerate(twelve, 1) if each == value]) for value in dict.fromkeys(twelve)}


def _dates(months_: list[int]) -> list[str]:
    if len(months_) == 12:
        return []
    runs = [[month for _, month in run] for _, run in groupby(enumerate(months_), key=lambda pair: pair[1] - pair[0])]
    return [f"{run[0]:02}-01..{run[-1]:02}-{monthrange(_LEAP, run[-1])[1]}" for run in runs]


def _hours(row: tuple[int, ...]) -> dict[int, list[str]]:
    """The hours of each period of a day; none for one that lasts all day."""
    found: dict[int, list[str]] = {}
    for period, start, end in _runs(row):
        found.setdefault(period, []).append(f"{start}-{end}")
    return {period: [] if hours == ["0-24"] else hours for period, hours in found.items()}


def _runs(row: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    at = 0
    for period, run in groupby(row):
        end = at + len(list(run))
        yield period, at, end
        at = end
