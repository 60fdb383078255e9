"""Rows of a CSV file as exact amounts of a meter point: of periods, or of a register's display."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core import amount
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, from_ms, to_ms
from ohmstead.core.errors import Invalid, Unsupported
from ohmstead.core.plugin import Found, PeriodRow, RegisterRow
from ohmstead.integrations.csv_file.columns import place
from ohmstead.integrations.csv_file.rows import EMPTY, numbered, opened
from ohmstead.integrations.csv_file.stamps import NEXT, Stamps, zone_info

PERIODS, REGISTERS = "periods", "registers"
DAY, MONTH = "day", "month"
HOUR_MS = 3_600_000
MOST_MS = 400 * 24 * HOUR_MS


POWERS = {"W": Fraction(1000, HOUR_MS), "kW": Fraction(1_000_000, HOUR_MS)}  # mWh in a millisecond


def unit(value: Any) -> str:
    """A unit of energy or volume, or of mean power over the period."""
    try:
        if value not in POWERS:
            amount.unit(str(value))
    except Unsupported as error:
        raise vol.Invalid(f"{error}; or {', '.join(POWERS)}, the mean power of the period") from None
    return str(value)


def words(value: Any) -> frozenset[str]:
    """Words separated by commas, in lower case."""
    return frozenset(word.strip().lower() for word in str(value).split(","))


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """The amounts of one column; a str is a mistake in one place. Invalid: nothing can be read."""
    with opened(path) as file:
        table = csv.reader(file, delimiter=options["delimiter"])
        header = [cell.strip() for cell in next(table, [])]
        if not header:
            raise Invalid(f"{path.name} is empty; expected a header line")
        yield from _File(header, options).rows(table)


class _File:
    """What is known of one file while it is read."""

    def __init__(self, header: list[str], options: Mapping[str, Any]) -> None:
        self._width = len(header)
        self._value_at = place(options["column"], header)
        self._time_at = place(options["time"], header) if "time" in options else 0
        self._end_at = place(options["end"], header) if "end" in options else None
        self._quality_at = place(options["quality"], header) if "quality" in options else None
        power = POWERS.get(options["unit"])
        self._unit, self._factor = amount.unit(options["unit"]) if power is None else (amount.MWH, power)
        self._power = power is not None
        self._registers = options["kind"] == REGISTERS
        if self._registers and self._power:
            raise Invalid(f"a register shows an energy, not {options['unit']}")
        self._period = options.get("period")
        if not self._registers and (self._period is None) == (self._end_at is None):
            raise Invalid("say how long a period is, such as period=15m, or which column has its end: end=…; one of the two")
        self._zone = zone_info(options["zone"]) if "zone" in options else None
        if self._period in (DAY, MONTH) and self._zone is None:
            raise Invalid(f"period={self._period} needs the zone whose {self._period}s are meant, such as zone=Europe/Berlin")
        self._steady = options.get("zone") == "UTC" or (self._zone is not None and self._zone.utcoffset(None) is not None)
        self._stamps = Stamps(options)
        self._comma = options["decimal"] == ","
        self._skip_empty = options["skip_empty"]
        self._from_start = options["label"] == "start"
        self._estimated = options["estimated"]
        self._last_ms: int | None = None
        self._waiting: tuple[int, Decimal | None, bool, str] | None = None

    def rows(self, table: Any) -> Iterator[Found]:
        for line, cells in numbered(table):
            if isinstance(cells, str):
                yield f"{line}: {cells}"
            else:
                yield from self._row(cells, line)
        if self._waiting is not None and self._waiting[1] is not None:
            yield f"{self._waiting[3]}: the last period has no end; add a line with the time of its end, or give its length"

    def _row(self, cells: list[str], line: str) -> Iterator[Found]:
        if len(cells) != self._width:
            yield f"{line}: {len(cells)} cells, expected {self._width}{self._split_numbers(cells)}"
            return
        try:
            at_ms = self._at(cells)
            made = self._made(at_ms, self._value(cells[self._value_at].strip()), cells, line)
            if made is not None:
                yield made
        except (ValueError, OverflowError) as error:
            yield f"{line}: {error}"

    def _split_numbers(self, cells: list[str]) -> str:
        return "; is the comma its decimal sign? Then give its delimiter, such as ;" if len(cells) > self._width and not self._comma else ""

    def _at(self, cells: list[str]) -> int:
        at_ms, last_ms = self._stamps.read(cells[self._time_at], "start"), self._last_ms
        self._last_ms = at_ms
        if self._steady and last_ms is not None and 0 <= last_ms - at_ms <= HOUR_MS and self._period != NEXT:
            raise ValueError(
                f"{cells[self._time_at].strip()} is not after the row before, and {self._zone} has no summer time;"
                " a file that has it needs its zone, such as Europe/Berlin"
            )
        return at_ms

    def _value(self, text: str) -> Decimal | None:
        if text.lower() in EMPTY:
            if not self._skip_empty:
                raise ValueError("the amount is empty")
            return None
        found = amount.number(text, self._comma)
        if found < 0:
            raise ValueError(f"{text[:40]} is negative; the other direction is another meter point")
        return found

    def _whole(self, value: Decimal, length_ms: int = 1) -> int:
        """In our unit; a power over that time."""
        found = amount.whole(value, self._factor * length_ms if self._power else self._factor)
        if found > amount.MOST:
            raise ValueError(f"{value} is more than 9 TWh")
        return found

    def _made(self, at_ms: int, value: Decimal | None, cells: list[str], line: str) -> Found | None:
        estimated = self._quality_at is not None and cells[self._quality_at].strip().lower() in self._estimated
        if self._registers:
            return None if value is None else RegisterRow(at_ms, self._whole(value), self._unit, line)
        if self._period == NEXT:
            return self._to_next(at_ms, value, estimated, line)
        if value is None:
            return None
        if self._end_at is not None:
            return self._checked(at_ms, self._stamps.read(cells[self._end_at], "end"), value, estimated, line)
        other_ms = self._other_end(at_ms)
        return self._checked(min(at_ms, other_ms), max(at_ms, other_ms), value, estimated, line)

    def _other_end(self, at_ms: int) -> int:
        sign = 1 if self._from_start else -1
        if not isinstance(self._period, str):
            return at_ms + sign * round(self._period * 1000)  # type: ignore[operator]
        local = from_ms(at_ms).astimezone(self._zone).replace(tzinfo=None)
        other = local + timedelta(days=sign) if self._period == DAY else _month_on(local, sign)
        return to_ms(other.replace(tzinfo=self._zone))

    def _to_next(self, at_ms: int, value: Decimal | None, estimated: bool, line: str) -> Found | None:
        """A period from this row to the next, or from the one before to this, as `label` says."""
        last, self._waiting = self._waiting, (at_ms, value, estimated, line)
        if last is None:
            return None
        if not self._from_start:
            return None if value is None else self._checked(last[0], at_ms, value, estimated, line)
        return None if last[1] is None else self._checked(last[0], at_ms, last[1], last[2], last[3])

    def _checked(self, from_ms: int, to_ms: int, value: Decimal, estimated: bool, line: str) -> PeriodRow:
        if not EARLIEST_MS <= from_ms < to_ms < LATEST_MS:
            raise ValueError("the period ends before it begins" if to_ms < from_ms else "the period has no length")
        if to_ms - from_ms > MOST_MS:
            raise ValueError("the period is longer than 400 days")
        return PeriodRow(from_ms, to_ms, self._whole(value, to_ms - from_ms), estimated, self._unit, line)


def _month_on(local: datetime, sign: int) -> datetime:
    """The same day of the next month, or of the one before."""
    years, month = divmod(local.month - 1 + sign, 12)
    try:
        return local.replace(year=local.year + years, month=month + 1)
    except ValueError:
        raise ValueError(f"{local.date()}: the month beside it has no such day; a month begins on a day that every month has") from None
