"""Laws: whatever the readings are, and however they arrive."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.derive.delta import Period, settle, share
from ohmstead.plugins.ledger.derive.register import exact, integers
from ohmstead.plugins.ledger.derive.rules import Rules
from ohmstead.plugins.ledger.derive.state import State
from ohmstead.plugins.ledger.derive.walk import begin
from ohmstead.plugins.ledger.points.bindings import Part
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.slots import DAY_MS, HOUR_MS, Grid
from tests.fakes.tracks import Track

START_MS = 1_767_600_000_000  # 2026-01-05T08:00Z
MINUTE_MS = 60_000
GRID = Grid([(START_MS // DAY_MS + 1, 5 * MINUTE_MS)])  # five minutes from the second day on
KWH = Fraction(10**6)

# Steps in minutes that meet the borders of slots, of W and of the longest gap; registers that meet those of τ and m/10.
pauses = st.one_of(st.sampled_from([1, 5, 7, 15, 30, 59, 60, 61, 240, 24 * 60]), st.integers(1, 2000))
registers = st.one_of(
    st.sampled_from([0, 0.05, 0.7, 9.99, 10, 99.85, 99.9, 99.92, 99.95, 100, 100.05, 100.1, 100.2, 107, 9999.9, 900_000, -3]),
    st.floats(99, 103, width=32),
    st.floats(0, 20_000),
)
powers = st.one_of(st.sampled_from([0, -600, 300, 1000.5, 49_999, 50_000, 50_001, 7e5]), st.floats(-20_000, 20_000))


@st.composite
def traces(draw, values, most=18):
    at_ms, rows = START_MS + draw(st.integers(0, DAY_MS)), []
    for pause in draw(st.lists(pauses, max_size=most)):
        rows.append((at_ms, draw(values)))
        at_ms += pause * MINUTE_MS
    return rows


@st.composite
def counters(draw):
    modulus = draw(st.sampled_from([None, 100, 10_000]))
    return Rules(
        Kind.COUNTER, KWH, 0, None, 50 * 10**6, HOUR_MS, modulus and modulus * 10**6, draw(st.booleans()),
        draw(st.sampled_from([Part.ALL, Part.ALL, Part.POSITIVE, Part.NEGATIVE])),
    )  # fmt: skip


@st.composite
def gauges(draw):
    return Rules(Kind.GAUGE, Fraction(1000), 0, None, 50 * 10**6, HOUR_MS, part=draw(st.sampled_from(Part)))


cases = st.one_of(st.tuples(counters(), traces(registers)), st.tuples(gauges(), traces(powers)))


def derived(rules: Rules, rows: list, state: State | None = None, size: int = 1000):
    walk = begin(rules, GRID, state)
    for start in range(0, len(rows), size):
        walk.feed(rows[start : start + size])
    walk.finish()
    return walk


def energy(days: dict[int, Sheet]) -> int:
    return sum(sum(sheet.mwh) for sheet in days.values())


def covered_ms(days: dict[int, Sheet]) -> int:
    return sum(sum(sheet.measured_ms) + sum(sheet.estimated_ms) + sum(sheet.reset_ms) for sheet in days.values())


@given(cases)
@settings(max_examples=150, deadline=None)
def test_energy_is_never_negative_nor_a_slot_more_than_full(case) -> None:
    for sheet in derived(*case).days.values():
        assert min(sheet.mwh) >= 0
        for energy, *cover in zip(sheet.mwh, sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True):
            assert min(cover) >= 0
            assert sum(cover) <= sheet.slot_ms
            assert any(cover) or energy == 0


@given(cases, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_rebuild_is_increment_at_every_prefix(case, size) -> None:
    rules, rows = case
    track = Track(rules, GRID)
    for start in range(0, len(rows), size):
        head = derived(rules, rows[:start]).head
        track.arrive(rows[start : start + size])
        assert track.resumed_ms == (head and head.kept_ms)
        whole = derived(rules, rows[: start + size])
        assert (track.days, track.verdicts) == (whole.days, whole.verdicts)
        assert all(one.kept_ms < other.kept_ms for one, other in pairwise([*whole.checkpoints, *([whole.head] if whole.checkpoints else [])]))
        states = [*whole.checkpoints, *([whole.head] if whole.head else [])]
        assert track.states == {state.kept_ms // DAY_MS: state for state in states}


@given(cases, st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_any_order_with_repeats_gives_the_same(case, chance, size) -> None:
    rules, rows = case
    arriving = rows + chance.choices(rows, k=len(rows) // 2) if rows else []
    chance.shuffle(arriving)
    track = Track(rules, GRID)
    for start in range(0, len(arriving), size):
        track.arrive(arriving[start : start + size])
    whole = derived(rules, rows)
    assert (track.days, track.verdicts) == (whole.days, whole.verdicts)


@given(cases, st.data())
@settings(max_examples=80, deadline=None)
def test_a_reading_voided_is_as_if_it_had_never_been(case, data) -> None:
    rules, rows = case
    if not rows:
        return
    track = Track(rules, GRID)
    track.arrive(rows)
    void = data.draw(st.sampled_from(rows))
    track.remove(void[0])
    whole = derived(rules, [row for row in rows if row != void])
    assert (track.days, track.verdicts) == (whole.days, whole.verdicts)


@given(cases, st.data())
@settings(max_examples=80, deadline=None)
def test_a_state_that_comes_again_means_that_all_behind_it_is_as_it_was(case, data) -> None:
    """Where a changed reading lies before a checkpoint that stays, nothing behind that checkpoint changes."""
    rules, rows = case
    if not rows:
        return
    void = data.draw(st.sampled_from(rows))
    before, after = derived(rules, rows), derived(rules, [row for row in rows if row != void])
    again = [state for state in after.checkpoints if state in before.checkpoints and state.kept_ms >= (void[0] // DAY_MS + 1) * DAY_MS]
    for state in again[:1]:
        from_ms = GRID.start(state.kept_ms)
        assert slots_from(before.days, from_ms) == slots_from(after.days, from_ms)
        assert [v for v in before.verdicts if v.at_ms > state.kept_ms] == [v for v in after.verdicts if v.at_ms > state.kept_ms]


def slots_from(days: dict[int, Sheet], from_ms: int) -> dict[int, tuple[int, ...]]:
    found = {}
    for sheet in days.values():
        for at, slot in enumerate(zip(sheet.mwh, sheet.measured_ms, sheet.estimated_ms, sheet.reset_ms, strict=True)):
            if any(slot[1:]) and sheet.start_ms + at * sheet.slot_ms >= from_ms:
                found[sheet.start_ms + at * sheet.slot_ms] = slot
    return found


@given(st.lists(st.tuples(pauses, st.integers(0, 5 * 10**8)), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_slots_sum_to_the_booked_steps(steps) -> None:
    """A register that only rises books all it rose, less what is suspect, and covers all its time but that."""
    rules = Rules(Kind.COUNTER, Fraction(1), 0, None, 50 * 10**6, HOUR_MS)
    at_ms, value, rows = START_MS, 10**9, [(START_MS, 10**9)]
    for pause, step in steps:
        at_ms, value = at_ms + pause * MINUTE_MS, value + step
        rows.append((at_ms, value))
    walk = derived(rules, rows)
    kept = {row[0] for row in rows} - {verdict.at_ms for verdict in walk.verdicts if verdict.cause == "spike"}
    suspect = [verdict for verdict in walk.verdicts if verdict.cause == "suspect"]
    if rows[-1][0] in kept:
        assert energy(walk.days) == value - 10**9 - sum(verdict.mwh for verdict in suspect)
        assert covered_ms(walk.days) == at_ms - START_MS - sum(verdict.at_ms - verdict.from_ms for verdict in suspect)


@given(traces(powers, 25))
@settings(max_examples=100, deadline=None)
def test_power_comes_to_its_integral(rows) -> None:
    """Parts are never netted: the positive less the negative part is the signed integral, to half a mWh a slot."""
    found = {part: derived(Rules(Kind.GAUGE, Fraction(1000), 0, None, 10**9, HOUR_MS, part=part), rows).days for part in Part}
    signed, size = Fraction(0), Fraction(0)
    for (at_ms, power), (until_ms, _) in pairwise(rows):
        held = exact(power, Fraction(1000)) * Fraction(min(until_ms - at_ms, HOUR_MS), HOUR_MS)
        signed, size = signed + held, size + abs(held)
    slots = sum(len(sheet) for sheet in found[Part.ALL].values())
    assert abs(energy(found[Part.POSITIVE]) - energy(found[Part.NEGATIVE]) - signed) <= slots
    assert abs(energy(found[Part.ALL]) - size) <= slots


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e13, max_value=1e13), st.decimals(0, 10**6, places=7).map(float)),
       st.sampled_from([KWH, Fraction(1000), Fraction(40 * 10**6), Fraction("0.00125") * 10**6, Fraction(10**6, 3), Fraction(1), Fraction(-1000)]))  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_the_fast_integer_is_the_exact_one(value, factor) -> None:
    assert integers([value], factor) == [exact(value, factor)]


@given(st.integers(0, 10**12), st.integers(-3, 3))
def test_halves_go_to_even_as_people_read_them(whole, off) -> None:
    text = f"{whole // 10**6}.{whole % 10**6:06d}5" if not off else f"{whole // 10**6}.{whole % 10**6:06d}{5 + off}"
    value = float(text)
    if repr(value) == text:
        assert integers([value], KWH) == [whole + (off > 0 or (off == 0 and whole % 2))]


spans = st.tuples(st.integers(0, 300), st.integers(1, 200), st.integers(0, 10**7)).map(
    lambda drawn: Period(START_MS + drawn[0] * 5 * MINUTE_MS, START_MS + (drawn[0] + drawn[1]) * 5 * MINUTE_MS, drawn[2])
)


@given(st.lists(spans, max_size=8, unique_by=lambda period: period[:2]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_sharing_loses_nothing(periods, profiled) -> None:
    claims, verdicts = settle(periods)
    below = [derived(Rules(Kind.GAUGE, Fraction(1000), 0, None, 10**9, HOUR_MS), [(START_MS - DAY_MS + n * 7 * MINUTE_MS, n * 31 % 900) for n in range(900)])]
    sheets = [below[0].days[day] for day in sorted(below[0].days)] if profiled else []
    days = share(claims, GRID, sheets)
    assert energy(days) == sum(claim.mwh for claim in claims)
    assert covered_ms(days) == sum(end - start for claim in claims for start, end in claim.spans)
    assert all(min(sheet.mwh) >= 0 for sheet in days.values())
    taken = sorted(span for claim in claims for span in claim.spans)
    assert all(one[1] <= other[0] for one, other in pairwise(taken))
    assert {period[:2] for period in periods} >= {(verdict.from_ms, verdict.at_ms) for verdict in verdicts}


@given(st.lists(spans, max_size=6, unique_by=lambda period: period[:2]), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_periods_settle_the_same_in_any_order(periods, chance) -> None:
    shuffled = periods[:]
    chance.shuffle(shuffled)
    assert settle(periods) == settle(shuffled)


@given(cases)
@settings(max_examples=50, deadline=None)
def test_a_state_outlives_its_bytes(case) -> None:
    walk = derived(*case)
    for state in walk.checkpoints:
        assert State.decode(state.encode()) == state
