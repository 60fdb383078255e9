from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core import Command, DeviceInfo, DeviceStatus, Integration, Reading, Status
from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import NotFound, Refused, Unavailable, Unsupported
from ohmstead.core.runner import FLOOD_BURST, Entry
from tests.fakes.house import small_house, until

ON = Command("plug", "switch", "on")


class Plug:
    """A plug whose socket the test holds: it reads what is put into `says`, and keeps what it was told."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[Any] = asyncio.Queue()
        self.told: list[Command] = []
        self.contexts: list[Any] = []
        self.answers = True

    @asynccontextmanager
    async def connect(self, options: Mapping[str, Any], context: Any) -> AsyncIterator[Plug]:
        self.contexts.append(context)
        yield self

    async def readings(self) -> AsyncIterator[Any]:
        while True:
            item = await self.says.get()
            if isinstance(item, Exception):
                raise item
            yield item

    async def command(self, command: Command) -> None:
        if not self.answers:
            await asyncio.Event().wait()
        self.told.append(command)


def entry(plug: Plug, foreign: str | None = None, **options: Any) -> Entry:
    return Entry("plug", Integration("smart_plug", {}, connect=plug.connect, capabilities=frozenset({"switch"})), options, foreign)


async def test_a_stream_becomes_readings_devices_and_statuses(tmp_path: Path) -> None:
    hub, store, registry = small_house(tmp_path)
    plug = Plug()
    assert await hub.runners.apply({"plug": entry(plug)}) == ["plug"]
    at = datetime(2026, 2, 7, 11, 26, tzinfo=UTC)
    for item in (
        DeviceInfo("stranger"), DeviceInfo("lamp", via="plug"), Reading("power", 5.0, at), Reading("power", 6.0, device="lamp"), Status(DeviceStatus.ERROR, code="E7"),
        Reading("energy", 0.5, at, start=datetime(2026, 2, 7, 11, 11, tzinfo=UTC)), Reading("ozone", 1.0), Reading("power", 1.0, device="stranger"),
    ):  # fmt: skip
        plug.says.put_nowait(item)
    await until(lambda: len(store.letters) == 3)
    assert {row.series.address for row in store.rows} == {"plug.power", "lamp.power", "plug.energy"}
    assert [info.id for info, _ in registry.infos] == ["lamp"]
    assert registry.statuses[0] == (Status(DeviceStatus.ERROR, code="E7"), "plug")
    assert [letter.reason for letter in store.letters] == ["the house is full", "unknown quantity 'ozone'", "device 'stranger' is unknown"]
    replay = hub.ingest.batch("replay", "reading")
    hub.ingest.decoders["reading"](replay, store.letters[1].address, store.letters[1].raw)
    assert replay.letters[0].reason == "unknown quantity 'ozone'"
    await hub.tasks.stop_all()


async def test_gone_is_told_once_for_everything_behind_and_back_is_recovered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    hub, store, registry = small_house(tmp_path, clock)
    plug = Plug()
    await hub.runners.apply({"plug": entry(plug)})
    plug.says.put_nowait(Reading("power", 1.0, device="lamp"))
    for _ in range(3):
        plug.says.put_nowait(Unavailable("no answer"))
    plug.says.put_nowait(Reading("power", 2.0))
    with caplog.at_level(logging.INFO):
        await clock.advance(30)
    assert sorted((status.device, status.status) for status, _ in registry.statuses) == [("lamp", "offline"), ("plug", "offline")]
    assert [record.getMessage() for record in caplog.records] == ["smart_plug plug: no answer", "smart_plug plug is back"]
    assert len(plug.contexts) == 4
    assert len(store.rows) == 2
    await hub.tasks.stop_all()


async def test_names_that_the_house_refuses_are_not_kept(tmp_path: Path) -> None:
    async def readings(options: Any, context: Any) -> AsyncIterator[Reading]:
        for number in range(50):
            yield Reading("power", 1.0, device=f"stranger{number}")
        yield Reading("power", 1.0, device="meter")
        await asyncio.Event().wait()

    hub, store, _ = small_house(tmp_path)
    await hub.runners.apply({"gateway": Entry("gateway", Integration("many", {}, readings), {})})
    await until(lambda: store.rows)
    ((runner, _),) = list(hub.runners)
    assert runner.devices == {"gateway", "meter"}
    await hub.stop()


async def test_only_what_changed_is_restarted(tmp_path: Path) -> None:
    hub, _, _ = small_house(tmp_path)
    one, two = Plug(), Plug()
    first = entry(one)
    second = Entry("other", Integration("smart_plug", {}, connect=two.connect), {})
    await hub.runners.apply({"plug": first, "other": second})
    await until(lambda: one.contexts and two.contexts)
    assert await hub.runners.apply({"plug": entry(one, every=9), "other": second}) == ["plug"]
    await until(lambda: len(one.contexts) == 2)
    assert len(two.contexts) == 1
    assert await hub.runners.apply({}) == ["other", "plug"]
    assert not list(hub.runners)


async def test_commands(tmp_path: Path) -> None:
    clock = ManualClock()
    hub, _, _ = small_house(tmp_path, clock)
    plug = Plug()
    await hub.runners.apply({"plug": entry(plug)})
    with pytest.raises(Unavailable, match="not connected"):
        await hub.runners.command(ON)
    await clock.advance(0)
    await hub.runners.command(ON)
    assert plug.told == [ON]
    with pytest.raises(Unsupported, match="takes no 'set' command"):
        await hub.runners.command(Command("plug", "set", 5, "power_limit"))
    with pytest.raises(NotFound, match="no integration runs device 'toaster'"):
        await hub.runners.command(Command("toaster", "switch", "on"))
    plug.answers = False
    late = asyncio.create_task(hub.runners.command(ON))
    await clock.advance(11)
    with pytest.raises(Unavailable, match="plug does not answer"):
        await late
    await hub.tasks.stop_all()


async def test_an_acknowledgement_waits_for_everything_before_it(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    acknowledged = []

    async def readings(options: Mapping[str, Any], context: Any) -> AsyncIterator[Reading]:
        yield Reading("power", 1.0)
        context.after_stored(lambda: acknowledged.append(True))
        await asyncio.Event().wait()

    store.held = []
    await hub.runners.apply({"a": Entry("a", Integration("pushed", {}, readings), {})})
    await until(lambda: len(store.held or ()) == 2)
    assert not acknowledged
    store.release()
    assert acknowledged == [True]
    await hub.tasks.stop_all()


async def test_what_ends_or_yields_nonsense_is_down(tmp_path: Path) -> None:
    hub, _, registry = small_house(tmp_path)

    async def ends(options: Mapping[str, Any], context: Any) -> AsyncIterator[Any]:
        yield options["item"]

    await hub.runners.apply({
        "short": Entry("short", Integration("short", {}, ends), {"item": Reading("power", 1.0)}),
        "odd": Entry("odd", Integration("odd", {}, ends), {"item": 42}),
        "empty": Entry("empty", Integration("empty", {}), {}),
    })  # fmt: skip
    await until(lambda: len(registry.statuses) == 3)
    reasons = {status.device: status.message for status, _ in registry.statuses}
    assert reasons == {
        "short": "the device ended its stream", "odd": "a stream yields Reading, DeviceInfo, Status or Prices, not int",
        "empty": "integration empty declares neither readings nor connect",
    }  # fmt: skip
    await hub.tasks.stop_all()


async def test_refused_credentials_are_the_end(tmp_path: Path) -> None:
    hub, _, registry = small_house(tmp_path)
    plug = Plug()
    plug.says.put_nowait(Refused("wrong password"))
    await hub.runners.apply({"plug": entry(plug)})
    await until(lambda: registry.statuses)
    ((runner, task),) = list(hub.runners)
    assert task.given_up == "wrong password"
    assert runner.devices == {"plug"}
    await hub.tasks.stop_all()


async def test_a_foreign_plugin_runs_on_the_second_loop_and_is_commanded_there(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    threads, told, acknowledged = [], [], []

    class Link:
        async def readings(self) -> AsyncIterator[Reading]:
            threads.append(asyncio.get_running_loop())
            yield Reading("power", 1.0)
            self.context.after_stored(lambda: acknowledged.append(True))
            await asyncio.Event().wait()

        async def command(self, command: Command) -> None:
            told.append(asyncio.get_running_loop())

    @asynccontextmanager
    async def connect(options: Mapping[str, Any], context: Any) -> AsyncIterator[Link]:
        link = Link()
        link.context = context
        yield link

    await hub.runners.apply({"plug": Entry("plug", Integration("far", {}, connect=connect, capabilities=frozenset({"switch"})), {}, "far")})
    await until(lambda: store.rows and acknowledged)
    await hub.runners.command(ON)
    assert threads == told == [hub.second.loop]
    await hub.stop()


async def test_a_foreign_acknowledgement_does_not_overtake_what_is_on_the_bridge(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    counts = []

    async def readings(options: Mapping[str, Any], context: Any) -> AsyncIterator[Reading]:
        for number in range(20):
            yield Reading("power", float(number))
            context.after_stored(lambda number=number: counts.append((number, len(store.rows))))
        await asyncio.Event().wait()

    await hub.runners.apply({"plug": Entry("plug", Integration("far", {}, readings), {}, "far")})
    await until(lambda: len(counts) == 20)
    assert [number for number, _ in counts] == list(range(20))
    assert all(stored > number for number, stored in counts)
    await hub.stop()


async def test_a_flooding_plugin_is_quarantined_and_its_devices_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "flood.py").write_text(
        "from ohmstead.core import Integration, Reading, hookimpl\n"
        "async def readings(options, context):\n    while True:\n        yield Reading('power', 1.0)\n"
        "@hookimpl\ndef ohmstead_integrations():\n    return Integration('flood', {}, readings)\n"
    )
    hub, store, _ = small_house(tmp_path)
    hub.plugins.discover(folder)
    ((plugin, integration),) = hub.plugins.collect("ohmstead_integrations")
    runner_entry = Entry("hose", integration, {}, plugin.name)
    await hub.runners.apply({"hose": runner_entry})
    ((runner, _),) = list(hub.runners)
    runner._tokens = 50.0
    await until(lambda: plugin.quarantined)
    await until(lambda: not list(hub.runners))
    assert plugin.quarantined == "it floods the house with readings"
    assert len(store.rows) <= FLOOD_BURST
    await hub.stop()
