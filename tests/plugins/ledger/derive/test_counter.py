"""The seven rules at their very borders, in mWh."""

from __future__ import annotations

from fractions import Fraction

import pytest
from msgspec.structs import replace

from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State, Verdict
from ohmstead.plugins.ledger.derive.walk import Walk, begin
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid

T = 1_767_600_000_000  # 2026-01-05T08:00Z
MINUTE = 60_000
RULES = Rules(Kind.COUNTER, Fraction(1), 0, None, 50_000_000, HOUR_MS)  # 50 kW
ROLLS = replace(RULES, modulus=1_000_000)
RESETS = replace(RULES, resets=True)


def walked(rules: Rules, *readings: tuple[float, int]) -> Walk:
    walk = begin(rules, Grid())
    walk.feed([(T + int(minute * MINUTE), value) for minute, value in readings])
    walk.finish()
    return walk


def verdicts(walk: Walk) -> list[str]:
    return [verdict.cause for verdict in walk.verdicts]


def energy(walk: Walk) -> int:
    return sum(sum(sheet.mwh) for sheet in walk.days.values())


@pytest.mark.parametrize(
    ("rules", "readings", "causes", "mwh"),
    [
        # 1: 50 kW for 15 minutes is plausible, one mWh more is not, and 0.1 kWh is however fast it came
        (RULES, [(0, 10**7), (15, 10**7 + 12_500_000)], [], 12_500_000),
        (RULES, [(0, 10**7), (15, 10**7 + 12_500_001)], ["suspect"], 0),
        (RULES, [(0, 10**7), (0.01, 10**7 + 100_000)], [], 100_000),
        (RULES, [(0, 10**7), (0.01, 10**7 + 100_001)], ["suspect"], 0),
        # 1: judged since the register last rose, not since it was last read
        (RULES, [(0, 10**7), (14, 10**7), (14.9, 10**7), (15, 10**7 + 12_500_000)], [], 12_500_000),
        (RULES, [(0, 10**7), (14, 10**7 + 1), (15, 10**7 + 2_000_000)], ["suspect"], 1),
        # 2: the reading that proves a spike lies in [m - τ, v - τ), within the hour, and is itself plausible; τ = 0.1 kWh
        (RULES, [(0, 10**7), (1, 10**8), (61, 10**7 - 100_000)], ["spike", "gap"], 0),
        (RULES, [(0, 10**7), (1, 10**8), (61.001, 10**7)], ["suspect", "reset"], 10**7),
        (RULES, [(0, 10**7), (1, 10**8), (2, 10**7 - 100_001), (61.5, 0)], ["suspect", "suspect", "reset"], 0),
        (RULES, [(0, 0), (1, 10**6), (2, 10**6)], ["suspect"], 0),
        (RULES, [(0, 0), (1, 10**6), (2, 10**6 - 1)], ["spike"], 10**6 - 1),
        # 3: within τ; of small registers τ is a tenth
        (RULES, [(0, 10**7), (1, 10**7 - 100_000), (2, 10**7 + 5)], [], 5),
        (RULES, [(0, 90), (1, 81), (2, 95)], [], 5),
        (RULES, [(0, 90), (1, 80), (2, 95)], ["glitch"], 5),
        # 4: within the hour, inclusive
        (RULES, [(0, 10**7), (1, 0), (61, 10**7)], ["glitch", "gap"], 0),
        (RULES, [(0, 10**8), (1, 0), (61.001, 10**8)], ["reset", "suspect"], 0),
        (RULES, [(0, 10**7), (1, 0), (2, 10**7 - 100_000)], ["glitch"], 0),
        (RULES, [(0, 10**7), (1, -5), (2, 10**7)], ["glitch"], 0),
        # 5: from 0.9 of the modulus to 0.1 of it
        (ROLLS, [(0, 900_000), (1, 100_000)], ["rollover"], 200_000),
        (ROLLS, [(0, 899_999), (1, 100_000)], ["fall"], 0),
        (ROLLS, [(0, 900_000), (1, 100_001)], ["fall"], 0),
        (ROLLS, [(0, 1_000_001), (1, 7)], ["reset"], 7),
        # 6: at most a tenth; what it shows may be implausible
        (RULES, [(0, 10**7), (1, 10**6)], ["suspect"], 0),
        (RULES, [(0, 10**7), (2, 10**6)], ["reset"], 10**6),
        (RULES, [(0, 10**7), (2, 10**6 + 1)], ["fall"], 0),
        # resets: no jitter, no glitch, nothing to tell of a reset
        (RESETS, [(0, 10**7), (1, 0), (2, 10**5), (3, 0), (4, 7)], [], 10**5 + 7),
        (RESETS, [(0, 10**7), (1, 10**7 - 1), (2, 10**7)], ["fall"], 1),
    ],
)
def test_rules(rules: Rules, readings: list[tuple[float, int]], causes: list[str], mwh: int) -> None:
    walk = walked(rules, *readings)
    assert verdicts(walk) == causes
    assert energy(walk) == mwh


def test_a_verdict_says_what_it_is_about() -> None:
    assert walked(RULES, (0, 10**7), (1, 10**8)).verdicts == [Verdict(T + MINUTE, "suspect", T, 10**7, 10**8, 9 * 10**7, firm=False)]
    assert walked(RULES, (0, 10**7), (1, 10**8), (70, 10**8)).verdicts[0].firm


def test_the_head_waits_where_a_later_reading_could_decide() -> None:
    readings = [(0, 10**7), (1, 10**8), (61, 10**8 + 1)]
    head = walked(RULES, *readings).head
    assert head == State(T, T, 10**7, T)
    head = walked(RULES, *readings, (61.5, 10**8 + 2)).head
    assert head
    assert (head.kept_ms, head.until_ms, head.value) == (T + int(61.5 * MINUTE), T + int(61.5 * MINUTE), 10**8 + 2)


def test_registers_of_a_swap_begin_and_end_a_binding() -> None:
    rules = replace(RULES, start_ms=T, end_ms=T + 15 * MINUTE, opening=10**6, closing=10**6 + 900)
    walk = walked(rules, (5, 10**6 + 300))
    assert (energy(walk), verdicts(walk)) == (900, [])
    assert walk.head
    assert walk.head.kept_ms == T + 5 * MINUTE  # readings may still come before the end
    assert [rules.counts(T - 1), rules.counts(T), rules.counts(T + 15 * MINUTE)] == [False, True, False]
    assert replace(rules, closing=None).counts(T + 15 * MINUTE)


def test_nobody_spreads_a_step_over_decades() -> None:
    walk = walked(RULES, (0, 0), (60 * 24 * 366, 1000), (60 * 24 * 366 * 40, 2000))
    assert verdicts(walk) == ["gap", "suspect"]
    assert energy(walk) == 1000
    assert len(walk.days) == 367


def test_what_a_resumed_walk_derives_begins_with_the_slot_of_its_state() -> None:
    state = State(T + DAY_MS + MINUTE, T + DAY_MS + MINUTE, 500, T, 40, MINUTE)
    walk = begin(RULES, Grid(), state)
    assert walk.from_ms == T + DAY_MS
    walk.feed([(T + DAY_MS + 2 * MINUTE, 507)])
    walk.finish()
    sheet = walk.days[(T + DAY_MS) // DAY_MS]
    assert (sum(sheet.mwh), sheet.measured_ms[32]) == (47, 2 * MINUTE)
