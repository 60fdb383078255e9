"""A large Green Button file brought into a meter point by the command, as somebody would: read, staged, stored, committed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.machine import peak_mib
from bench.private import folder
from bench.row import Row

SIZE_MB = int(os.environ.get("OHMSTEAD_BENCH_XML_MB", 500))
BEGIN_S = 946_684_800  # 2000; five minutes each, so that 500 MB are 19 years
HOUSE = "home: {name: Bench, time_zone: UTC, currency: EUR}\nmeter_points: {grid: {role: grid_import}}\n"
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="self" href="ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">
<accumulationBehaviour>4</accumulationBehaviour><flowDirection>1</flowDirection><intervalLength>300</intervalLength>
<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry>
"""
READING = """        <IntervalReading>
            <cost>974</cost>
            <timePeriod>
                <duration>300</duration>
                <start>{start}</start>
            </timePeriod>
            <value>{value}</value>
        </IntervalReading>
"""
DAY = 288  # readings of a block


def write(path: Path, size: int) -> int:
    """A feed of about `size` bytes; how many readings it has."""
    count = 0
    with path.open("w") as file:
        file.write(HEAD)
        while file.tell() < size:
            lines = (READING.format(start=BEGIN_S + n * 300, value=n % 997) for n in range(count, count + DAY))
            file.write(f'<entry><content><IntervalBlock xmlns="http://naesb.org/espi">{"".join(lines)}</IntervalBlock></content></entry>\n')
            count += DAY
        file.write("</feed>")
    return count


def bring(place: Path, file: Path) -> tuple[float, float]:
    """Seconds and the most memory in MiB of one command."""
    began, most = time.perf_counter(), 0.0
    command = [sys.executable, "-m", "ohmstead", "-c", str(place), "import", "green-button", str(file), "--meter-point", "grid"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while child.poll() is None:
        most = max(most, peak_mib(child.pid))
        time.sleep(0.02)
    if child.returncode:
        raise RuntimeError(f"{command} failed")
    return time.perf_counter() - began, most


def measure() -> list[Row]:
    """Two rows: how long it takes, and how much more memory than a small file."""
    with folder() as place:
        (place / "configuration.yaml").write_text(HOUSE)
        small, large = place / "small.xml", place / "large.xml"
        write(small, 100_000)
        count = write(large, SIZE_MB * 1_000_000)
        _, least = bring(place, small)
        took_s, most = bring(place, large)
    scale = SIZE_MB / 500
    note = f"{count:,} readings; committed"
    return [
        Row(f"{SIZE_MB} MB of Green Button XML into a meter point", "s", took_s, 120 * scale, less=True, note=note),
        Row("memory it takes more than a small file", "MiB", most - least, 100, less=True),
    ]
