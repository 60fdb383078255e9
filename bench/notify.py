"""From a reading that was published to the message at a local SMTP and HTTP sink, while the house takes in 10,000 readings a second.

The hub is a process of its own, and so are the broker and the load; publisher and sinks share this one, and its clock.
Each message carries the number of its rule in its text, so that the sink knows which reading it tells of.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

from bench.generator import Generator
from bench.load import DEVICES, publish, publisher
from bench.machine import quantile
from bench.mqtt import VALUES
from bench.private import Hub, folder, mosquitto
from bench.row import Row

PROBES = 80  # rules, each of which fires once
EVERY_S = 0.2
RATE = 10_000
BEFORE_S, AFTER_S = 3.0, 2.0  # of load without a probe
WAIT_S = 30.0
TOLD = re.compile(rb"probe-(\d+)")
DEVICE = "oven"

YAML = """mqtt: {{host: 127.0.0.1, port: {mqtt}}}
devices: {{oven: {{name: Oven}}}}
people:
  owner: {{name: Owner, notify: ["mailto://127.0.0.1:{smtp}/?from=hub@house.test&to=owner@house.test", "json://127.0.0.1:{http}/told"]}}
notifications: {{rate_limit: 1000}}
alerts:
"""
RULE = "  probe_{n}: {{name: probe-{n:04}, device: oven, quantity: power, above: {above}, notify: [owner]}}\n"


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


def above(number: int) -> int:
    """The threshold of a rule, in W: each reading of the device passes one more."""
    return 5000 + 10 * number


async def probe(connection: socket.socket, sink: Sink) -> dict[int, float]:
    """When each probe's reading was published."""
    published = {}
    for number in range(PROBES):
        await asyncio.sleep(EVERY_S)
        payload = f'{{"device_id":"{DEVICE}","timestamp":"{datetime.now(UTC).isoformat()}","power":{above(number) + 5}}}'
        published[number] = time.perf_counter()
        connection.sendall(publish(f"devices/{DEVICE}/telemetry".encode(), payload.encode(), number + 1))
    until = time.perf_counter() + WAIT_S
    while any(len(some) < PROBES for some in sink.seen.values()) and time.perf_counter() < until:
        await asyncio.sleep(0.05)
    return published


async def told() -> tuple[dict[str, list[float]], float]:
    """Milliseconds that each message took, by the way it went, and readings a second meanwhile."""
    sink, seconds = Sink(), BEFORE_S + PROBES * EVERY_S + AFTER_S
    rules = "".join(RULE.format(n=number, above=above(number)) for number in range(PROBES))
    with folder() as place, mosquitto() as (port, _):
        async with listening(sink) as (smtp, http):
            with Hub(place / "hub", YAML.format(mqtt=port, smtp=smtp, http=http) + rules) as hub:
                await asyncio.to_thread(hub.introduce, [DEVICE, *(f"meter-{number:04}" for number in range(DEVICES)), "probe"])
                with Generator("paced", port, RATE / len(VALUES), seconds) as load, publisher(port, b"probe") as connection:
                    load.go()
                    await asyncio.sleep(BEFORE_S)
                    published = await probe(connection, sink)
                    sent = await asyncio.to_thread(load.result)
    took = {way: [(at - published[n]) * 1000 for n, at in some.items()] for way, some in sink.seen.items()}
    missing = {way: PROBES - len(some) for way, some in took.items() if len(some) < PROBES}
    if missing:
        raise RuntimeError(f"messages that did not arrive within {WAIT_S:.0f} s: {missing}")
    return took, int(sent["sent"]) * len(VALUES) / (seconds + max(0.0, float(sent["late_s"])))


def measure() -> list[Row]:
    """A row for each way."""
    took, rate = asyncio.run(told())
    rows = []
    for way, some in took.items():
        note = f"median {quantile(some, 0.5):.0f} ms, longest {max(some):.0f} ms of {PROBES}, at {rate:,.0f} readings/s by MQTT"
        rows.append(Row(f"reading → {way}, p99", "ms", quantile(some, 0.99), 1000, less=True, note=note))
    return rows


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
