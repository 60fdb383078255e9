"""Meter points that contradict each other."""

from __future__ import annotations

from ohmstead.plugins.ledger.findings.finding import Cause
from ohmstead.plugins.ledger.findings.tree import balance, children

KWH = 1_000_000
SIGNS = {"grid": 1, "pv": 1, "export": -1}


def full(*kwh: float) -> dict[int, tuple[int, bool]]:
    return {day: (round(amount * KWH), True) for day, amount in enumerate(kwh)}


def test_children_above_their_parent_are_found_beyond_the_tolerance() -> None:
    assert children("house", full(10), {"a": full(6), "b": full(4.5)}) == []
    [found] = children("house", full(10), {"a": full(6), "b": full(5)})
    assert (found.cause, found.mwh) == (Cause.CHILDREN, KWH)
    assert "most of it is a" in found.text


def test_a_parent_with_a_gap_is_not_judged() -> None:
    assert children("house", {0: (KWH, False)}, {"a": full(6)}) == []


def test_more_going_out_than_coming_in_is_found() -> None:
    parts = {"grid": full(1), "pv": full(5), "export": full(9)}
    [found] = balance("consumption", parts, SIGNS, {})
    assert (found.cause, found.mwh) == (Cause.BALANCE, 3 * KWH)
    assert balance("consumption", {**parts, "export": full(5.9)}, SIGNS, {}) == []
    assert balance("consumption", {**parts, "grid": {0: (KWH, False)}}, SIGNS, {}) == []


def test_loads_are_held_against_consumption_once_they_met_it_for_a_week() -> None:
    parts = {"grid": full(*[10] * 9), "pv": full(*[0] * 9), "export": full(*[0] * 9)}
    loads = {"a": full(*[6] * 9), "b": full(*[4] * 7, 1, 1)}
    assert [found.day for found in balance("consumption", parts, SIGNS, loads)] == [7]
    assert balance("consumption", parts, SIGNS, {"a": full(*[6] * 9)}) == []  # never all metered: nothing to say
