"""Prices that people bring: what is understood, and every wrong form refused with its place and what would be right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ohmstead.core.clock import to_ms
from ohmstead.core.errors import Invalid
from ohmstead.plugins.tariffs.prices.rows import Given, spans
from ohmstead.plugins.tariffs.prices.timeline import Span


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def given(*rows: tuple[Any, ...]) -> list[Given]:
    return [Given(start, price, end[0] if end else None, f"line {n}") for n, (start, price, *end) in enumerate(rows, 2)]


def mistakes(*rows: tuple[Any, ...], per: int = 1) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        spans(given(*rows), per)
    return [f"{each['path']}: {each['message']}" for each in refusal.value.details]


def test_a_price_holds_until_the_next_one() -> None:
    found = spans(given(("2026-01-01T01:00:00+01:00", "0.2"), ("2026-01-01T00:15:00Z", 0.15), ("2026-01-01T00:30Z", -1)))
    start, quarter = ms("2026-01-01T00:00Z"), 900_000
    assert found == [Span(start, start + quarter, 2 * 10**11), Span(start + quarter, start + 2 * quarter, 15 * 10**10),
                     Span(start + 2 * quarter, start + 3 * quarter, -(10**12))]  # fmt: skip


def test_a_price_of_a_mwh() -> None:
    [found] = spans(given(("2026-01-01T00:00Z", "85.13", "2026-01-01T01:00Z")), per=1000)
    assert found.price == 85_130_000_000


def test_wrong_forms_are_told_each_with_its_place() -> None:
    assert mistakes(
        ("2026-01-01T00:00Z", "0,25"), ("2026-01-01T01:00", "0.25"), ("yesterday", "0.25"), ("2026-01-01T02:00Z", "1e999999"),
        ("2026-01-01T03:00Z", "0.0000000000001"), ("2026-01-01T03:00Z", "1000000"), ("2026-01-01T03:00Z", "0.2", "2026-01-01T03:00Z"),
    ) == [
        "line 2: '0,25' is no number: expected a number such as 0.25, with a decimal point and no comma",
        "line 3: expected an instant with its offset, such as 2026-01-01T00:00:00+01:00",
        "line 4: expected an instant with its offset, such as 2026-01-01T00:00:00+01:00",
        "line 5: '1e999999' is no number: expected a number such as 0.25, with a decimal point",
        "line 6: 0.0000000000001 is beyond what can be priced: expected at most 1,000,000,000 with at most 12 decimals",
        "line 7: 1000000 is no price of a kWh",
        "line 8: its end 2026-01-01T03:00Z is not after its start 2026-01-01T03:00Z",
    ]  # fmt: skip


def test_double_prices_and_holes_are_named() -> None:
    assert mistakes(("2026-01-01T00:00Z", 1, "2026-01-01T01:00Z"), ("2026-01-01T00:30Z", 2, "2026-01-01T02:00Z"),
                    ("2026-01-01T05:00Z", 3, "2026-01-01T06:00Z")) == [
        "line 3: two prices from 2026-01-01T00:30:00Z to 2026-01-01T01:00:00Z; give one",
        "line 4: no price from 2026-01-01T02:00:00Z to 2026-01-01T05:00:00Z; give one, or import what is before and after by itself",
    ]  # fmt: skip
    assert mistakes(("2026-01-01T00:00Z", 1), ("2026-01-01T00:00Z", 2)) == ["line 2: a second price for the same time"] * 1 + [
        "line 3: a second price for the same time"]  # fmt: skip
    assert mistakes(("2026-01-01T00:00Z", 1)) == ["line 2: a single price needs an end"]


def test_of_many_mistakes_the_first_are_shown() -> None:
    assert len(mistakes(*(("2026-01-01T00:00Z", "x"),) * 30)) == 20
