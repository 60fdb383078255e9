"""The ledger: what marking costs ingest, derivation that keeps up with it, a year derived, a year read by the day."""

from __future__ import annotations

import asyncio
import statistics
import time
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import readings
from bench.machine import rss_mib
from bench.private import folder
from bench.row import Row, rounds, side_by_side
from ohmstead.core.hub import Hub
from ohmstead.core.ingest import Ingest
from ohmstead.core.model import Row as Reading
from ohmstead.core.model import Series
from ohmstead.core.supervise import Task
from ohmstead.plugins.devices.registry import Devices
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from ohmstead.plugins.ledger.ledger import Ledger
from ohmstead.plugins.ledger.points.bindings import Binding, Part, Term
from ohmstead.plugins.ledger.points.points import MeterPoint, Role
from ohmstead.plugins.ledger.tables import TABLES as LEDGER
from ohmstead.plugins.storage.storage import Storage

ROUNDS = rounds(3)
COUNT = 600_000
BATCH = 1000
SUSTAINED_S = 20.0
MINUTES = 525_600
DAY_MS, MINUTE_MS = 86_400_000, 60_000
PLAUSIBLE = 50_000_000  # mWh per hour: 50 kW


class House:
    """A storage with a ledger over it, and the way in."""

    def __init__(self, place: Path) -> None:
        self.hub = Hub(place)
        self.storage = Storage("sqlite:///ledger.db", place, self.hub.clock, self.hub.bus)
        self.devices = Devices(self.storage, self.hub.bus, self.hub.clock, self.hub.quantities, place)
        self.ledger = Ledger(self.storage, self.devices, self.hub.bus, self.hub.clock)
        self.way_in: Ingest = readings.ingest(self.storage, self.hub.bus, self.hub.clock)

    async def bind(self, owners: list[Series], part: Part = Part.POSITIVE) -> None:
        """A meter point for each series."""
        for one in owners:
            binding = Binding(readings.START_MS - DAY_MS, None, (Term(one.address, part=part),), PLAUSIBLE)
            await self.ledger.registrar.put(MeterPoint(0, one.device, one.device, Role.LOAD), [binding])

    async def take_in(self, owners: list[Series], count: int, first: int = 0, step_ms: int = readings.STEP_MS) -> None:
        """So many readings, and wait for their commit."""
        made = readings.batches(self.way_in, await asyncio.to_thread(readings.rows, owners, count, first, step_ms), BATCH)
        done = asyncio.Event()
        made[-1].on_settled(lambda error: done.set())
        for batch in made:
            if not self.storage.has_room():
                await self.storage.room()
            self.storage.put(batch)
            await asyncio.sleep(0)
        await done.wait()


@asynccontextmanager
async def house(place: Path, derive: bool = False) -> AsyncIterator[House]:
    """One that is open; `derive`: its ledger runs."""
    made = House(place)
    await made.storage.open([DEVICES, LEDGER])
    task = Task("ledger", made.ledger.deriver.work, made.hub.clock)
    try:
        await made.devices.open()
        await made.ledger.open()
        if derive:
            task.start()
        yield made
    finally:
        await task.stop()
        await made.storage.close()


async def rate(place: Path, bound: bool) -> float:
    """Rows a second through the writer; `bound`: every series is, and nothing derives."""
    async with house(place) as made:
        owners = readings.series()
        if bound:
            made.ledger.marks.bind(one.address for one in owners)
        start = time.perf_counter()
        await made.take_in(owners, COUNT)
        return COUNT / (time.perf_counter() - start)


