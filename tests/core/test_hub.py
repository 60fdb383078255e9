from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ohmstead.core.errors import ConfigError, NotFound, PluginError, RateLimited
from ohmstead.core.events import StateChanged, Stopping
from ohmstead.core.hub import Hub
from ohmstead.core.loader import Plugin
from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Route
from ohmstead.core.runner import Entry
from tests.fakes.house import small_house, until


async def test_plugins_are_told_when_the_house_stands_and_when_it_stops(tmp_path: Path) -> None:
    hub, _, _ = small_house(tmp_path)
    told = []

    class Greeter:
        @hookimpl
        def ohmstead_started(self, hub: object) -> None:
            told.append("started")

        @hookimpl
        def ohmstead_stopping(self, hub: object) -> None:
            told.append("stopping")

    hub.bus.subscribe(Stopping, lambda event: told.append("event"))
    hub.plugins.add("greeter", Greeter())
    await hub.start()
    await hub.stop()
    assert told == ["started", "event", "stopping"]


async def test_services_are_found_by_their_type(tmp_path: Path) -> None:
    hub, store, _ = small_house(tmp_path)
    hub.provide(store)
    assert hub.get(type(store)) is store
    with pytest.raises(PluginError, match="this house has no Path"):
        hub.get(Path)


async def test_a_plugin_that_sleeps_in_its_loop_is_named_and_in_the_end_quarantined(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "sleepy.py").write_text(
        "import time\nfrom ohmstead.core import Integration, Reading, hookimpl\n"
        "async def readings(options, context):\n    while True:\n        time.sleep(1.6)\n        yield Reading('power', 1.0)\n"
        "@hookimpl\ndef ohmstead_integrations():\n    return Integration('sleepy', {}, readings)\n"
    )
    hub, _, _ = small_house(tmp_path)
    hub.plugins.discover(folder)
    ((plugin, integration),) = hub.plugins.collect("ohmstead_integrations")
    await hub.start()
    await hub.runners.apply({"bed": Entry("bed", integration, {}, plugin.name)})
    late = []

    async def tick() -> None:
        while True:
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.05)
            late.append(asyncio.get_running_loop().time() - before - 0.05)

    ticking = asyncio.create_task(tick())
    await until(lambda: plugin.quarantined, within_s=15)
    ticking.cancel()
    assert "blocked the event loop 3 times" in plugin.quarantined
    assert f"{folder / 'sleepy.py'}:5" in plugin.quarantined
    assert max(late) < 1.0, "the house itself went on"
    await hub.stop()


FOREIGN = """
import asyncio
from ohmstead.core import hookimpl
from ohmstead.core.events import StateChanged
from ohmstead.core.route import Route

seen = []

@hookimpl
def ohmstead_started(hub):
    async def follow():
        seen.append(len(await hub.states()))
        async for event in hub.listen(StateChanged):
            seen.append((asyncio.get_running_loop(), event.new.value))
    hub.run("follower", follow)

@hookimpl
def ohmstead_routes(hub):
    async def where(call):
        return asyncio.get_running_loop()
    return Route("GET", "/where", where, "read", "Say where it runs")
"""


async def test_a_foreign_plugin_listens_and_works_on_the_second_loop(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "foreign.py").write_text(FOREIGN)
    hub, _, _ = small_house(tmp_path)
    hub.plugins.discover(tmp_path / "plugins")
    (route,) = hub.routes()
    assert await route.handler(None) is hub.second.loop
    await hub.start()
    seen = hub.plugins.get("foreign").module.seen
    await until(lambda: seen and hub.bus.wants(StateChanged))
    feed = hub.ingest.feed("D1", "test")
    for value in (1.0, 2.0):
        batch = hub.ingest.batch("test", "reading")
        batch.add(feed, "power", value, int(value))
        hub.ingest.send(batch)
    await until(lambda: len(seen) == 3)
    assert seen == [0, (hub.second.loop, 1.0), (hub.second.loop, 2.0)]
    await hub.stop()


BROKEN = """
from ohmstead.core import Integration, Unavailable, hookimpl

tried = []

async def readings(options, context):
    raise RuntimeError("on fire")
    yield

@hookimpl
def ohmstead_integrations():
    return Integration("broken", {}, readings)

@hookimpl
def ohmstead_started(hub):
    async def ask():
        tried.append(hub.clock.monotonic())
        raise Unavailable("nobody is there")
    hub.run("asker", ask)
"""


async def broken_house(folder: Path) -> tuple[Hub, Plugin]:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "broken.py").write_text(BROKEN)
    hub, _, _ = small_house(folder)
    hub.plugins.discover(folder / "plugins")
    await hub.start()
    plugin = hub.plugins.get("broken")
    assert plugin is not None
    return hub, plugin


async def advance(hub: Hub, by_s: float) -> None:
    """Let time pass, and each time the second loop do its part."""
    for _ in range(round(by_s)):
        await hub.clock.advance(1)
        await asyncio.sleep(0.005)


async def test_a_crash_loop_is_quarantine_and_ends_the_plugins_tasks(tmp_path: Path) -> None:
    hub, plugin = await broken_house(tmp_path)
    ((_, integration),) = hub.plugins.collect("ohmstead_integrations")
    await hub.runners.apply({"oven": Entry("oven", integration, {}, "broken")})
    await advance(hub, 60)
    assert plugin.quarantined == "oven: crash loop: RuntimeError: on fire"
    await until(lambda: not list(hub.runners))
    tried = len(plugin.module.tried)
    await advance(hub, 100)
    assert len(plugin.module.tried) == tried
    await hub.stop()


async def test_a_foreign_task_that_fails_at_once_is_tried_less_and_less_often(tmp_path: Path) -> None:
    hub, plugin = await broken_house(tmp_path)
    await advance(hub, 100)
    assert 5 <= len(plugin.module.tried) <= 9
    assert plugin.quarantined is None
    await hub.stop()


async def test_shipped_routes_stay_here(tmp_path: Path) -> None:
    async def here(*call: object) -> object:
        return asyncio.get_running_loop()

    class Feature:
        @hookimpl
        def ohmstead_routes(self, hub: object) -> Route:
            return Route("GET", "/here", here, "read", "Say where")

    hub, _, _ = small_house(tmp_path)
    hub.plugins.add("feature", Feature())
    assert hub.routes()[0].handler is here


def test_errors_speak_for_themselves() -> None:
    assert ConfigError(["a", "b"]).problems == ("a", "b")
    assert str(ConfigError("a")) == "a"
    assert (NotFound("x").code, NotFound("x").status) == ("NOT_FOUND", 404)
    assert RateLimited("slow down", 3).retry_after_s == 3
