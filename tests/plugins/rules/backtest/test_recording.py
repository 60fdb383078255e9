"""Reading back what was recorded, in portions, and comparing with what happened."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.model import Command
from ohmstead.plugins.rules.backtest.happened import differences
from ohmstead.plugins.rules.backtest.past import Told, switched_on
from ohmstead.plugins.rules.backtest.recording import PORTION, Recording
from tests.fakes.replayed_house import ReplayedHouse


async def test_portions_hold_every_reading_once_and_in_order(home: ReplayedHouse) -> None:
    start = home.clock.now_ms() - 10 * 86_400_000
    count = PORTION + 10
    end = await home.record("meter.power", start, 1, *range(count))
    await home.record("other.power", start + 500, 100, *range(600))
    recording = Recording(home.storage, home.ledger.vault)
    stored = await recording.series()
    rows = [row async for some in recording.portions(stored["meter.power"], start, end) for row in some]
    assert [value for _, value in rows] == list(range(count))
    infos = [stored["meter.power"], stored["other.power"]]
    beside = [(start + 7, 2, "between")]
    merged = [row async for some in recording.merged(infos, start, end, beside) for row in some]
    assert len(merged) == count + 501 + 1
    assert merged == sorted(merged, key=lambda row: row[:2])
    assert merged[1] == beside[0]
    assert await recording.before(stored["meter.power"], start + 1) == [(start, 0.0)]
    assert await recording.before(stored["meter.power"], start) == []


moments = st.lists(st.tuples(st.integers(0, 50), st.sampled_from("ab")), max_size=12, unique=True)


@given(moments, moments, st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_differences_leave_out_what_both_have(replayed: list[tuple[int, str]], happened: list[tuple[int, str]], near: int) -> None:
    only_replayed, only_happened = differences(replayed, happened, near)
    assert set(only_replayed) <= set(replayed)
    assert set(only_happened) <= set(happened)
    assert len(replayed) - len(only_replayed) == len(happened) - len(only_happened)
    if near == 0:
        assert set(only_replayed) == set(replayed) - set(happened)
        assert set(only_happened) == set(happened) - set(replayed)


def test_a_device_is_on_from_one_command_to_another() -> None:
    told = [Told(at_ms, "car", Command("ev", "switch", value)) for at_ms, value in ((10, "on"), (20, "on"), (30, "off"), (40, "on"))]
    told.append(Told(35, "car", Command("heater", "set", 0.0, "power_limit")))
    assert switched_on(told, 15, 50) == {"ev": [(15, 30), (40, 50)], "heater": []}
