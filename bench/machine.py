"""What the machine says: memory and time of a process, quantiles, free ports, places to write."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import resource
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path


def rss_mib(pid: int | None = None) -> float:
    """Resident memory of a process."""
    return _status_mib(pid or os.getpid(), "VmRSS")


def peak_mib(pid: int) -> float:
    """The most resident memory a process has had. What is told of an ended child begins with its parent's instead."""
    return _status_mib(pid, "VmHWM")


def _status_mib(pid: int, what: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """Processor seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def seconds(work: Callable[[], object]) -> float:
    """How long something takes, the collector having nothing of before to do."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, within_s: float = 20.0) -> None:
    """Until something listens."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def end(process: subprocess.Popen[bytes], within_s: float = 15.0) -> None:
    """Stop a child of ours, by force where it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def allow_open_files(count: int) -> int:
    """Raise the limit of open files as far as it goes; what it is then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (count, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def lateness(late: list[float], every_s: float = 0.001) -> None:
    """Note how late a timer of this loop fires, in seconds, until cancelled."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(every_s)
        late.append(time.perf_counter() - start - every_s)


def described() -> str:
    """The machine, the interpreter and the day, for the line above the table."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {model or platform.machine()}, {memory:.0f} GiB, "
        f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
