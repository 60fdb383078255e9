"""What docs/mqtt.md promises, with its own lines in a real Mosquitto: nothing is lost, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from ohmstead.plugins.protocols import acl
from tests.fakes.house import until
from tests.fakes.mosquitto import DURABLE, Mosquitto, mosquitto

DOCS = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text()
HUB = Path(__file__).parents[2] / "fakes" / "mqtt_hub.py"


def documented() -> str:
    """The Mosquitto lines of the manual that make messages last."""
    block = next(found for found in re.findall(r"^```\w*\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE) if "persistence true" in found)
    return block.split("\n\n", 1)[1].replace("persistence_location /var/lib/mosquitto/\n", "")


def test_the_manual_gives_the_lines_that_these_tests_use() -> None:
    assert documented() == DURABLE


def test_the_manual_shows_the_access_lists_that_are_made() -> None:
    assert acl.mosquitto() in DOCS
    assert acl.emqx() in DOCS


class Hub:
    """A hub of MQTT, native topics and SQLite in a process of its own, to be killed."""

    def __init__(self, folder: Path, broker: Mosquitto, protocol: int) -> None:
        self.folder, self._arguments = folder, (str(folder), str(broker.port), str(protocol))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(sys.executable, str(HUB), *self._arguments, stdout=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        assert (await asyncio.wait_for(self._process.stdout.readline(), 30)).strip() == b"ready"

    async def end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            await process.communicate()
            await asyncio.sleep(0.05)  # the thread that waited for it

    def stored(self) -> set[float]:
        with sqlite3.connect(f"file:{self.folder / 'hub.db'}?mode=ro", uri=True) as database:
            return {value for (value,) in database.execute("SELECT value FROM readings")}


def messages(numbers: Iterable[int]) -> list[str]:
    return [json.dumps({"timestamp": f"2026-11-19T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z", "power": n}) for n in numbers]


@pytest.fixture(params=[5, 4], ids=["v5", "v3.1.1"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Hub, Mosquitto]]:
    async with mosquitto(tmp_path / "broker", documented()) as broker:
        hub = Hub(tmp_path / "hub", broker, request.param)
        try:
            yield hub, broker
        finally:
            await hub.end(signal.SIGKILL)


async def test_nothing_is_lost_over_kills_down_time_and_broker_restarts(pair: tuple[Hub, Mosquitto]) -> None:
    hub, broker = pair
    await hub.start()
    sending = asyncio.ensure_future(broker.publish_lines("devices/D1/readings", messages(range(300))))
    await asyncio.sleep(0.15)
    await hub.end(signal.SIGKILL)  # in mid-load
    await sending
    await broker.publish_lines("devices/D1/telemetry", messages(range(300, 400)), 2)  # while it is away
    await broker.stop(signal.SIGTERM)
    await broker.start()
    await broker.publish_lines("devices/D1/telemetry", messages(range(400, 450)))
    await broker.stop(signal.SIGKILL)
    await broker.start()
    await hub.start()
    await until(lambda: len(hub.stored()) >= 450, 60)
    await broker.stop(signal.SIGKILL)  # under the running hub
    await broker.start()
    await broker.publish_lines("devices/D1/telemetry", messages(range(450, 500)))
    await until(lambda: len(hub.stored()) >= 500, 60)
    await hub.end(signal.SIGTERM)
    assert hub.stored() == set(map(float, range(500)))


async def test_what_was_committed_but_not_acknowledged_is_stored_once(pair: tuple[Hub, Mosquitto]) -> None:
    hub, broker = pair
    await hub.start()
    for round_ in range(2):
        sending = asyncio.ensure_future(broker.publish_lines("devices/D1/readings", messages(range(round_ * 100, round_ * 100 + 100))))
        await asyncio.sleep(0.1)
        await hub.end(signal.SIGKILL)
        await sending
        await hub.start()
    await until(lambda: len(hub.stored()) >= 200, 60)
    await hub.end(signal.SIGTERM)
    with sqlite3.connect(hub.folder / "hub.db") as database:
        assert database.execute("SELECT count(*) FROM readings").fetchone() == (200,)
