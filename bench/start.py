"""From the start of the process to `/ready`, and the memory of an idle hub, against Home Assistant."""

from __future__ import annotations

import statistics
import time

from bench.machine import rss_mib
from bench.peer import peer
from bench.private import Hub, folder, mosquitto
from bench.row import Beside, Row, rounds

ROUNDS = rounds(7)
SETTLE_S = 3.0
YAML = """
mqtt: {{host: 127.0.0.1, port: {port}}}
locations:
  house: {{name: House, kind: home}}
devices:
  heatpump: {{name: Heat pump, kind: load, location: house}}
  roof: {{name: Roof, kind: inverter, location: house}}
integrations:
  plug: {{type: shelly_gen2, host: 127.0.0.1}}
"""


def measure() -> list[Row]:
    """Two rows. The hub has a broker, two devices of its own and one that it polls (and that is away)."""
    theirs = peer("start")
    starts, memory = [], []
    with folder() as place, mosquitto() as (port, _):
        for number in range(ROUNDS + 1):
            with Hub(place / "hub", YAML.format(port=port)) as hub:
                if number:  # the first migrates the database and compiles what pip left uncompiled
                    starts.append(hub.start_s)
                    time.sleep(SETTLE_S)
                    memory.append(rss_mib(hub.pid))
    return [
        Row("start to /ready, warm", "s", statistics.median(starts), 1.0,
            (Beside("Home Assistant 2024.3.3", theirs.get("start s"), 1.2),), less=True),
        Row("idle RSS of a configured hub", "MiB", statistics.median(memory), 100,
            (Beside("Home Assistant 2024.3.3", theirs.get("rss MiB"), 1.2),), less=True),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
