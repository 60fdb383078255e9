"""The book of prices: imports, republication, what was known when, and a year of quarter hours."""

from __future__ import annotations

import time

import pytest

from ohmstead.core.errors import Conflict, NotFound
from ohmstead.plugins.tariffs.prices.book import PriceImport
from ohmstead.plugins.tariffs.prices.events import PricesChanged
from ohmstead.plugins.tariffs.prices.timeline import Span
from tests.fakes.price_shelf import Shelf

HOUR, QUARTER = 3_600_000, 900_000
DAY = 1_793_577_600_000  # a midnight
CENT = 10**10


def hours(*cents: int, start: int = DAY) -> list[Span]:
    return [Span(start + n * HOUR, start + (n + 1) * HOUR, price * CENT) for n, price in enumerate(cents)]


async def prices(shelf: Shelf, known_at_ms: int | None = None) -> list[int | None]:
    line = await shelf.book.timeline("spot", DAY, DAY + 4 * HOUR, known_at_ms)
    found = (line.at(DAY + n * QUARTER) for n in range(16))
    return [span and span.price // CENT for span in found]


async def test_the_same_again_changes_nothing(shelf: Shelf) -> None:
    heard: list[PricesChanged] = []
    shelf.bus.subscribe(PricesChanged, heard.append)
    first = await shelf.book.add("spot", "EUR", hours(10, 20, -3), "file")
    assert first == PriceImport(1, "spot", "file", shelf.clock.now_ms(), DAY, DAY + 3 * HOUR, 3)
    assert await shelf.book.add("spot", "EUR", hours(10, 20, -3), "file") is None
    assert await shelf.book.add("spot", "EUR", [], "file") is None
    assert await shelf.book.imports("spot", None, 10) == [first]
    assert heard == [PricesChanged("spot", DAY, DAY + 3 * HOUR)]


async def test_what_is_published_again_lies_over_it_and_both_can_be_asked_for(shelf: Shelf) -> None:
    await shelf.book.add("spot", "EUR", hours(10, 20, 30), "feed")
    then = shelf.clock.now_ms()
    shelf.clock.set(then + 60_000)
    quarters = [Span(DAY + HOUR + n * QUARTER, DAY + HOUR + (n + 1) * QUARTER, price * CENT) for n, price in enumerate((20, 21, 22, 20))]
    again = await shelf.book.add("spot", "EUR", [*hours(10), *quarters], "feed")
    assert again is not None
    assert (again.number, again.count, again.start_ms) == (2, 2, DAY + HOUR + QUARTER), "only what is news"
    assert await prices(shelf) == [10] * 4 + [20, 21, 22, 20] + [30] * 4 + [None] * 4
    assert await prices(shelf, then) == [10] * 4 + [20] * 4 + [30] * 4 + [None] * 4
    assert await prices(shelf, then - 1) == [None] * 16
    third = await shelf.book.add("spot", "EUR", hours(11), "feed")
    assert third is not None
    assert [each.number for each in await shelf.book.imports("spot", None, 10)] == [3, 2, 1]
    assert [each.number for each in await shelf.book.imports("spot", 3, 1)] == [2]


async def test_a_clock_that_goes_back_does_not_turn_the_imports_round(shelf: Shelf) -> None:
    await shelf.book.add("spot", "EUR", hours(10), "feed")
    then = shelf.clock.now_ms()
    shelf.clock.set(then - 10_000)
    made = await shelf.book.add("spot", "EUR", hours(11), "feed")
    assert made is not None
    assert made.recorded_ms == then


async def test_another_currency_is_another_series(shelf: Shelf) -> None:
    await shelf.book.add("spot", "EUR", hours(10), "feed")
    with pytest.raises(Conflict, match="in EUR, not in SEK"):
        await shelf.book.add("spot", "SEK", hours(100), "feed")
    with pytest.raises(NotFound, match="nord"):
        await shelf.book.one("nord")
    assert len(await shelf.book.timeline("nord", 0, 1)) == 0
    assert [(each.id, each.currency) for each in await shelf.book.series()] == [("spot", "EUR")]


async def test_trying_writes_nothing(shelf: Shelf) -> None:
    tried = await shelf.book.add("spot", "EUR", hours(10), "file", dry_run=True)
    assert tried is not None
    assert tried.number == 0
    assert await shelf.book.series() == []


async def test_a_long_span_is_found_from_its_middle(shelf: Shelf) -> None:
    await shelf.book.add("spot", "EUR", [Span(DAY, DAY + 400 * 24 * HOUR, CENT)], "file")
    await shelf.book.add("spot", "EUR", hours(7, start=DAY + 200 * 24 * HOUR), "file")
    line = await shelf.book.timeline("spot", DAY + 300 * 24 * HOUR, DAY + 300 * 24 * HOUR + 1)
    assert [span.price for span in line] == [CENT]


async def test_a_year_of_quarters(shelf: Shelf) -> None:
    year = [Span(DAY + n * QUARTER, DAY + (n + 1) * QUARTER, n) for n in range(35_040)]
    await shelf.book.add("spot", "EUR", year, "file")
    began = time.process_time()
    line = await shelf.book.timeline("spot", DAY, DAY + 365 * 24 * HOUR)
    took_s = time.process_time() - began
    assert len(line) == 35_040
    assert took_s < 1.5, f"{took_s:.2f} s"  # some 0.15 s on an idle machine
    assert await shelf.book.add("spot", "EUR", year, "file") is None
