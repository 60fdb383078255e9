"""What goes out now, in how many messages, and what waits: laws of the plan."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import to_ms
from ohmstead.core.notice import KINDS, SEVERITIES
from ohmstead.plugins.notifiers.plan import BURST, HOUR_MS, SPACING_MS, Hold, Send, Waiting, Wishes, plan
from ohmstead.plugins.people.hours import quiet

NOON, NIGHT = to_ms(datetime(2026, 12, 1, 12, tzinfo=UTC)), to_ms(datetime(2026, 12, 1, 23, tzinfo=UTC))
MORNING = to_ms(datetime(2026, 12, 2, 7, tzinfo=UTC))
ALWAYS = Wishes(ZoneInfo("UTC"), 20)
QUIET = Wishes(ZoneInfo("UTC"), 20, quiet("22:00-07:00"))
DAILY = Wishes(ZoneInfo("UTC"), 20, digest="daily")


def some(count: int, severity: str = "medium", held: str | None = None, start: int = 1) -> list[Waiting]:
    return [Waiting(number, "alert", severity, held) for number in range(start, start + count)]


def test_a_few_go_each_alone_many_together() -> None:
    assert plan(some(3), ALWAYS, [], NOON) == [Send((1,)), Send((2,)), Send((3,))]
    assert plan(some(BURST + 1), ALWAYS, [], NOON) == [Send(tuple(range(1, BURST + 2)))]


def test_quiet_hours_hold_all_but_what_is_critical() -> None:
    waiting = [*some(2, "high"), *some(1, "critical", start=3)]
    assert plan(waiting, QUIET, [], NIGHT) == [Hold((1, 2), MORNING, "quiet"), Send((3,))]
    assert plan(some(2, "high", "quiet"), QUIET, [], MORNING) == [Send((1, 2))]


def test_a_digest_takes_what_is_below_high_and_is_one_message() -> None:
    waiting = [*some(2), *some(1, "high", start=3), Waiting(4, "report", "low")]
    tomorrow = to_ms(datetime(2026, 12, 2, 8, tzinfo=UTC))
    assert plan(waiting, DAILY, [], NOON) == [Hold((1, 2), tomorrow, "digest"), Send((3,)), Send((4,))]
    assert plan(some(3, held="digest"), DAILY, [], tomorrow) == [Send((1, 2, 3))]


def test_over_the_rate_all_wait_and_critical_ones_only_a_minute() -> None:
    sent = [NOON - 1000 * number for number in range(20)]
    waiting = [*some(2), *some(2, "critical", start=3)]
    assert plan(waiting, ALWAYS, sent, NOON) == [Hold((3, 4), NOON + SPACING_MS, "rate"), Hold((1, 2), NOON - 19_000 + HOUR_MS, "rate")]
    assert plan(waiting, ALWAYS, sent, NOON + SPACING_MS)[0] == Send((3, 4))


def test_ten_thousand_alerts_in_a_minute_are_few_messages() -> None:
    sent: list[int] = []
    held: list[Waiting] = []
    for second in range(60):
        now = NOON + second * 1000
        for decision in plan(some(167, start=second * 167), ALWAYS, sent, now):
            if isinstance(decision, Send):
                sent.append(now)
            else:
                held += [Waiting(id_, "alert", "medium", decision.why) for id_ in decision.ids]
    assert len(sent) == 20
    assert plan(held, ALWAYS, [], NOON + HOUR_MS) == [Send(tuple(each.id for each in held))]


waitings = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(SEVERITIES), st.sampled_from([None, "quiet", "digest", "rate"])),
                    max_size=30).map(lambda rows: [Waiting(number, *row) for number, row in enumerate(rows)])
wishes = st.builds(Wishes, st.just(ZoneInfo("Europe/Berlin")), st.integers(1, 30), st.sampled_from([None, quiet("22:00-07:00")]),
                   st.sampled_from(["off", "daily", "weekly"]))


@settings(max_examples=200, deadline=None)
@given(waitings, wishes, st.lists(st.integers(0, HOUR_MS - 1), max_size=40), st.integers(0, 10 * 86_400_000))
def test_each_is_in_one_decision_and_nobody_waits_for_the_past(waiting, who: Wishes, ago: list[int], later: int) -> None:
    now = NOON + later
    found = plan(waiting, who, [now - each for each in ago], now)
    assert sorted(id_ for each in found for id_ in each.ids) == [each.id for each in waiting]
    assert all(each.ids for each in found)
    assert all(each.until_ms > now for each in found if isinstance(each, Hold))
    sends = sum(isinstance(each, Send) for each in found)
    assert sends <= max(who.rate - len(ago), 1) + 1
