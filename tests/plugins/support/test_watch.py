"""What counts as trouble, for how long it must last, and when it is over; the watch of a real house tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ohmstead.core.clock import ManualClock
from ohmstead.core.durations import BUCKETS_S, Durations
from ohmstead.core.events import AccessDenied, SystemTrouble, SystemTroubleOver
from ohmstead.core.model import Person
from ohmstead.core.route import Call
from ohmstead.plugins.support.facts import Facts, Machine, Traffic, busy
from ohmstead.plugins.support.plugin import SupportPlugin
from ohmstead.plugins.support.watch import Watch
from tests.fakes.house import until
from tests.fakes.stored_house import StoredHouse

STEP_S = 15.0
Story = Callable[[float], Facts]


def told(story: Story, for_s: float, watch: Watch | None = None, from_s: float = 0.0) -> list[tuple[float, str, str]]:
    """What a watch says of a story: (at_s, key, "begins" or "over"), without what it only heard of before this run."""
    watch, found = watch or Watch(), []
    for step in range(int(for_s / STEP_S) + 1):
        at_s = from_s + step * STEP_S
        for event in watch.look(replace(story(at_s), at_s=at_s)):
            if isinstance(event, SystemTrouble):
                found.append((at_s, event.key, "begins"))
            elif event.heard:
                found.append((at_s, event.key, "over"))
    return found


def between(start_s: float, end_s: float, bad: Facts, good: Facts | None = None) -> Story:
    return lambda at_s: bad if start_s <= at_s < end_s else good or Facts(at_s)


@pytest.mark.parametrize(("bad", "key", "after_s"), [
    (Facts(0, cpu=0.81), "cpu", 900), (Facts(0, ram=0.86), "ram", 900), (Facts(0, disk=0.91), "disk", 0),
    (Facts(0, backlog=10_001), "backlog", 15), (Facts(0, database="away"), "database", 15), (Facts(0, broker="away"), "broker", 60),
    (Facts(0, jobs=("backup",)), "jobs", 0),
])  # fmt: skip
def test_what_lasts_is_trouble_and_then_over(bad: Facts, key: str, after_s: float) -> None:
    assert told(between(600, 3600, bad), 7200) == [(600 + after_s, key, "begins"), (3600 + 60, key, "over")]
    if after_s:
        assert told(between(600, 600 + after_s, bad), 7200) == []


@pytest.mark.parametrize("fine", [Facts(0, cpu=0.8), Facts(0, ram=0.85), Facts(0, disk=0.9), Facts(0, backlog=10_000)])
def test_the_limits_themselves_are_fine(fine: Facts) -> None:
    assert told(lambda at_s: fine, 3600) == []


def test_a_flicker_is_neither_trouble_nor_its_end() -> None:
    def flickers(at_s: float) -> Facts:
        return Facts(at_s, disk=0.95 if at_s % 60 < 30 else 0.5)

    assert told(flickers, 3600) == [(0, "disk", "begins")]


def test_trouble_of_the_run_before_is_let_go() -> None:
    watch = Watch()
    events = [event for step in range(10) for event in watch.look(Facts(step * STEP_S))]
    assert events == [SystemTroubleOver(key, heard=False) for key in watch._standing]


def traffic(at_s: float, per_s: float, failing: float = 0.0, took: int = 2) -> Traffic:
    """Requests at a steady rate since 0, of which a share fails."""
    requests = round(at_s * per_s)
    counts = [0] * (len(BUCKETS_S) + 1)
    counts[took] = requests
    return Traffic(requests, round(requests * failing), tuple(counts))


def test_errors() -> None:
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 10, 0.02)), 3600) == [(300, "errors", "begins")]
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 10, 0.01)), 3600) == []
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 0.01, 0.5)), 3600) == []  # one of two failed: no storm


def test_errors_of_a_while_ago_are_over() -> None:
    def story(at_s: float) -> Facts:
        return Facts(at_s, traffic=Traffic(round(at_s * 10), 0 if at_s < 600 else 1000))

    found = told(story, 3600)
    assert [(key, what) for _, key, what in found] == [("errors", "begins"), ("errors", "over")]
    assert [at_s for at_s, _, _ in found] == [600, pytest.approx(945, abs=45)]


def test_slow_answers() -> None:
    slow = 10  # between 1 and 2.5 s, so that 95 % take at most 2.4 s
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 1, took=slow)), 3600) == [(600, "slow", "begins")]
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 1, took=slow - 1)), 3600) == []
    assert told(lambda at_s: Facts(at_s, traffic=traffic(at_s, 0.01, took=slow)), 3600) == []


def test_a_server_that_counts_anew_is_no_trouble() -> None:
    def story(at_s: float) -> Facts:
        return Facts(at_s, traffic=traffic(at_s % 1000, 10, 0.001))

    assert told(story, 3600) == []


def test_failed_sign_ins() -> None:
    assert told(lambda at_s: Facts(at_s, sign_ins=9 if at_s >= 300 else 0), 3600) == []
    found = told(lambda at_s: Facts(at_s, sign_ins=12 if at_s >= 300 else 0), 3600)
    assert found == [(300, "sign_ins", "begins"), (300 + 600 + 60, "sign_ins", "over")]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 12), min_size=1, max_size=200))
def test_p95_lies_within_the_bounds_of_its_bucket(took: list[float]) -> None:
    durations = Durations()
    for each in took:
        durations.add(each)
    exact = sorted(took)[-(-95 * len(took) // 100) - 1]
    p95 = Traffic(len(took), 0, tuple(durations.counts)).p95_s
    bounds = [0.0, *BUCKETS_S]
    low, high = next(((low, high) for low, high in pairwise(bounds) if exact <= high), (10.0, 10.0))
    assert low <= p95 <= high


def test_the_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.look()[0] is None
    assert all(0 <= share <= 1 for share in machine.look() if share is not None)
    assert None not in machine.look()[1:] or not Path("/proc/meminfo").exists()
    assert busy((100, 50), (200, 60)) == pytest.approx(0.9)


@pytest.fixture
def heard(storage: StoredHouse) -> Iterator[list[SystemTrouble | SystemTroubleOver]]:
    found: list[SystemTrouble | SystemTroubleOver] = []
    ends = [storage.bus.subscribe(cls, found.append) for cls in (SystemTrouble, SystemTroubleOver)]
    yield found
    for end in ends:
        end()


async def test_a_house_watches_itself(storage: StoredHouse, heard: list[SystemTrouble | SystemTroubleOver], tmp_path: Path) -> None:
    from ohmstead.core.hub import Hub

    clock = storage.clock
    assert isinstance(clock, ManualClock)
    hub, broker = Hub(tmp_path, clock, storage.bus), ["connection refused"]
    hub.data_dir.mkdir(exist_ok=True)
    support = SupportPlugin(hub, storage.storage, lambda: broker[0] if broker else None)
    support.ohmstead_started(hub)
    for number in range(12):
        storage.bus.publish(AccessDenied(None, None, "POST /login", "anyone", "this is not the token", f"192.0.2.{number}"))
        storage.bus.publish(AccessDenied(None, "D1", "POST /api/v1/telemetry", "ingest", "wrong", "192.0.2.1"))
        storage.bus.publish(AccessDenied("nobody", None, "GET /api/v1/devices", "read", "sign in first", "192.0.2.1"))
    try:
        for step in range(8):
            await until(lambda at_s=step * STEP_S: support._newest is not None and support._newest.at_s >= at_s)
            await clock.advance(STEP_S)
        shown = await support.shown(Call(Person("owner")))
        assert {trouble["key"] for trouble in shown["troubles"]} >= {"broker"}
        assert shown["failed_sign_ins"] == 12
        assert next(event for event in heard if event.key == "broker") == SystemTrouble(
            "broker", "high", "The MQTT broker is away", "connection refused"
        )
    finally:
        await hub.stop()
