"""Live sockets: memory of each, and how long one change takes to reach them all, against one frame sent by hand."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

from bench.generator import Generator
from bench.machine import allow_open_files, free_port, rss_mib
from bench.private import Hub, Missing, folder
from bench.row import Row, rounds, side_by_side

ROUNDS = rounds(7)
CROWD = 10_000
WARM = 3  # changes before the first that counts
APART_S = 0.5  # the hub sends rounds, a lone change at once: this is a lone change


def fan_out(crowd: Generator, change: Callable[[], object]) -> float:
    """Milliseconds from the request that brings a change until the last socket has it."""
    time.sleep(APART_S)
    crowd.go()
    crowd.listening()
    start = time.monotonic()
    change()
    return (float(crowd.result()["last"]) - start) * 1000


def changes(hub: Hub) -> Callable[[], object]:
    """Sends a reading of the device `probe` that is new and other than the one before."""
    count = 0

    def change() -> bytes:
        nonlocal count
        count += 1
        at = datetime.now(UTC).isoformat()
        return hub.ask("/api/v1/telemetry", f'{{"device_id":"probe","timestamp":"{at}","power":{count}}}'.encode())

    return change


def of_hub(count: int) -> tuple[list[float], float]:
    """Fan-out times of the hub, and KiB for each open socket."""
    with folder() as place, Hub(place / "hub") as hub:
        change = changes(hub)
        change()
        time.sleep(2)
        before = rss_mib(hub.pid)
        with Generator(hub.port, "/api/v1/live", count, hub.token, module="bench.crowd") as crowd:
            time.sleep(1)
            each_kib = (rss_mib(hub.pid) - before) * 1024 / count
            took = [fan_out(crowd, change) for _ in range(WARM + ROUNDS)]
    return took[WARM:], each_kib


def by_hand(count: int) -> list[float]:
    """The limit."""
    port = free_port()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/send", b"")
    with (
        Generator(port, module="bench.bare_sockets"),
        Generator(port, "/live", count, module="bench.crowd") as crowd,
    ):
        took = [fan_out(crowd, lambda: urllib.request.urlopen(request, timeout=30).read()) for _ in range(WARM + ROUNDS)]
    return took[WARM:]


def measure() -> list[Row]:
    """Three rows."""
    if allow_open_files(25_000) < CROWD + 500:
        raise Missing(f"{CROWD} sockets need a higher limit of open files (ulimit -n)")
    rows = [_row(1000, 20)[0]]
    fan, each_kib = _row(CROWD, None)
    return [Row("10,000 live sockets, RSS of each", "KiB", each_kib, 20, less=True), *rows, fan]


def _row(count: int, wanted: float | None) -> tuple[Row, float]:
    took, each_kib = of_hub(count)
    limit, ratios = side_by_side("one frame sent by hand", took, by_hand(count), 2)
    what = f"one change to {count:,} live sockets, from the POST that brings it to the last"
    return Row(what, "ms", statistics.median(took), wanted, (limit,), less=True, ratios=ratios), each_kib


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
