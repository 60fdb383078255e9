"""MQTT QoS 1, acknowledged after commit: messages a second from Mosquitto to SQLite, against a bare aiomqtt consumer."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import load
from bench.generator import Generator
from bench.private import Hub, folder, mosquitto
from bench.row import Row, rounds, side_by_side

ROUNDS = rounds(3)
COUNT = 60_000
DEVICES = 1000
VALUES = ("voltage", "current", "power", "temperature")


def messages(start: datetime) -> Iterator[bytes]:
    """Four values each; every device a second further with each round."""
    for number in range(COUNT):
        turn, device = divmod(number, DEVICES)
        at = (start + timedelta(seconds=turn)).isoformat().replace("+00:00", "Z")
        amps = (number * 7) % 160 / 10
        payload = (
            f'{{"device_id":"meter-{device:04}","timestamp":"{at}","voltage":{230 + number % 50 / 10},"current":{amps},'
            f'"power":{230 * amps:.1f},"temperature":{20 + number % 99 / 10}}}'
        )
        yield b"devices/meter-%04d/telemetry\0" % device + payload.encode()


def through_hub(place: Path, start: datetime) -> float:
    """Messages a second from the first publish until every reading of every message is in the database."""
    load.keep(place / "messages", messages(start))
    with (
        mosquitto() as (port, _),
        Hub(place / "hub", f"mqtt: {{host: 127.0.0.1, port: {port}}}\n") as hub,
        Generator("mqtt", port, place / "messages") as generator,
        closing(sqlite3.connect(f"{hub.database.as_uri()}?mode=ro", uri=True)) as con,
    ):
        hub.introduce(f"meter-{number:04}" for number in range(DEVICES))
        began = time.perf_counter()
        generator.go()
        wait_for_all(con, COUNT * len(VALUES) + DEVICES)
        took = time.perf_counter() - began
        generator.result()
    return COUNT / took


def wait_for_all(con: sqlite3.Connection, wanted: int, within_s: float = 120.0) -> None:
    """Until so many readings are committed. Looks often only when it is near, for looking costs time."""
    deadline = time.monotonic() + within_s
    seen = 0
    while seen < wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{seen} of {wanted} readings are stored after {within_s:.0f} s")
        time.sleep(0.25 if seen < wanted * 0.9 else 0.05)
        (seen,) = con.execute("SELECT count(*) FROM readings").fetchone()


def bare(place: Path) -> float:
    """The limit: the same load, thrown away."""
    with (
        mosquitto() as (port, _),
        Generator(port, COUNT, module="bench.bare_mqtt") as consumer,
        Generator("mqtt", port, place / "messages") as generator,
    ):
        began = time.monotonic()
        generator.go()
        took = consumer.result()["at"] - began
        generator.result()
    return COUNT / took


def measure() -> list[Row]:
    """One row."""
    ours, theirs = [], []
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    for _ in range(ROUNDS):
        with folder() as place:
            ours.append(through_hub(place, start))
            theirs.append(bare(place))
    limit, ratios = side_by_side("bare aiomqtt consumer", ours, theirs, 0.55)
    rate = statistics.median(ours)
    return [
        Row("MQTT QoS 1, acknowledged after commit, 4 values a message, 1,000 devices", "messages/s", rate, 10_000, (limit,), ratios=ratios,
            note=f"{rate * len(VALUES):,.0f} readings/s; Mosquitto as Debian sets it up but max_queued_messages 0")
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
