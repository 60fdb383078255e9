"""The days before the demo was first started, written through the house's own way in."""

from __future__ import annotations

import asyncio

from ohmstead.core.ingest import Batch, Ingest
from ohmstead.integrations.demo_house.devices import Said, Senses, speak
from ohmstead.integrations.demo_house.house import House

STEP_MS = 300_000
DAY_MS = 86_400_000
ROWS = 5000  # of a batch
BREATH = 20  # steps taken before the other tasks get their turn: about 3 ms
FORMAT = "demo_house"
LEFT_OUT = ("voltage", "current")  # of the devices that are not IN_FULL
IN_FULL = ("grid", "D1")


async def write(ingest: Ingest, house: House, until_ms: int) -> int:
    """Let the house live up to `until_ms` and store what it says every five minutes; the number of readings.

    Returns once all is committed. Rejected when the hub does not take one of the devices in, Unavailable when the
    storage does not keep up.
    """
    senses, readings, steps = Senses(house.seed, house.at_ms), 0, 0
    batch = ingest.batch("demo house", FORMAT, live=False)
    while house.at_ms <= until_ms - STEP_MS:
        house.advance(house.at_ms + STEP_MS)
        for said in speak(house, senses):
            _add(batch, said)
        steps += 1
        if steps % BREATH == 0:
            await asyncio.sleep(0)
        if batch.size >= ROWS:
            await ingest.room()
            readings += batch.size
            ingest.send(batch)
            batch = ingest.batch("demo house", FORMAT, live=False)
    await ingest.store(batch, within_s=60)
    return readings + batch.size


def _add(batch: Batch, said: Said) -> None:
    feed = batch.feed(said.device)
    for name, value in (*said.telemetry.items(), *said.registers.items()):
        if isinstance(value, str) or (name in LEFT_OUT and said.device not in IN_FULL):
            continue
        reason = batch.add(feed, name, value, said.at_ms)
        assert reason is None, f"{said.device}.{name}: {reason}"


async def catch_up(house: House, until_ms: int, every_ms: int) -> None:
    """Let a house that was left alone live up to `until_ms`, finely for the last hour."""
    steps = 0
    while house.at_ms < until_ms:
        step_ms = every_ms if until_ms - house.at_ms <= 3_600_000 else STEP_MS
        house.advance(min(until_ms, (house.at_ms // step_ms + 1) * step_ms))
        steps += 1
        if steps % (10 * BREATH) == 0:
            await asyncio.sleep(0)


