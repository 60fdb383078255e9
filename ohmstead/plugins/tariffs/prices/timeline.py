"""A price as a function of time, exactly: spans in order that never overlap, in integer 10^-12 of the currency per kWh."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from ohmstead.core.model import PRICE_DIGITS


class Span(NamedTuple):
    """One price, `price` in 10^-12 of the currency per kWh, from `start_ms` up to `end_ms`.

    `number` is that of the import that told it, of two for the same time the greater one counts; 0: no import did.
    """

    start_ms: int
    end_ms: int
    price: int
    number: int = 0


def _int64() -> array[int]:
    return array("q")


class Timeline(msgspec.Struct):
    """The prices of one series in columns, in order; what lies between two spans has no price."""

    starts_ms: array[int] = msgspec.field(default_factory=_int64)
    ends_ms: array[int] = msgspec.field(default_factory=_int64)
    prices: array[int] = msgspec.field(default_factory=_int64)
    numbers: array[int] = msgspec.field(default_factory=_int64)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Timeline:
        """Of spans in order that do not overlap; neighbours of one price stay apart."""
        line = cls()
        for span in spans:
            line.append(span)
        return line

    def append(self, span: Span) -> None:
        """Put a span behind the last one."""
        self.starts_ms.append(span.start_ms)
        self.ends_ms.append(span.end_ms)
        self.prices.append(span.price)
        self.numbers.append(span.number)

    def __len__(self) -> int:
        return len(self.starts_ms)

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self.starts_ms, self.ends_ms, self.prices, self.numbers)

    def at(self, at_ms: int) -> Span | None:
        """The span that an instant lies in; None where there is no price."""
        place = bisect_right(self.starts_ms, at_ms) - 1
        if place < 0 or self.ends_ms[place] <= at_ms:
            return None
        return Span(self.starts_ms[place], self.ends_ms[place], self.prices[place], self.numbers[place])

    def within(self, start_ms: int, end_ms: int) -> Iterator[Span]:
        """What of it lies between two instants, cut there."""
        for place in range(max(0, bisect_right(self.starts_ms, start_ms) - 1), len(self)):
            start, end = max(self.starts_ms[place], start_ms), min(self.ends_ms[place], end_ms)
            if self.starts_ms[place] >= end_ms:
                return
            if start < end:
                yield Span(start, end, self.prices[place], self.numbers[place])

    def holes(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        """The spans between two instants that have no price."""
        at_ms = start_ms
        for span in self.within(start_ms, end_ms):
            if span.start_ms > at_ms:
                yield at_ms, span.start_ms
            at_ms = span.end_ms
        if at_ms < end_ms:
            yield at_ms, end_ms


def compose(told: Iterable[Span]) -> Timeline:
    """What imports told, laid over each other: at every instant the one of the greatest number counts."""
    line, last = Timeline(), None
    for start_ms, end_ms, counts in _pieces(told):
        if counts == last and line.ends_ms[-1] == start_ms:
            line.ends_ms[-1] = end_ms  # something of a lesser number began meanwhile
            continue
        line.append(Span(start_ms, end_ms, counts[2], -counts[0]))
        last = counts
    return line


_Open = tuple[int, int, int]  # the number, negated so that the greatest comes first; end; price


def _pieces(told: Iterable[Span]) -> Iterator[tuple[int, int, _Open]]:
    """What counts, piece by piece, each up to where something ends or begins."""
    open_: list[_Open] = []
    at_ms = 0
    for start_ms, end_ms, price, number in sorted(told):
        yield from _until(open_, at_ms, start_ms)
        at_ms = start_ms
        heapq.heappush(open_, (-number, end_ms, price))
    yield from _until(open_, at_ms, None)


def _until(open_: list[_Open], at_ms: int, stop_ms: int | None) -> Iterator[tuple[int, int, _Open]]:
    while open_ and (stop_ms is None or at_ms < stop_ms):
        counts = open_[0]
        if counts[1] <= at_ms:
            heapq.heappop(open_)
            continue
        to_ms = counts[1] if stop_ms is None else min(counts[1], stop_ms)
        yield at_ms, to_ms, counts
        at_ms = to_ms


def news(known: Timeline, given: Iterable[Span]) -> list[Span]:
    """What of `given` says something else than is known; where it says the same, nothing is left of it."""
    found: list[Span] = []
    for start_ms, end_ms, price, _ in given:
        at_ms = start_ms
        for same in known.within(start_ms, end_ms):
            if same.price == price:
                if same.start_ms > at_ms:
                    found.append(Span(at_ms, same.start_ms, price))
                at_ms = same.end_ms
        if at_ms < end_ms:
            found.append(Span(at_ms, end_ms, price))
    return found


def decimal(price: int) -> str:
    """The price per kWh that an integer of 10^-12 stands for, with the decimals it needs and no more: "-0.0435"."""
    digits = f"{abs(price):0{PRICE_DIGITS + 1}}"
    whole, part = digits[:-PRICE_DIGITS], digits[-PRICE_DIGITS:].rstrip("0")
    return f"{'-' if price < 0 else ''}{whole}{'.' if part else ''}{part}"
