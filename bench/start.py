"""From the start of the process to `/ready`, and the memory of an idle hub, against Home Assistant."""

from __future__ import annotations

import statistics
import time

from bench.machine import rss_mib
from bench.peer import peer
from bench.private import Hub, folder, mosquitto
from bench.row import Beside, Row, rounds, side_by_side

ROUNDS = rounds(5)
PEER = "Home Assistant 2024.3.3"
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
    ours, theirs = [], []
    with folder() as place, folder() as their_place, mosquitto() as (port, _):
        for _ in range(ROUNDS + 1):
            with Hub(place / "hub", YAML.format(port=port)) as hub:
                time.sleep(SETTLE_S)
                ours.append({"start s": hub.start_s, "rss MiB": rss_mib(hub.pid)})
            theirs.append(peer("start", str(their_place)))
    return [
        _row("start to /ready, warm", "s", 1.0, "start s", ours, theirs),
        _row("idle RSS of a configured hub", "MiB", 100, "rss MiB", ours, theirs),
    ]


def _row(what: str, unit: str, wanted: float, key: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> Row:
    """All but the first, which migrates the database and compiles what pip left uncompiled."""
    mine = [one[key] for one in ours[1:]]
    if not theirs[0]:
        return Row(what, unit, statistics.median(mine), wanted, (Beside(PEER, None, 1.2),), less=True)
    beside, ratios = side_by_side(PEER, mine, [one[key] for one in theirs[1:]], 1.2)
    return Row(what, unit, statistics.median(mine), wanted, (beside,), less=True, ratios=ratios)


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
