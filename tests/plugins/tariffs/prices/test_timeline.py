"""Prices laid over each other, against the plainest possible reading of the rule."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.model import price_units
from ohmstead.plugins.tariffs.prices.timeline import Span, Timeline, compose, decimal, news

told = st.builds(lambda start, length, price, number: Span(start, start + length, price, number),
                 st.integers(0, 30), st.integers(1, 12), st.integers(-3, 3), st.integers(1, 6))  # fmt: skip


def once(rows: list[Span]) -> list[Span]:
    """One import holds no overlap: of the rows of one number keep those that do not touch an earlier one."""
    kept: list[Span] = []
    for row in rows:
        if all(row.number != k.number or row.end_ms <= k.start_ms or row.start_ms >= k.end_ms for k in kept):
            kept.append(row)
    return kept


@settings(max_examples=200, deadline=None)
@given(st.lists(told, max_size=15))
def test_the_greatest_number_counts_at_every_instant(rows: list[Span]) -> None:
    rows = once(rows)
    line = compose(rows)
    for at in range(45):
        speak = [row for row in rows if row.start_ms <= at < row.end_ms]
        found = line.at(at)
        counts = max(speak, key=lambda row: row.number) if speak else None
        assert (found and (found.price, found.number)) == (counts and (counts.price, counts.number))
    assert all(a <= b for a, b in zip(line.ends_ms, line.starts_ms[1:], strict=False))


@settings(max_examples=200, deadline=None)
@given(st.lists(told, max_size=10), st.lists(told, max_size=6))
def test_only_news_is_kept_and_nothing_is_lost_by_that(before: list[Span], after: list[Span]) -> None:
    known = compose(once(before))
    given_ = [Span(*row[:3]) for row in compose(once(after))]
    fresh = news(known, given_)
    whole = compose([*(Span(*span[:3], 1) for span in known), *(Span(*span[:3], 2) for span in given_)])
    thin = compose([*(Span(*span[:3], 1) for span in known), *(Span(*span[:3], 2) for span in fresh)])
    assert [line.at(t) and line.at(t).price for line in (whole,) for t in range(45)] == [thin.at(t) and thin.at(t).price for t in range(45)]
    assert news(thin, given_) == []


def test_holes_are_named() -> None:
    line = Timeline.of([Span(10, 20, 1), Span(20, 30, 2), Span(40, 50, 3)])
    assert list(line.holes(5, 60)) == [(5, 10), (30, 40), (50, 60)]
    assert list(line.holes(12, 25)) == []
    assert list(line.within(15, 45)) == [Span(15, 20, 1), Span(20, 30, 2), Span(40, 45, 3)]


@pytest.mark.parametrize("text", ["0", "0.00001", "-0.0435", "0.18375", "999999.999999999999", "-0.000000000001", "12", "1.5"])
def test_a_price_is_exact(text: str) -> None:
    assert decimal(price_units(Decimal(text))) == text


@pytest.mark.parametrize("text", ["0.0000000000001", "1000000", "1E+999999", "1E-999999", "NaN", "Infinity", "0." + "1" * 100])
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="price"):
        price_units(Decimal(text))
