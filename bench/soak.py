"""10,000 readings a second for five minutes, by MQTT QoS 1: nothing lost, nothing slow, memory flat.

SOAK_S and SOAK_RATE (readings a second) make it shorter or harder.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime

from bench.crowd import frame
from bench.generator import Generator
from bench.load import DEVICES
from bench.machine import quantile, rss_mib
from bench.mqtt import VALUES, wait_for_all
from bench.private import Hub, folder, mosquitto
from bench.row import Row

SECONDS = float(os.environ.get("SOAK_S", "300"))
RATE = float(os.environ.get("SOAK_RATE", "10000"))
LOOK_S = 0.004  # how often the database is asked for what is new
MARK = b'"device":"probe"'
AT = b'"at":"'


class Watcher:
    """Notes how long the readings of the device `probe` take to become visible, in ms, each instant once."""

    def __init__(self) -> None:
        self.took: dict[int, float] = {}
        self.stopped = threading.Event()

    def seen(self, at_ms: int) -> None:
        """A reading of that instant is visible now."""
        self.took.setdefault(at_ms, time.time() * 1000 - at_ms)


def watch_database(hub: Hub, watcher: Watcher) -> None:
    """Look again and again for what is committed."""
    sql = "SELECT at_ms FROM readings WHERE series_id = ? AND at_ms > ? ORDER BY at_ms"
    with closing(sqlite3.connect(f"{hub.database.as_uri()}?mode=ro", uri=True)) as con:
        (key,) = con.execute("SELECT id FROM series WHERE device_id = 'probe' AND quantity = 'power'").fetchone()
        newest = int(time.time() * 1000)
        while not watcher.stopped.wait(LOOK_S):
            for (at_ms,) in con.execute(sql, (key, newest)):
                watcher.seen(at_ms)
                newest = at_ms


def watch_live(hub: Hub, watcher: Watcher) -> None:
    """A live socket that subscribes to everything, as a page with the whole house on it does."""
    with socket.create_connection(("127.0.0.1", hub.port)) as connection:
        connection.sendall(
            f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {hub.token}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        connection.sendall(frame(b'{"type":"SUBSCRIBE"}'))
        connection.settimeout(1.0)
        held = b""
        while not watcher.stopped.is_set():
            try:
                held += connection.recv(1 << 20)
            except TimeoutError:
                continue
            held = note(held, watcher)


def note(held: bytes, watcher: Watcher) -> bytes:
    """Note each update of the probe; what is left for the next turn."""
    place = 0
    while (found := held.find(MARK, place)) >= 0:
        begin = held.find(AT, found)
        if begin < 0 or len(held) < begin + len(AT) + 30:
            return held[found:]
        text = held[begin + len(AT) : held.find(b'"', begin + len(AT))].decode()
        watcher.seen(round(datetime.fromisoformat(text).timestamp() * 1000))
        place = begin
    return held[-len(MARK) :] if place == 0 else held[max(place, len(held) - len(MARK)) :]


@contextmanager
def watching(watch: Callable[[Hub, Watcher], None], hub: Hub) -> Iterator[Watcher]:
    """Watch in a thread for the time of the block."""
    watcher = Watcher()
    thread = threading.Thread(target=watch, args=(hub, watcher), daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stopped.set()
        thread.join(5)


def measure() -> list[Row]:
    """Five rows."""
    with folder() as place:
        with mosquitto() as (port, _), Hub(place / "hub", f"mqtt: {{host: 127.0.0.1, port: {port}}}\n", "bench.watched") as hub:
            devices = [f"meter-{number:04}" for number in range(DEVICES)]
            hub.introduce([*devices, "probe"])
            memory: list[float] = []
            with (
                watching(watch_database, hub) as committed,
                watching(watch_live, hub) as live,
                Generator("paced", port, RATE / len(VALUES), SECONDS) as load,
            ):
                load.go()
                for _ in range(int(SECONDS)):
                    time.sleep(1)
                    memory.append(rss_mib(hub.pid))
                sent = load.result()
                time.sleep(1)
            lost = lost_of(hub, int(sent["sent"]) * len(VALUES) + len(devices) + 1)
        late = json.loads((place / "hub" / "lateness.json").read_text())
    return _rows(list(committed.took.values()), list(live.took.values()), lost, memory, late)


def lost_of(hub: Hub, wanted: int) -> int:
    """How many of the readings that the broker acknowledged are not in the database a minute later."""
    with closing(sqlite3.connect(f"{hub.database.as_uri()}?mode=ro", uri=True)) as con:
        with suppress(RuntimeError):
            wait_for_all(con, wanted, 60)
        return wanted - int(con.execute("SELECT count(*) FROM readings").fetchone()[0])


def _rows(committed: list[float], live: list[float], lost: int, memory: list[float], late: list[float]) -> list[Row]:
    what = f"{RATE:,.0f} readings/s for {SECONDS:.0f} s: "
    third = len(memory) // 3
    begin, end = statistics.median(memory[third : 2 * third]), statistics.median(memory[-max(1, third // 3) :])
    spread_live = f"{spread(live)}; the socket has everything"
    return [
        Row(f"{what}publish → committed, p99", "ms", quantile(committed, 0.99), 500, less=True, note=spread(committed)),
        Row(f"{what}publish → live socket, p99", "ms", quantile(live, 0.99), 500, less=True, note=spread_live),
        Row(f"{what}lost", "readings", lost, 0, less=True),
        Row(f"{what}RSS at the end by that of the second third", "×", end / begin, 1.05, less=True, note=f"{end:.0f} MiB at the end"),
        Row(f"{what}loop late, p99", "ms", quantile(late, 0.99) * 1000, 5, less=True, note=f"longest {max(late) * 1000:.0f} ms"),
    ]


def spread(took: list[float]) -> str:
    """The rest of the distribution in words."""
    return f"median {quantile(took, 0.5):.0f} ms, longest {max(took):.0f} ms of {len(took):,}"


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
