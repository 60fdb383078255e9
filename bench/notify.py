"""From a reading that was published to the message at a local SMTP and HTTP sink, while the house takes in 10,000 readings a second.

Each message carries the instant of its reading in its text, so that the sink knows how long it took.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

from bench import readings
from bench.machine import quantile
from bench.private import folder
from bench.row import Row
from bench.rules import house
from ohmstead.config.house import House

PROBES = 40  # devices, each of which fires once
EVERY_S = 0.25
RATE = 10_000
METERS = 500
STEP = 100  # readings of the load in a batch
WAIT_S = 30.0
TOLD = re.compile(rb"probe-(\d+)")

YAML = """people:
  owner: {{name: Owner, notify: ["mailto://127.0.0.1:{smtp}/?from=hub@house.test&to=owner@house.test", "json://127.0.0.1:{http}/told"]}}
notifications: {{rate_limit: 1000}}
alerts:
"""
RULE = "  probe_{n}: {{name: probe-{n:04}, device: probe-{n:04}, quantity: power, above: 5000, notify: [owner]}}\n"


class Sink:
    """Notes when the first message of each probe arrived."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[int, float]] = {"SMTP": {}, "HTTP": {}}

    def note(self, way: str, raw: bytes) -> None:
        """A message."""
        match = TOLD.search(raw)
        if match is not None:
            self.seen[way].setdefault(int(match[1]), time.perf_counter())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - its name there
        """What the SMTP server calls."""
        self.note("SMTP", envelope.content)
        return "250 OK"

    async def told(self, request: web.Request) -> web.Response:
        """What the HTTP server calls."""
        self.note("HTTP", await request.read())
        return web.Response()


@asynccontextmanager
async def listening(sink: Sink) -> AsyncIterator[tuple[int, int]]:
    """The ports of both servers."""
    smtp = await asyncio.get_running_loop().create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    app = web.Application()
    app.router.add_post("/told", sink.told)
    runner = web.AppRunner(app)
    await runner.setup()
    http = web.TCPSite(runner, "127.0.0.1", 0)
    await http.start()
    try:
        yield smtp.sockets[0].getsockname()[1], runner.addresses[0][1]
    finally:
        smtp.close()
        await runner.cleanup()


async def introduce(made: House) -> None:
    """Let every device report once, and the house make what it makes of new devices, before anything is timed."""
    batch = made.hub.ingest.batch("bench", "bench")
    for device in [*(f"meter-{number:04}" for number in range(METERS)), *(f"probe-{number:04}" for number in range(PROBES))]:
        batch.add(batch.feed(device), "power", 1.0, made.hub.clock.now_ms())
    await made.hub.ingest.store(batch, WAIT_S)
    await made.parts.money.ledger.automatic.settle()
    await made.parts.money.ledger.caught_up(WAIT_S)
    await asyncio.sleep(2.0)


async def load(made: House, stop: asyncio.Event) -> int:
    """So many readings a second until told to stop; how many."""
    ingest, sent, began = made.hub.ingest, 0, time.perf_counter()
    feeds = [f"meter-{number:04}" for number in range(METERS)]
    while not stop.is_set():
        batch = ingest.batch("bench", "bench")
        at_ms = made.hub.clock.now_ms()
        for number in range(sent, sent + STEP):
            batch.add(batch.feed(feeds[number % len(feeds)]), "power", readings.value(number) % 4000, at_ms)
        await ingest.room()
        ingest.send(batch)
        sent += STEP
        await asyncio.sleep(max(0.0, began + sent / RATE - time.perf_counter()))
    return sent


async def probe(made: House, sink: Sink) -> dict[int, float]:
    """When each probe's reading was published."""
    published = {}
    for number in range(PROBES):
        await asyncio.sleep(EVERY_S)
        batch = made.hub.ingest.batch("bench", "bench")
        batch.add(batch.feed(f"probe-{number:04}"), "power", 6000.0, made.hub.clock.now_ms())
        published[number] = time.perf_counter()
        made.hub.ingest.send(batch)
    until = time.perf_counter() + WAIT_S
    while any(len(some) < PROBES for some in sink.seen.values()) and time.perf_counter() < until:
        await asyncio.sleep(0.05)
    return published


async def told(place: Path) -> tuple[dict[str, list[float]], float]:
    """Milliseconds that each message took, by the way it went, and readings a second meanwhile."""
    sink = Sink()
    async with listening(sink) as (smtp, http):
        yaml = YAML.format(smtp=smtp, http=http) + "".join(RULE.format(n=number) for number in range(PROBES))
        async with house(place, yaml) as made:
            await introduce(made)
            stop, began = asyncio.Event(), time.perf_counter()
            loading = asyncio.create_task(load(made, stop))
            published = await probe(made, sink)
            stop.set()
            rate = await loading / (time.perf_counter() - began)
    took = {way: [(at - published[n]) * 1000 for n, at in some.items()] for way, some in sink.seen.items()}
    missing = {way: PROBES - len(some) for way, some in took.items() if len(some) < PROBES}
    assert not missing, f"messages that did not arrive within {WAIT_S:.0f} s: {missing}"
    return took, rate


def measure() -> list[Row]:
    """A row for each way."""
    with folder() as place:
        took, rate = asyncio.run(told(place))
    note = f"{PROBES} alerts, at {rate:,.0f} readings/s; load, sinks and hub share one process"
    return [Row(f"reading → {way}, p99", "ms", quantile(some, 0.99), 1000, less=True, note=note) for way, some in took.items()]


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
