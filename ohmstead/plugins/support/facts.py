"""How the hub and its machine are at one moment."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import msgspec

from ohmstead.core.durations import BUCKETS_S

STAT, MEMORY = Path("/proc/stat"), Path("/proc/meminfo")
IDLE = (3, 4)  # columns of /proc/stat: doing nothing, waiting for the disk (proc(5))


class Traffic(msgspec.Struct, frozen=True):
    """Requests answered since some start: all, those with a status of 500 and more, and how long they took, as Durations counts."""

    requests: int = 0
    errors: int = 0
    durations: tuple[int, ...] = (0,) * (len(BUCKETS_S) + 1)

    def since(self, before: Traffic) -> Traffic:
        """What came after `before`; all of it where counting began anew meanwhile."""
        if self.requests < before.requests:
            return self
        took = tuple(now - then for now, then in zip(self.durations, before.durations, strict=True))
        return Traffic(self.requests - before.requests, self.errors - before.errors, took)

    @property
    def p95_s(self) -> float:
        """The time that 95 % of the requests took at most, in seconds; between two bounds as if they lay evenly. 0 without requests."""
        total = sum(self.durations)
        if not total:
            return 0.0
        rank, sums = 0.95 * total, list(accumulate(self.durations))
        place = bisect_left(sums, rank)
        if place >= len(BUCKETS_S):
            return BUCKETS_S[-1]
        low, below = (BUCKETS_S[place - 1], sums[place - 1]) if place else (0.0, 0)
        return low + (BUCKETS_S[place] - low) * (rank - below) / self.durations[place]


class Facts(msgspec.Struct, frozen=True):
    """One look. `at_s` is the clock that never jumps; shares are from 0 to 1, None where the machine does not tell.

    `database` and `broker` say what is wrong with them. `sign_ins` counts failed ones since the start.
    """

    at_s: float
    traffic: Traffic = Traffic()
    database: str | None = None
    broker: str | None = None
    backlog: int = 0
    cpu: float | None = None
    ram: float | None = None
    disk: float | None = None
    sign_ins: int = 0
    jobs: tuple[str, ...] = ()  # whose last run failed


class Machine:
    """Reads what Linux tells of the machine; on other systems nothing is known."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._ticks = (0, 0)

    def look(self) -> tuple[float | None, float | None, float | None]:
        """CPU since the last look, memory, and the disk of the data, each as the share that is used. Reads files: call it in a thread."""
        usage = shutil.disk_usage(self._data_dir)
        return self._cpu(), _ram(), 1 - usage.free / usage.total if usage.total else None

    def _cpu(self) -> float | None:
        try:
            ticks = [int(word) for word in STAT.read_text("ascii").split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        before, self._ticks = self._ticks, (sum(ticks), sum(ticks[place] for place in IDLE))
        return busy(before, self._ticks)


def busy(before: Sequence[int], now: Sequence[int]) -> float | None:
    """The share of the ticks (all, idle) between two looks that were not idle; None for the first look."""
    total = now[0] - before[0]
    return None if not before[0] or total <= 0 else 1 - (now[1] - before[1]) / total


def _ram() -> float | None:
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text("ascii").splitlines())
        total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        return None
    return 1 - available / total if total else None
