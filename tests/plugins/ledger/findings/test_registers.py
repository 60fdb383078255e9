"""What verdicts of registers become: which finding, which proposal, and no more of them than a person reads."""

from __future__ import annotations

from decimal import Decimal

from ohmstead.plugins.ledger.corrections.changes import Confirm, ReadingScale, Void
from ohmstead.plugins.ledger.findings.finding import Cause, Correct, Found, Swap
from ohmstead.plugins.ledger.findings.registers import House, Odd, registers
from ohmstead.plugins.ledger.points.bindings import Binding, Resets, Term
from ohmstead.plugins.ledger.slots import Grid

HOUR, KWH = 3_600_000, 1_000_000
SERIES = "meter.energy_import"
HOUSE = House("grid", Grid())
PLAIN = Term(SERIES)
T0 = 1_700_000_100_000  # 22:15 UTC


def odd(verdict: str, at: int, before: int, value: int, mwh: int = 0, took: int = 60_000, term: Term = PLAIN) -> Odd:
    binding = Binding(0, None, (term,), 50 * KWH, number=1)
    return Odd(binding, term, verdict, T0 + at, T0 + at - took, before, value, mwh)


def found(*odds: Odd, confirmed: frozenset[tuple[int, int]] = frozenset()) -> list[Found]:
    return registers(HOUSE, odds, confirmed)


def test_a_suspect_step_proposes_to_book_exactly_it() -> None:
    step = odd("suspect", 0, 100 * KWH, 900 * KWH, 800 * KWH)
    [finding] = found(step)
    assert finding.cause is Cause.SUSPECT
    assert finding.mwh == 800 * KWH
    assert finding.due_ms == T0 + HOUR
    assert isinstance(finding.remedy, Correct)
    change = finding.remedy.change
    assert isinstance(change, Confirm)
    assert (change.from_ms, change.to_ms, change.mwh, change.quality) == (T0 - 60_000, T0, 800 * KWH, "measured")
    assert (change.start_ms % 900_000, change.end_ms % 900_000) == (0, 0)
    assert change.start_ms <= change.from_ms < change.to_ms <= change.end_ms


def test_a_confirmed_step_is_no_finding_any_more() -> None:
    step = odd("suspect", 0, 100 * KWH, 900 * KWH, 800 * KWH)
    assert found(step, confirmed=frozenset({(step.from_ms, step.at_ms)})) == []


def test_a_fall_proposes_the_swap_it_looks_like() -> None:
    [finding] = found(odd("fall", 0, 45_000 * KWH, 12_000 * KWH, took=HOUR))
    assert finding.cause is Cause.FALL
    assert finding.remedy == Swap(T0 - HOUR + 1, "45000", "12000")


def test_a_swap_is_stated_as_the_registers_display_it() -> None:
    [finding] = found(odd("fall", 0, 45_000 * KWH, 12_000 * KWH, term=Term(SERIES, factor=Decimal(40))))
    assert isinstance(finding.remedy, Swap)
    assert (finding.remedy.closing, finding.remedy.opening) == ("1125", "300")


def test_a_reset_by_design_is_no_finding() -> None:
    assert found(odd("reset", 0, 80_000, 0, term=Term(SERIES, resets=Resets.ON_BOOT))) == []
    assert found(odd("reset", 0, 80_000, 0))[0].cause is Cause.RESET


def test_wh_for_kwh_is_a_slip_of_the_unit_until_it_goes_back() -> None:
    there = odd("suspect", 0, 45_321 * KWH, 45_321_000 * KWH, 45_275_679 * KWH)
    back = odd("fall", 5 * HOUR, 45_321_500 * KWH, 45_322 * KWH)
    [first, second] = found(there, back)
    assert (first.cause, second.cause) == (Cause.UNIT_SLIP, Cause.UNIT_SLIP)
    assert isinstance(first.remedy, Correct)
    change = first.remedy.change
    assert isinstance(change, ReadingScale)
    assert (change.start_ms, change.end_ms, change.factor) == (T0, T0 + 5 * HOUR, "1/1000")
    assert second.remedy is None


def test_many_of_a_kind_in_one_month_are_one_finding() -> None:
    glitches = [odd("glitch", 60_000 * n, 100 * KWH, 0) for n in range(11)]
    [finding] = found(*glitches)
    assert "11 times" in finding.text
    assert isinstance(finding.remedy, Correct)
    assert isinstance(finding.remedy.change, Void)
    assert len(finding.remedy.change.instants) == 11
    assert len(found(*glitches[:10])) == 10


def test_the_same_verdict_is_the_same_finding_whenever_it_is_given() -> None:
    one, again = odd("suspect", 0, 100 * KWH, 900 * KWH, 800 * KWH), odd("suspect", 0, 101 * KWH, 900 * KWH, 799 * KWH)
    assert found(one)[0].place == found(again)[0].place