async def sustained(place: Path) -> tuple[float, float, bool]:
    """Rows a second while all of them are derived; how far behind that was at most, in seconds; whether verify passes."""
    async with house(place, derive=True) as made:
        owners = readings.series()
        await made.bind(owners)
        await made.take_in(owners, len(owners))
        await made.ledger.caught_up(60)
        stored_at: list[tuple[int, float]] = []
        behind: list[float] = []
        watching = asyncio.create_task(watch(made, stored_at, behind))
        start, first = time.perf_counter(), len(owners)
        while (now := time.perf_counter()) - start < SUSTAINED_S:
            await made.take_in(owners, 20 * BATCH, first)
            first += 20 * BATCH
            stored_at.append((readings.START_MS + (first - 1) // len(owners) * readings.STEP_MS, now))
        took = time.perf_counter() - start
        watching.cancel()
        await asyncio.wait({watching})
        await made.ledger.caught_up(120)
        verified = await made.ledger.verifier.verify([owners[7].device])
        return (first - len(owners)) / took, max(behind, default=0), not verified.differences


async def watch(made: House, stored_at: list[tuple[int, float]], behind: list[float]) -> None:
    """Note how long ago the oldest reading was stored that is not derived yet."""
    while True:
        await asyncio.sleep(0.25)
        [(oldest_ms,)] = await made.storage.reader.rows("SELECT min(last_ms) FROM track_heads")
        place = bisect_right(stored_at, (oldest_ms, float("inf")))
        if place < len(stored_at):
            behind.append(time.perf_counter() - stored_at[place][1])


async def year(place: Path) -> tuple[float, float]:
    """Seconds to derive a year of 1-minute readings of a register, and how much memory that took."""
    async with house(place) as made:
        register = Series("meter", made.hub.quantities["energy_import"])
        await made.bind([register], Part.ALL)
        rows = [Reading(register, readings.START_MS + n * MINUTE_MS, 1000 + n * 0.0125) for n in range(MINUTES)]
        for first in range(0, MINUTES, 20_000):
            batch = made.way_in.batch("bench", "bench")
            batch.rows = rows[first : first + 20_000]
            await made.way_in.store(batch)
        del rows
        before, start = rss_mib(), time.perf_counter()
        while await made.ledger.deriver.portion() is not None:
            pass
        return time.perf_counter() - start, rss_mib() - before


async def by_day(place: Path) -> tuple[float, float]:
    """Milliseconds to read a year by the day of 100 meter points, and seconds to read all their slots."""
    async with house(place) as made:
        owners = readings.series(100)
        await made.bind(owners)
        for first in range(0, 100 * 365 * 24, 100 * 365):
            await made.take_in(owners, 100 * 365, first, 3_600_000)
        while await made.ledger.deriver.portion() is not None:
            pass
        slugs, end_ms = [one.device for one in owners], readings.START_MS + 365 * DAY_MS
        took: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            found = await made.ledger.rollups(slugs, "day", readings.START_MS, end_ms)
            took.append((time.perf_counter() - start) * 1000)
            assert all(len(days) >= 365 for days in found.values())
        start = time.perf_counter()
        await made.ledger.sheets(slugs, readings.START_MS, end_ms)
        return statistics.median(took), time.perf_counter() - start


def measure() -> list[Row]:
    """All of them."""
    off, marking, kept_up, behind, same = [], [], [], [], []
    for _ in range(ROUNDS):
        with folder() as place:
            off.append(asyncio.run(rate(place / "off", bound=False)))
            marking.append(asyncio.run(rate(place / "on", bound=True)))
            got = asyncio.run(sustained(place / "sustained"))
            kept_up.append(got[0])
            behind.append(got[1])
            same.append(got[2])
    with folder() as place:
        derived_s, grown_mib = asyncio.run(year(place / "year"))
        day_ms, slots_s = asyncio.run(by_day(place / "days"))
    beside, ratios = side_by_side("ledger off", marking, off, 0.85)
    beside_too, ratios_too = side_by_side("ledger off", kept_up, off, 0.6)
    verified = "verify passes" if all(same) else "verify finds differences"
    return [
        Row("ingest, 1,000 bound series, marking only", "rows/s", statistics.median(marking), None, (beside,), ratios=ratios),
        Row("ingest, 1,000 bound series, derived meanwhile", "rows/s", statistics.median(kept_up), None, (beside_too,), ratios=ratios_too,
            note=verified),
        Row("derivation behind ingest, at most", "s", statistics.median(behind), 10, less=True),
        Row("a year of 1-minute readings of a register, derived", "s", derived_s, 2, less=True, note=f"{grown_mib:.0f} MiB more resident"),
        Row("a year by the day of 100 meter points", "ms", day_ms, 300, less=True),
        Row("a year of slots of 100 meter points", "s", slots_s, less=True),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
