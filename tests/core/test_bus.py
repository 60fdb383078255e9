from __future__ import annotations

import asyncio
import logging

import pytest

from ohmstead.core.bus import Bus
from ohmstead.core.events import DeviceChanged, Event, Stopping


def test_listeners_get_their_exact_class_only() -> None:
    bus, seen = Bus(), []
    bus.subscribe(Event, seen.append)
    bus.subscribe(Stopping, seen.append)
    bus.publish(Stopping())
    assert seen == [Stopping()]


def test_subscribing_returns_the_unsubscribe() -> None:
    bus, seen = Bus(), []
    unsubscribe = bus.subscribe(Stopping, seen.append)
    assert bus.wants(Stopping)
    unsubscribe()
    unsubscribe()
    bus.publish(Stopping())
    assert not seen
    assert not bus.wants(Stopping)


def test_what_a_listener_publishes_goes_out_after_the_current_event() -> None:
    bus, first, second = Bus(), [], []

    def answer(event: DeviceChanged) -> None:
        first.append(event.change)
        if event.change == "added":
            bus.publish(DeviceChanged("a", "changed"))

    bus.subscribe(DeviceChanged, answer)
    bus.subscribe(DeviceChanged, lambda event: second.append(event.change))
    bus.publish(DeviceChanged("a", "added"))
    assert first == second == ["added", "changed"]


def test_a_raising_listener_is_logged_once_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, seen = Bus(), []

    def broken(event: Event) -> None:
        if isinstance(event, Stopping):
            bus.publish(DeviceChanged("a", "added"))
        raise RuntimeError("boom")

    bus.subscribe(Stopping, broken)
    bus.subscribe(DeviceChanged, broken)
    bus.subscribe(Stopping, seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(Stopping())
        bus.publish(Stopping())
    assert len(seen) == 2
    assert len(caplog.records) == 1


async def test_a_stream_is_bounded_and_counts_what_it_dropped() -> None:
    bus = Bus()
    with bus.stream(DeviceChanged, size=2) as stream:
        for name in "abc":
            bus.publish(DeviceChanged(name, "added"))
        found = []
        async for event in stream:
            found.append(event.device)
            if len(found) == 2:
                asyncio.get_running_loop().call_soon(bus.publish, DeviceChanged("d", "added"))
            if len(found) == 3:
                break
    assert found == ["b", "c", "d"]
    assert stream.dropped == 1
    assert not bus.wants(DeviceChanged)
