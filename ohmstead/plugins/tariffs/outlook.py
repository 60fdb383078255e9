"""The price now and ahead: what automations and people look at, from the prices of slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple


class Ahead(NamedTuple):
    """A span of one price per kWh; None where none is known."""

    start_ms: int
    end_ms: int
    price: Fraction | None


class Outlook(NamedTuple):
    """What a kWh costs now, when that changes next, and the spans from now on."""

    now: Fraction | None
    changes_ms: int | None  # None: not within what is known
    ahead: tuple[Ahead, ...]


def outlook(prices: Sequence[Fraction | None], start_ms: int, slot_ms: int, at_ms: int) -> Outlook:
    """At an instant, of prices of consecutive slots from `start_ms` on, as `curve` gives them."""
    ahead = tuple(span for span in spans(prices, start_ms, slot_ms) if span.end_ms > at_ms)
    if not ahead or ahead[0].start_ms > at_ms:
        return Outlook(None, ahead[0].start_ms if ahead else None, ahead)
    return Outlook(ahead[0].price, ahead[1].start_ms if len(ahead) > 1 else None, ahead)


def spans(prices: Sequence[Fraction | None], start_ms: int, slot_ms: int) -> Iterator[Ahead]:
    """Slots of one price joined."""
    first = 0
    for place in range(1, len(prices) + 1):
        if place == len(prices) or prices[place] != prices[first]:
            yield Ahead(start_ms + first * slot_ms, start_ms + place * slot_ms, prices[first])
            first = place


def cheapest(prices: Sequence[Fraction | None], start_ms: int, slot_ms: int, length: int) -> Ahead | None:
    """The `length` slots in a row with the least mean price, the earliest of several; None where there are not so many."""
    best: Ahead | None = None
    for first in range(len(prices) - length + 1):
        window = [price for price in prices[first : first + length] if price is not None]
        if len(window) == length:
            mean = sum(window, Fraction(0)) / length
            if best is None or best.price is None or mean < best.price:
                best = Ahead(start_ms + first * slot_ms, start_ms + (first + length) * slot_ms, mean)
    return best
