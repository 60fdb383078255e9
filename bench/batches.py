"""HTTP batches and line protocol to committed rows, against a raw sqlite3 writer with the same table and groups."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import load, readings
from bench.generator import Generator
from bench.private import Hub, folder
from bench.row import Row, rounds, side_by_side
from bench.writer import raw_sqlite

ROUNDS = rounds(3)
COUNT = 600_000
CONNECTIONS = 4
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)


def json_batches(size: int) -> Iterator[bytes]:
    """Batches of so many readings of one value each, every device ten seconds further with each round."""
    for first in range(0, COUNT, size):
        items = (
            f'{{"device_id":"meter-{number % readings.SERIES:04}",'
            f'"timestamp":"{(START + timedelta(seconds=number // readings.SERIES)).isoformat()}",'
            f'"power":{readings.value(number)}}}'
            for number in range(first, first + size)
        )
        yield f'{{"readings":[{",".join(items)}]}}'.encode()


def line_batches(size: int) -> Iterator[bytes]:
    """The same as line protocol."""
    start_s = int(START.timestamp())
    for first in range(0, COUNT, size):
        yield "\n".join(
            f"energy,device_id=meter-{number % readings.SERIES:04} power={readings.value(number)}"
            f" {start_s + number // readings.SERIES}000000000"
            for number in range(first, first + size)
        ).encode()


def through_hub(place: Path, path: str, bodies: Callable[[int], Iterator[bytes]], size: int) -> float:
    """Readings a second, all of them answered with a 2xx and therefore committed."""
    load.keep(place / "bodies", bodies(size))
    with Hub(place / "hub") as hub, Generator("http", hub.port, hub.token, path, CONNECTIONS, place / "bodies") as generator:
        hub.introduce(f"meter-{number:04}" for number in range(readings.SERIES))
        generator.go()
        return COUNT / float(generator.result()["s"])


def row(what: str, unit: str, path: str, bodies: Callable[[int], Iterator[bytes]], size: int) -> Row:
    """One way in. The raw writer commits what can wait at most: one batch of each connection."""
    ours, theirs = [], []
    owners = readings.series()
    for key, one in enumerate(owners):
        one.key = key
    rows = readings.plain(readings.rows(owners, COUNT))
    for _ in range(ROUNDS):
        with folder() as place:
            ours.append(through_hub(place, path, bodies, size))
            theirs.append(raw_sqlite(place, rows, CONNECTIONS * size))
    limit, ratios = side_by_side("raw sqlite3, same groups", ours, theirs, 0.4)
    return Row(what, unit, statistics.median(ours), 120_000, (limit,), ratios=ratios)


def measure() -> list[Row]:
    """Both ways in."""
    return [
        row("HTTP batches of 1,000, 4 connections", "readings/s", "/api/v1/telemetry/batch", json_batches, 1000),
        row("line protocol, batches of 5,000, 4 connections", "points/s", "/api/v2/write?bucket=home&precision=ns", line_batches, 5000),
    ]


if __name__ == "__main__":
    for each in measure():
        print(each.markdown())
