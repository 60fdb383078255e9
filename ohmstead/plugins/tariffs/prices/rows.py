"""Prices that people bring: rows checked whole, every mistake named by its place, and spans made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import voluptuous as vol

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import price_units
from ohmstead.plugins.tariffs.moment import instant
from ohmstead.plugins.tariffs.money import decimal
from ohmstead.plugins.tariffs.prices.timeline import Span

SHOWN = 20  # mistakes that are told by the word

Problem = dict[str, str]


class Given(msgspec.Struct):
    """One price as it is given. Without an end it holds until the next one; `place` says where it stood in a file."""

    start: str
    price: str | float | int
    end: str | None = None
    place: str = ""


class Row(NamedTuple):
    """One price as it was understood."""

    start_ms: int
    end_ms: int | None
    price: int
    place: str


def spans(given: Sequence[Given], per: int = 1) -> list[Span]:
    """Spans in order, of prices of `per` kWh each; Invalid with every mistake: numbers, times, overlaps, holes."""
    problems: list[Problem] = []
    rows = [row for number, each in enumerate(given) for row in _row(each, number, per, problems)]
    if not problems:
        rows.sort(key=lambda row: row.start_ms)
        found = list(_closed(rows, problems))
        problems += _clashes(found, [row.place for row in rows])
    if problems:
        more = f"; the first {SHOWN} of {len(problems)} mistakes" if len(problems) > SHOWN else ""
        raise Invalid(f"the prices are not right{more}", problems[:SHOWN])
    return found


def _row(each: Given, number: int, per: int, problems: list[Problem]) -> Iterator[Row]:
    place, before = each.place or f"prices[{number}]", len(problems)
    start_ms = _checked(instant, each.start, place, problems)
    end_ms = None if each.end is None else _checked(instant, each.end, place, problems)
    price = _checked(lambda value: price_units(decimal(value) / per), each.price, place, problems)
    if len(problems) > before:
        return
    if end_ms is not None and end_ms <= start_ms:
        problems.append({"path": place, "message": f"its end {each.end} is not after its start {each.start}"})
        return
    yield Row(start_ms, end_ms, price, place)


def _checked(check: Callable[[Any], Any], value: Any, place: str, problems: list[Problem]) -> Any:
    try:
        return check(value)
    except vol.Invalid as error:
        problems.append({"path": place, "message": error.msg})
    except ValueError as error:
        problems.append({"path": place, "message": str(error)})
    return None


def _closed(rows: Sequence[Row], problems: list[Problem]) -> Iterator[Span]:
    """Every row with an end: its own, else the start of the next; the last one is as long as the one before."""
    lengths = [after.start_ms - before.start_ms for before, after in pairwise(rows)]
    lengths.append(lengths[-1] if lengths else 0)
    for row, length in zip(rows, lengths, strict=False):
        end_ms = row.start_ms + length if row.end_ms is None else row.end_ms
        if end_ms <= row.start_ms:
            why = "a second price for the same time" if len(rows) > 1 else "a single price needs an end"
            problems.append({"path": row.place, "message": why})
        yield Span(row.start_ms, end_ms, row.price)


def _clashes(found: Sequence[Span], places: Sequence[str]) -> Iterator[Problem]:
    for (before, after), place in zip(pairwise(found), places[1:], strict=False):
        if after.start_ms < before.end_ms:
            message = f"two prices from {iso(after.start_ms)} to {iso(min(before.end_ms, after.end_ms))}; give one"
            yield {"path": place, "message": message}
        elif after.start_ms > before.end_ms:
            message = f"no price from {iso(before.end_ms)} to {iso(after.start_ms)}; give one, or import what is before and after by itself"
            yield {"path": place, "message": message}
